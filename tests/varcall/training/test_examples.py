from pathlib import Path

import numpy as np
import pytest

from varcall.errors import InputError, UsageError
from varcall.evidence.features import N_FEATURES
from varcall.simulate import SimulatedSample
from varcall.training.examples import ExampleStream, Sampling, make_examples
from varcall.training.make_examples import ExamplesOptions, run_examples
from varcall.training.spans import load_span


@pytest.fixture(scope="module")
def spans(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("examples")
    run_examples(
        ExamplesOptions(
            reference=small_sample.reference,
            output=folder,
            reads=small_sample.bam,
            truth=small_sample.truth,
            span=5000,
        )
    )
    return sorted(folder.iterdir())


def test_spans_hold_every_candidate_once(spans: list[Path]) -> None:
    starts: list[int] = []
    for path in spans:
        span = load_span(path)
        questions = make_examples(span, 1.0, 0).questions
        found = np.unique(questions.evidence.sites.start[questions.site])
        assert all(span.window.start <= start < span.window.end for start in found)
        starts += found.tolist()
    assert len(spans) == 3
    assert len(starts) == len(set(starts)) > 10


def test_labels_follow_what_the_reads_show(spans: list[Path]) -> None:
    fraction = []
    labels = []
    for path in spans:
        examples = make_examples(load_span(path), 1.0, 0)
        fraction += examples.questions.features[:, 5].tolist()
        labels += examples.labels.tolist()
    means = [np.mean([f for f, y in zip(fraction, labels, strict=True) if y == k]) for k in (1, 2)]
    assert 0.35 < means[0] < 0.65
    assert means[1] > 0.85


def test_a_lower_depth_is_seen_in_reads_and_in_the_prompt(spans: list[Path]) -> None:
    span = load_span(spans[0])
    whole = make_examples(span, 1.0, 0).questions
    thin = make_examples(span, 0.4, 0).questions
    assert len(thin.evidence.reads.flag) < 0.6 * len(whole.evidence.reads.flag)
    assert (thin.tokens()[0] != whole.tokens()[0]).any()
    again = make_examples(span, 0.4, 0).questions
    np.testing.assert_array_equal(again.features, thin.features)


def test_stream_repeats_for_a_seed_and_differs_between_workers(spans: list[Path]) -> None:
    stream = ExampleStream(tuple(spans), 4, Sampling(buffer_size=8))
    first, again, other = (next(stream(rank, 2, 7, 0)) for rank in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.features != other.features).any()
    assert first.images.shape == (4, 224, 224, 3)
    assert first.features.shape == (4, N_FEATURES)


def test_one_pass_covers_all_examples(spans: list[Path]) -> None:
    stream = ExampleStream(tuple(spans), 5, None)
    total = sum(len(batch.labels) for batch in stream(0, 1, 0, 0))
    assert total == sum(len(make_examples(load_span(p), 1.0, 0)) for p in spans)


def test_one_pass_sees_each_span_at_several_depths(spans: list[Path]) -> None:
    shares = (1.0, 0.4)
    stream = ExampleStream(tuple(spans[:2]), 64, None, shares=shares)
    seen = np.concatenate([batch.features for batch in stream(0, 1, 0, 0)])
    expected = [
        make_examples(load_span(path), share, 0).questions.features
        for path in spans[:2]
        for share in shares
    ]
    np.testing.assert_array_equal(seen, np.concatenate(expected))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x00" * 64)
    with pytest.raises(InputError, match="no file of varcall examples"):
        load_span(path)


def test_samples_are_named_one_way(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either READS"):
        ExamplesOptions(reference=tmp_path, output=tmp_path)
