"""Contigs are cut into stretches: what is written does not depend on it, nor on the processes."""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from tests.varcall.scoring.conftest import Files, random_sequence
from varcall.scoring import stretches
from varcall.scoring.options import EvalOptions
from varcall.scoring.run import run_eval
from varcall.scoring.stretches import cuts
from varcall.scoring.vcf_file import scan_vcf

GROUPS = 12  # of records, 6 kb apart


def variants(sequence: str, contig: str, dice: random.Random) -> tuple[list[str], list[str]]:
    """Records of two call sets that share most of theirs, in groups."""
    truth, query = [], []
    for group in range(GROUPS):
        at = 500 + 6000 * group
        for _ in range(8):
            at += dice.randint(5, 60)
            ref = sequence[at - 1 : at - 1 + dice.choice([1, 1, 1, 3])]
            alt = dice.choice([base for base in "ACGT" if base != ref[0]]) + dice.choice(
                ["", "", "G"]
            )
            genotype = dice.choice(["0/1", "1/1", "1"])
            filters = dice.choice(["PASS", "PASS", "LowQual"])
            record = f"{contig} {at} {ref} {alt}"
            if dice.random() < 0.9:
                truth.append(f"{record} {genotype}")
            if dice.random() < 0.9:
                own = genotype if dice.random() < 0.9 else "0/1"
                query.append(
                    f"{record} {own} {dice.randint(1, 60)} {filters} {dice.randint(1, 99)}"
                )
            at += len(ref)
    return truth, query


@pytest.fixture
def options(make_files: Callable[..., Files], tmp_path: Path) -> EvalOptions:
    dice = random.Random(1)
    sequences = {name: random_sequence(6000 * (GROUPS + 1), i) for i, name in enumerate("abc")}
    truth, query = [], []
    for contig in "ab":
        more = variants(sequences[contig], contig, dice)
        truth += more[0]
        query += more[1]
    query += variants(sequences["c"], "c", dice)[1]  # hap.py leaves it out
    files = make_files(truth, query, sequences)
    bed = tmp_path / "confident.bed"
    # intervals over cuts, and borders among the records
    bed.write_text("a\t0\t20000\na\t24600\t60700\nb\t100\t90000\n")
    strata = tmp_path / "strata.tsv"
    (tmp_path / "some.bed").write_text("a\t6000\t31000\nb\t12600\t12800\nc\t0\t9\n")
    strata.write_text("some\tsome.bed\n")
    (tmp_path / "out").mkdir()
    return EvalOptions(
        files.truth, (files.query,), files.reference, output=tmp_path / "out" / "r",
        counts=tmp_path / "out" / "counts.json", confident=bed, stratification=strata,
        engine="builtin", split_vcfs=True, plots=False,
    )  # fmt: skip


def written(options: EvalOptions, folder: Path) -> dict[str, bytes]:
    """Evaluate into a folder of its own; its files."""
    folder.mkdir()
    run_eval(replace(options, output=folder / "r", counts=folder / "counts.json"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def plain(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same uncompressed, without indexes."""
    return {
        name: gzip.decompress(data) if name.endswith(".gz") else data
        for name, data in files.items()
        if not name.endswith(".tbi")
    }


@pytest.mark.parametrize("more", [{}, {"squash_ploidy": True}, {"decompose": True}])
def test_cuts_change_nothing(
    more: dict[str, bool],
    options: EvalOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = replace(options, **more)  # type: ignore[arg-type]
    whole = written(options, tmp_path / "whole")
    said = caplog.messages
    caplog.clear()
    monkeypatch.setattr(stretches, "RECORDS", 20)
    cut = written(options, tmp_path / "cut")
    assert plain(cut) == plain(whole)
    assert caplog.messages == said
    assert len(cut["r.vcf.gz"]) > len(whole["r.vcf.gz"])  # each stretch ends a block


def test_processes_change_no_byte(
    options: EvalOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "RECORDS", 20)
    one = written(options, tmp_path / "one")
    assert written(replace(options, threads=2), tmp_path / "two") == one


def test_what_reaches_over_a_cut_is_compared_with_what_follows(
    make_files: Callable[..., Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base is deleted at one end of a run of 6 kb in the truth, at the other in the query."""
    sequence = random_sequence(500, 1) + "C" + "A" * 6000 + "G" + random_sequence(500, 2)
    truth, query = ["a 501 CA C 1/1"], ["a 6500 AA A 1/1"]
    monkeypatch.setattr(stretches, "RECORDS", 1)
    files = make_files(truth, query, {"a": sequence})
    counts = tmp_path / "counts.json"
    run_eval(
        EvalOptions(files.truth, (files.query,), files.reference, counts=counts, engine="builtin")
    )
    found = json.loads(counts.read_text())
    assert (found["tp_baseline"], found["tp_call"], found["fp"]) == (1, 1, 0)


def test_a_long_record_is_not_cut() -> None:
    starts = np.array([0, 100, 9000, 20_000])
    ends = np.array([1, 10_000, 9001, 20_001])
    assert cuts(starts, ends, 1) == [15_000]
    assert cuts(starts, ends, 4) == []


@pytest.mark.parametrize("is_packed", [False, True])
def test_records_are_read_from_where_they_stand(
    is_packed: bool, make_files: Callable[..., Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = random_sequence(30_000, 1)
    records = [
        f"{contig} {pos} {sequence[pos - 1]} {'C' if sequence[pos - 1] != 'C' else 'G'} 0/1"
        for contig in "ab"
        for pos in range(1, 30_000, 10)
    ]
    files = make_files(records, records, {"a": sequence, "b": sequence})
    path = files.truth
    if is_packed:
        path = Path(f"{path}.gz")
        pysam.tabix_compress(str(files.truth), str(path))
        pysam.tabix_index(str(path), preset="vcf")
    file = scan_vcf(path, "truth")
    assert len(file.contigs["b"].marks) > 1
    for contig in "ab":
        for first, stop in ((0, 3), (2990, 3000), (700, 701), (1234, 1300)):
            found = file.records(contig, first, stop)
            assert [r.start for r in found] == [10 * i for i in range(first, stop)]
            assert {r.fields[0] for r in found} == {contig}
