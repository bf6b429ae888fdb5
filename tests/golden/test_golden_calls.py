"""The records of three tiny samples, byte for byte as they stand in `tests/golden/*.vcf`.

After a wanted change of records run `pytest tests/golden --update-golden`, and look at the
difference before committing it.
"""

from pathlib import Path

import numpy as np
import pysam
import pytest
from numpy.typing import NDArray

from models.feature_model.triage import Triage
from tests.builders import (
    DUPLICATE,
    MATE_REVERSE,
    PAIRED,
    PROPER,
    QC_FAIL,
    READ1,
    READ2,
    REVERSE,
    SECONDARY,
    SUPPLEMENTARY,
    bam_to_cram,
)
from tests.golden.calling import (
    SliceWorkers,
    called_body,
    called_records,
    expected,
    expected_records,
)
from tests.golden.slices import SLICES, MadeSlice, Slice
from varcall.evidence import window
from varcall.genotyping import answers

PAIR_FLAGS = {PAIRED, PROPER, MATE_REVERSE, READ1, READ2}
FLAGS = (*PAIR_FLAGS, REVERSE, SECONDARY, QC_FAIL, DUPLICATE, SUPPLEMENTARY)
NAMES = tuple(what.name for what in SLICES)

# In log10: three times what engines differ by (models/inference/rounding.py), and a few units in
# the last place of a float32, to which the trees' answers are rounded.
ENGINE_NOISE = 1e-5
TREE_NOISE = 3e-7


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize("name", NAMES)
def test_records(
    made: dict[str, MadeSlice], name: str, engine: str, tmp_path: Path, update_golden: bool
) -> None:
    body = called_body(made[name], tmp_path / "out.vcf", engine=engine)
    if update_golden and engine == "auto":
        expected(name).write_text(body)
        pytest.skip(f"wrote {expected(name)}: look at its difference before committing it")
    assert body == expected(name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_neither_windows_nor_the_format_of_the_reads_matter(
    made: dict[str, MadeSlice], name: str, tmp_path: Path
) -> None:
    cram = bam_to_cram(made[name].bam, tmp_path / "reads.cram", made[name].reference)
    for changes in ({"window": 1000}, {"reads": cram}):
        records = called_records(made[name], tmp_path / "out.vcf", **changes)
        assert records == expected_records(name), changes


@pytest.mark.parametrize("what", SLICES, ids=NAMES)
def test_the_reads_are_of_every_kind(made: dict[str, MadeSlice], what: Slice) -> None:
    with pysam.AlignmentFile(str(made[what.name].bam)) as bam:
        reads = list(bam)
    flags = {bit for read in reads for bit in FLAGS if read.flag & bit}
    assert flags == set(FLAGS) if what.ends == "paired" else flags == set(FLAGS) - PAIR_FLAGS
    assert {read.mapping_quality for read in reads} >= {4, 5, 60, 255}
    assert any(read.query_qualities is None for read in reads)
    cigars = "".join(read.cigarstring or "" for read in reads)
    assert {"M", "I", "D"} <= set(cigars)
    assert ("S" in cigars) == (what.ends != "long")
    if what.ends == "paired":
        assert any(
            read.is_read1 and 0 < abs(read.template_length) < read.query_length for read in reads
        )


@pytest.mark.parametrize("name", NAMES)
def test_the_records_are_of_every_kind(name: str) -> None:
    records = [line.split("\t") for line in expected_records(name)]
    assert 30 <= len(records) <= 60
    assert {columns[6] for columns in records} >= {"PASS", "RefCall", "NoCall"}
    genotypes = {columns[9].split(":")[0] for columns in records}
    assert genotypes >= {"0/0", "0/1", "1/1", "1|2", "./.", "0|1"}
    changes = {len(columns[4]) - len(columns[3]) for columns in records if "," not in columns[4]}
    assert min(changes) < -10
    assert max(changes) > 10
    assert any("*" in columns[4] for columns in records)


@pytest.mark.parametrize("name", NAMES)
def test_trees_and_pictures_answer(
    workers: SliceWorkers, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []
    answer = answers.CallingModel.answer

    def counted(*arguments: object) -> answers.Answers:
        answered = answer(*arguments)  # type: ignore[arg-type]
        shares.append((len(answered.pictured), len(answered.probabilities)))
        return answered

    monkeypatch.setattr(answers.CallingModel, "answer", counted)
    workers.records(name)
    ((pictured, asked),) = shares
    assert 5 <= pictured <= asked - 30


@pytest.mark.parametrize("sign", [-1, 1])
def test_no_answer_lies_at_a_border_of_rounding(
    workers: SliceWorkers, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the records are the same whatever the last bits of an engine's or of trees' floats."""
    rounded, predict = answers.rounded, Triage.predict

    def of_another_engine(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        return rounded(moved(probabilities, sign * ENGINE_NOISE))

    def of_another_cpu(self: Triage, *measured: NDArray[np.float32]) -> NDArray[np.float32]:
        return moved(predict(self, *measured), sign * TREE_NOISE)

    monkeypatch.setattr(answers, "rounded", of_another_engine)
    monkeypatch.setattr(Triage, "predict", of_another_cpu)
    assert not workers.are_changed()


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_last_bits_of_all_features_change_no_record(
    workers: SliceWorkers, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPUs may differ in a few of them; they are rounded before any model reads them."""
    measure = window.measure

    def with_other_bits(*arguments: object) -> NDArray[np.float32]:
        features = measure(*arguments)  # type: ignore[arg-type]
        return np.nextafter(features, np.float32(sign * np.inf))

    monkeypatch.setattr(window, "measure", with_other_bits)
    assert not workers.are_changed()


def moved(probabilities: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """Move the odds of every option against the likeliest one by so much log10."""
    shares = probabilities.astype(np.float64)
    is_likeliest = shares == shares.max(axis=1, keepdims=True)
    shares = np.where(is_likeliest, shares, shares * 10.0**by)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)
