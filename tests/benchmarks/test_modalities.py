"""The parts of a model, alone and taken away."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import modalities
from benchmarks.inputs.sources import batches_of, held_out_sources
from benchmarks.modalities import (
    CALLED,
    COUNTS,
    NETWORK,
    POOLED,
    TREES,
    Answered,
    answer_examples,
    answers_tables,
    differences,
    joined,
    trees_of,
    withheld_table,
)
from benchmarks.runs import hidden
from benchmarks.runs.network import Network
from models.inference.engine import load_engine
from models.prompt import packed, words_of
from models.tasks import COPIES
from varcall.genotyping.answers import calling_model
from varcall.training.examples import Examples, make_examples
from varcall.training.run import example_files
from varcall.training.spans import load_span


@pytest.fixture(scope="module")
def examples(example_folder: Path) -> Examples:
    return make_examples(load_span(example_files(example_folder)[0]), 1.0, 0)


@pytest.fixture(scope="module")
def network(weights: Path) -> Network:
    return Network.load(str(weights))


@pytest.fixture(scope="module")
def answered(examples: Examples, network: Network, weights: Path) -> Answered:
    return answer_examples(examples, network, trees_of(str(weights)))


@pytest.mark.parametrize("name", ["picture", "features"])
def test_a_withheld_modality_is_not_read(name: str, examples: Examples, network: Network) -> None:
    _, batch = next(batches_of(examples, COPIES.name))
    change = modalities.WITHHELD[name]
    ways = {"shown": hidden.nothing, "withheld": change}
    answers = network.answer(batch, ways)
    rng = np.random.default_rng(1)
    other = (
        replace(batch, images=rng.permutation(batch.images.ravel()).reshape(batch.images.shape))
        if name == "picture"
        else replace(batch, features=rng.normal(size=batch.features.shape).astype(np.float32))
    )
    others = network.answer(other, ways)
    np.testing.assert_allclose(others["withheld"], answers["withheld"], atol=1e-6)
    assert np.abs(others["shown"] - answers["shown"]).max() > 0.01
    # As training withholds it.
    tokens, columns = map(torch.from_numpy, packed(batch.tokens, int(words_of(batch.tokens).max())))
    caller, none = network.caller, torch.zeros(len(batch), dtype=torch.bool)
    with torch.inference_mode():
        logits = caller.read(
            caller.image_encoder(torch.from_numpy(batch.images)),
            caller.feature_encoder(torch.from_numpy(batch.features)),
            torch.from_numpy(batch.likelihoods),
            tokens,
            columns,
            keep_image=none if name == "picture" else None,
            keep_features=none if name == "features" else None,
        )
    expected = network.card.calibration_of(COPIES.name).probabilities(logits[:, :3].numpy())
    np.testing.assert_allclose(answers["withheld"], expected, atol=1e-5)


@pytest.mark.parametrize(("way", "every_picture"), [(CALLED, False), (POOLED, True)])
def test_final_answers_are_those_of_a_call(
    way: str, every_picture: bool, examples: Examples, answered: Answered, weights: Path
) -> None:
    engine = load_engine(weights, device="cpu", engine="torch")
    model = calling_model(engine, str(weights), every_picture=every_picture)
    # What is withheld is so before the odds follow the sample.
    model = replace(model, quality_map=_Identity(), snv_density=None)
    expected = model.answer(examples.questions)
    assert 0 < len(expected.pictured) <= len(examples)
    assert (len(expected.pictured) == len(examples)) == every_picture
    np.testing.assert_allclose(answered.given[way], expected.probabilities, atol=2e-3)


class _Identity:
    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities


def test_what_is_withheld_from_final_answers_is_withheld_from_all_that_answers(
    examples: Examples, answered: Answered, weights: Path
) -> None:
    triage = trees_of(str(weights))
    features, neutral = examples.questions.features, np.zeros((len(examples), 3), np.float32)
    told = answered.given["network without likelihoods"]
    np.testing.assert_array_equal(
        answered.final[CALLED, "likelihoods"], triage.answer(features, neutral, told)
    )
    np.testing.assert_array_equal(answered.final[POOLED, "trees"], answered.given[NETWORK])
    np.testing.assert_array_equal(answered.final[CALLED, "network"], answered.given[TREES])
    np.testing.assert_array_equal(
        answered.final[POOLED, "features"], answered.given["network without features"]
    )
    sure = triage.is_sure(answered.given[TREES])
    np.testing.assert_array_equal(
        answered.final[CALLED, "picture"][sure], answered.given[TREES][sure]
    )


def _made(labels: list[int], **answers: list[int]) -> Answered:
    given = {name.replace("_", " "): np.eye(3, dtype=np.float32)[a] for name, a in answers.items()}
    everything = {
        way: given.get(way, np.eye(3, dtype=np.float32)[labels])
        for way in (CALLED, POOLED, TREES, COUNTS, *modalities.NETWORK_WAYS)
    }
    final = {
        (way, what): everything[NETWORK]
        for way in modalities.MODELS
        for what in (*modalities.WITHHELD, "trees", "network")
    }
    return Answered(np.array(labels), everything, final)


def test_tables_count_wrong_and_changed_answers_by_group() -> None:
    few = _made([0, 1, 2, 0], network=[0, 1, 1, 1], trees=[0, 0, 2, 0])
    groups = {"one": few, "both": joined([few, _made([1, 1])])}
    rows, losses = ({row[0]: row[1:] for row in t.rows} for t in answers_tables(groups))
    assert rows["questions"] == ["4", "6"]
    assert rows[NETWORK] == ["2", "2"]
    assert rows[TREES] == ["1", "1"]
    assert rows[CALLED] == ["0", "0"]
    assert losses[CALLED] == ["0.0000", "0.0000"]
    assert float(losses[TREES][1]) == pytest.approx(float(losses[TREES][0]) * 4 / 6, rel=1e-4)
    changed = {tuple(row[:2]): row[2:] for row in withheld_table(groups).rows}
    assert changed["as called", "nothing"] == ["0", "0"]
    assert changed["as called", "picture"] == ["2 / 2", "2 / 2"]


def test_every_wrong_answer_is_named(examples: Examples, answered: Answered) -> None:
    lines = list(differences("small", "chr1", examples, answered))
    wrong = np.any(
        [
            answered.given[way].argmax(axis=1) != examples.labels
            for way in (CALLED, POOLED, NETWORK, TREES)
        ],
        axis=0,
    )
    assert len(lines) == wrong.sum() > 0
    first = int(np.flatnonzero(wrong)[0])
    asked = examples.questions.alleles(first)
    cells = lines[0].rstrip("\n").split("\t")
    assert len(cells) == len(modalities.DIFFERENCES_HEADER.split("\t"))
    assert cells[:5] == [
        "small", f"chr1:{asked.start + 1}", asked.ref, ",".join(asked.alts),
        str(examples.labels[first]),
    ]  # fmt: skip


def test_held_out_files_are_spread_over_their_folder(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.safetensors").touch()
    (some,) = held_out_sources([tmp_path], 4)
    assert [path.stem for path in some.files] == ["0", "2", "5", "7"]
    (every,) = held_out_sources([tmp_path], None)
    assert len(every.files) == 10


def test_a_model_without_trees_is_refused(untrained_model: Path) -> None:
    with pytest.raises(SystemExit, match="has no trees"):
        trees_of(str(untrained_model))
