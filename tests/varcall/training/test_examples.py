from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from models.prompt import CONTEXT_COLUMNS, decode
from models.tasks import TASK_NAMES, TASKS
from models.training.batch import Batch
from tests.varcall.training.cutting import cut_sample, unknown_origins
from varcall.errors import InputError, UsageError
from varcall.evidence.features import (
    FEATURES,
    LIBRARY_FEATURES,
    N_FEATURES,
    without_library,
)
from varcall.simulate import SimulatedSample
from varcall.training.examples import (
    ExampleStream,
    Sampling,
    as_haploid,
    exemplar_of,
    make_batch,
    make_examples,
)
from varcall.training.make_examples import ExamplesOptions
from varcall.training.spans import load_span, save_span


@pytest.fixture(scope="module")
def spans(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return cut_sample(small_sample, tmp_path_factory.mktemp("examples"), span=5000)


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


def shares_of(tasks: NDArray[np.int64]) -> dict[str, float]:
    counts = np.bincount(tasks, minlength=len(TASK_NAMES)) / len(tasks)
    return dict(zip(TASK_NAMES, counts.tolist(), strict=True))


def drawn(stream: ExampleStream, count: int) -> list[Batch]:
    return list(islice(stream(0, 1, 7, 0), count))


def test_one_pass_asks_every_task_in_turn(spans: list[Path]) -> None:
    stream = ExampleStream(tuple(spans[:2]), 5, None, tasks=TASK_NAMES)
    batches = list(stream(0, 1, 0, 0))
    assert all(len(set(batch.task.tolist())) == 1 for batch in batches)
    found = np.concatenate([batch.task for batch in batches])
    labelled = [make_examples(load_span(p), 1.0, 0, tasks=TASK_NAMES).tasks for p in spans[:2]]
    for number, task in enumerate(TASK_NAMES):
        expected = sum(len(tasks[task].labels) for tasks in labelled)
        assert (found == number).sum() == expected > 0
    for batch in batches:
        assert batch.labels.max() < len(TASKS[TASK_NAMES[batch.task[0]]].options)


def test_examples_keep_the_shares_of_the_tasks(spans: list[Path]) -> None:
    shares = {"copies": 0.5, "cause": 0.2, "share": 0.2, "haplotype": 0.1}
    stream = ExampleStream(tuple(spans), 8, Sampling(buffer_size=16, tasks=shares))
    found = shares_of(np.concatenate([batch.task for batch in drawn(stream, 40)]))
    for task, share in (shares | {"same_haplotype": 0.0}).items():
        assert found[task] == pytest.approx(share, abs=0.07)


def test_a_task_can_be_trained_on_alone(spans: list[Path]) -> None:
    stream = ExampleStream(tuple(spans), 8, Sampling(buffer_size=16, tasks={"haplotype": 1.0}))
    assert shares_of(np.concatenate([b.task for b in drawn(stream, 4)]))["haplotype"] == 1


def test_rare_answers_are_drawn_more_often(spans: list[Path]) -> None:
    """Most candidates of the sample are real."""
    real = []
    for balance in (0.0, 1.0):
        sampling = Sampling(buffer_size=16, tasks={"cause": 1.0}, balance=balance)
        batches = drawn(ExampleStream(tuple(spans), 8, sampling), 30)
        real.append(np.mean(np.concatenate([batch.labels for batch in batches]) == 0))
    assert real[1] < real[0] - 0.15


def test_a_folder_can_count_more(spans: list[Path]) -> None:
    sampling = Sampling(buffer_size=8, weights={spans[0].parent.name: 2.5, "other": 9.0})
    assert set(drawn(ExampleStream(tuple(spans), 8, sampling), 1)[0].weights) == {2.5}
    sampling = Sampling(buffer_size=8, weights={"other": 9.0})
    assert set(drawn(ExampleStream(tuple(spans), 8, sampling), 1)[0].weights) == {1.0}


def test_training_draws_words_and_evaluation_does_not(spans: list[Path]) -> None:
    """Of one question, so that only the words can differ."""
    examples = make_examples(load_span(spans[0]), 1.0, 0)
    once = np.zeros(8, np.int64)
    plain = examples.questions.tokens(once)
    np.testing.assert_array_equal(make_batch(examples, "copies", once).tokens, plain)
    varied = make_batch(examples, "copies", once, rng=np.random.default_rng(1)).tokens
    assert len({row.tobytes() for row in varied}) > 4
    batches = drawn(ExampleStream(tuple(spans[:1]), 8, Sampling(buffer_size=8)), 4)
    written = np.concatenate([batch.tokens for batch in batches])
    known = {row.tobytes() for row in examples.questions.tokens()}
    assert any(row.tobytes() not in known for row in written)


def test_words_tell_of_the_library_where_its_features_are_withheld(spans: list[Path]) -> None:
    """All of them, and rightly; where some are left out or wrong, the features stay."""
    examples = make_examples(load_span(spans[0]), 1.0, 0)
    once = np.zeros(400, np.int64)
    withheld = np.arange(400) % 4 == 0
    batch = make_batch(examples, "copies", once, None, np.random.default_rng(1), None, withheld)
    (plain,), measured = examples.questions.tokens(once[:1]), examples.questions.features[0]
    is_plain = (batch.tokens[:, CONTEXT_COLUMNS] == plain[list(CONTEXT_COLUMNS)]).all(1)
    assert is_plain[withheld].all()
    assert 0.02 < is_plain[~withheld].mean() < 0.5
    assert (batch.features[~withheld] == measured).all()
    changed = {FEATURES[i] for i in np.flatnonzero(batch.features[0] != measured)}
    assert {"sample_error_rate_log10", "depth_over_sample_depth"} <= changed
    assert changed <= set(LIBRARY_FEATURES)
    np.testing.assert_array_equal(batch.features[withheld], without_library(batch.features[:100]))


def test_a_share_of_the_examples_withholds_the_features_of_the_library(spans: list[Path]) -> None:
    neutral = without_library(np.zeros((1, N_FEATURES), np.float32))[0]
    column = FEATURES.index("sample_error_rate_log10")
    for share in (0.0, 0.25):
        stream = ExampleStream(tuple(spans), 32, Sampling(buffer_size=64, withheld_share=share))
        batches = drawn(stream, 20)
        found = np.concatenate([batch.features[:, column] == neutral[column] for batch in batches])
        assert found.mean() == pytest.approx(share, abs=0.08)
        again = np.concatenate([batch.features for batch in drawn(stream, 20)])
        np.testing.assert_array_equal(again, np.concatenate([b.features for b in batches]))


def test_some_prompts_show_an_example_first(spans: list[Path]) -> None:
    texts = {}
    for share in (0.0, 1.0):
        stream = ExampleStream(tuple(spans), 8, Sampling(buffer_size=8, exemplar_share=share))
        texts[share] = [decode(row) for batch in drawn(stream, 4) for row in batch.tokens]
    examples = make_examples(load_span(spans[0]), 1.0, 0)
    start = exemplar_of(examples, "copies", 0).text("copies").split()[0]
    assert not any(start in text for text in texts[0.0])
    assert np.mean([start in text for text in texts[1.0]]) > 0.5


def test_real_reads_cannot_be_asked_for_causes(spans: list[Path], tmp_path: Path) -> None:
    span = load_span(spans[0])
    real = replace(span, origins=unknown_origins(len(span.window.reads)))
    path = tmp_path / "real.safetensors"
    save_span(real, path)
    stream = ExampleStream((path,), 8, Sampling(buffer_size=8, tasks={"cause": 1.0}))
    with pytest.raises(InputError, match=r"no question.*cause.*varcall examples"):
        next(stream(0, 1, 7, 0))
    mixed = Sampling(buffer_size=8, tasks={"copies": 0.5, "cause": 0.5}, balance=0.0)
    batches = drawn(ExampleStream((path, spans[1]), 8, mixed), 20)
    # What the real span cannot give, the simulated one does as far as it has it.
    assert shares_of(np.concatenate([b.task for b in batches]))["cause"] > 0.25


def test_a_diploid_sample_is_also_seen_as_a_haploid_one(spans: list[Path]) -> None:
    for path in spans:
        span = load_span(path)
        haploid = as_haploid(span)
        assert haploid.profile.depth == pytest.approx(span.profile.depth / 2, rel=0.15)
        examples = make_examples(haploid, 1.0, 0, ploidy=1)
        assert 1 not in examples.labels
        fraction = examples.questions.features[:, 5]
        assert fraction[examples.labels == 2].mean() > 0.85
        assert "ploidy haploid" in decode(examples.questions.tokens()[0])


def test_only_copies_cause_and_share_are_asked_of_haploid_samples(spans: list[Path]) -> None:
    shares = dict.fromkeys(TASK_NAMES, 1.0)
    sampling = Sampling(buffer_size=16, tasks=shares, haploid_share=1.0)
    for batch in drawn(ExampleStream(tuple(spans), 8, sampling), 20):
        asked = {TASK_NAMES[number] for number in batch.task.tolist()}
        assert asked <= {"copies", "cause", "share"}
        copies = batch.labels[batch.task == TASK_NAMES.index("copies")]
        assert 1 not in copies


def test_a_recipe_of_unknown_tasks_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown tasks: colour"):
        Sampling(tasks={"copies": 1.0, "colour": 1.0})
    with pytest.raises(InputError, match="at least 0"):
        Sampling(tasks={"copies": 0.0})


def test_spans_come_back_as_they_were(spans: list[Path], tmp_path: Path) -> None:
    span = load_span(spans[0])
    phased = [replace(record, phase_set="12") for record in span.truth]
    changed = replace(span, truth=tuple(phased), contaminant=span.truth[:1], contamination=None)
    save_span(changed, tmp_path / "x.safetensors")
    again = load_span(tmp_path / "x.safetensors")
    assert again.truth == changed.truth
    assert again.contaminant == changed.contaminant
    assert again.contamination is None
    for before, after in zip(span.origins, again.origins, strict=True):
        np.testing.assert_array_equal(before, after)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x00" * 64)
    with pytest.raises(InputError, match="no file of varcall examples"):
        load_span(path)


def test_examples_of_an_earlier_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    about = {"varcall_span": '{"version": 1}'}
    path.write_bytes(save({"bases": np.zeros(1, np.uint8)}, metadata=about))
    with pytest.raises(InputError, match=r"format 1, not \d; make them again"):
        load_span(path)


def test_samples_are_named_one_way(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="either READS"):
        ExamplesOptions(reference=tmp_path, output=tmp_path)
