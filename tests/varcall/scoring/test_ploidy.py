"""Genotypes that are not diploid: scored as their user means them, or said to be left out."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.varcall.scoring.conftest import SEQUENCES, Files, rows_of, snv
from varcall.cli import run as run_varcall
from varcall.scoring.evaluation import read_inputs
from varcall.scoring.happy.comparison import HappyOptions, run_happy
from varcall.scoring.vcf_records import CallSet
from varcall.scoring.vcfeval.superloci import Row

Summary = dict[str, dict[str, str]]
PLACES = (100, 200, 300, 400)


def calls(genotype: str, contig: str = "c1") -> list[str]:
    """Substitutions and a deletion, all with one genotype."""
    deleted = SEQUENCES[contig][499:503]
    deletion = f"{contig} 500 {deleted} {deleted[0]} {genotype}"
    return [*(snv(pos, genotype, contig=contig) for pos in PLACES), deletion]


def numbers(row: dict[str, str]) -> list[int]:
    """Truth found and missed, false calls, those of them with a wrong genotype."""
    return [int(row[name]) for name in ("TRUTH.TP", "TRUTH.FN", "QUERY.FP", "FP.gt")]


@pytest.fixture
def evaluated(make_files: Callable[..., Files], tmp_path: Path) -> Callable[..., Summary]:
    """Run the command on two call sets; the rows of the summary by type, all filters."""

    def run(truth: list[str], query: list[str], *more: str) -> Summary:
        files = make_files(truth, query)
        arguments = ["eval", "-b", str(files.truth), "-c", str(files.query), "--ref"]
        arguments += [str(files.reference), "-o", str(tmp_path / "report"), "--no-plots"]
        arguments += ["--counts", str(tmp_path / "counts.json"), "--engine", "builtin"]
        assert run_varcall([*arguments, *more]) == 0
        rows = rows_of(tmp_path / "report.summary.csv")
        return {row["Type"]: row for row in rows if row["Filter"] == "ALL"}

    return run


@pytest.mark.parametrize(("truth", "query"), [("1", "1"), ("1/1", "1"), ("1", "1/1"), ("1|1", "1")])
def test_haploid_genotypes_are_homozygous_and_it_is_said_once(
    truth: str, query: str, evaluated: Callable[..., Summary], capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(calls(truth), calls(query))
    assert numbers(found["SNP"]) == [4, 0, 0, 0]
    assert numbers(found["INDEL"]) == [1, 0, 0, 0]
    said = [line for line in capsys.readouterr().err.splitlines() if "haploid" in line]
    assert len(said) == 1
    assert "1 as 1/1" in said[0]
    assert f"{5 * (truth == '1')} in " in said[0]
    assert said[0].endswith("c1:100")


@pytest.mark.parametrize(("truth", "query"), [("0/1", "1"), ("1", "0/1"), ("1", "1/2")])
def test_a_heterozygous_genotype_is_no_haploid_one(
    truth: str, query: str, evaluated: Callable[..., Summary]
) -> None:
    ref = SEQUENCES["c1"][99]
    alts = ",".join(base for base in "ACGT" if base != ref)
    found = evaluated([f"c1 100 {ref} {alts} {truth}"], [f"c1 100 {ref} {alts} {query}"])
    assert numbers(found["SNP"]) == [0, 1, 1, 1]


def test_half_calls_stay_half_calls(
    evaluated: Callable[..., Summary], capsys: pytest.CaptureFixture[str]
) -> None:
    # vcfeval: an allele on one haplotype and nothing on the other matches 0/1, not 1/1
    found = evaluated(calls("0/1"), calls("./1"))
    assert numbers(found["SNP"]) == [4, 0, 0, 0]
    found = evaluated(calls("1/1"), calls("./1"))
    assert numbers(found["SNP"]) == [0, 4, 4, 4]
    assert "haploid" not in capsys.readouterr().err


def test_a_haploid_contig_beside_a_diploid_one(evaluated: Callable[..., Summary]) -> None:
    truth = [*calls("0/1"), *calls("1", "c2")]
    found = evaluated(truth, [*calls("0/1"), *calls("1/1", "c2")])
    assert numbers(found["SNP"]) == [8, 0, 0, 0]
    found = evaluated(truth, [*calls("0/1"), *calls("0/1", "c2")])
    assert numbers(found["SNP"]) == [4, 4, 4, 4]


def test_haploid_reference_and_missing_calls_are_not_spoken_of(
    evaluated: Callable[..., Summary], capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(calls("0/1"), [snv(100, "0"), snv(200, "."), *calls("0/1")[2:]])
    assert numbers(found["SNP"]) == [2, 2, 0, 0]
    assert "haploid" not in capsys.readouterr().err


def test_haploid_calls_are_scored_as_such(
    evaluated: Callable[..., Summary], capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(calls("1"), [*calls("1")[1:], snv(700, "1")], "--sample-ploidy", "1")
    assert numbers(found["SNP"]) == [3, 1, 1, 0]
    assert numbers(found["INDEL"]) == [1, 0, 0, 0]
    assert not [line for line in capsys.readouterr().err.splitlines() if "warning" in line]


def test_genotypes_of_another_ploidy_are_counted_nowhere_and_it_is_said(
    evaluated: Callable[..., Summary], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = [*calls("1"), *calls("0/1", "c2")]
    found = evaluated(truth, truth, "--sample-ploidy", "1")
    assert numbers(found["SNP"]) == [4, 0, 0, 0]
    said = capsys.readouterr().err
    assert "5 truth records could not be compared and are counted nowhere" in said
    assert "the first c2:100: the genotype has 2 alleles, not 1" in said
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert (counts["tp_baseline"], counts["fp"], counts["fn"]) == (5, 0, 0)


def test_triploid_genotypes_are_counted_nowhere_and_it_is_said(
    evaluated: Callable[..., Summary], capsys: pytest.CaptureFixture[str]
) -> None:
    triploid = [snv(100, "0/1"), snv(200, "0/1/1")]
    found = evaluated(triploid, triploid)
    assert numbers(found["SNP"]) == [1, 0, 0, 0]
    said = [line for line in capsys.readouterr().err.splitlines() if "alleles, not 2" in line]
    assert [line.split(": ")[2].split(",")[0] for line in said] == [
        f"1 {side} record could not be compared and is counted nowhere"
        for side in ("truth", "query")
    ]
    assert all("c1:200" in line for line in said)


def test_there_is_no_report_of_triploid_genotypes(
    make_files: Callable[..., Files], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = make_files(calls("0/1/1"), calls("0/1/1"))
    arguments = ["eval", "-b", str(files.truth), "-c", str(files.query), "--engine", "builtin"]
    arguments += ["--ref", str(files.reference), "--sample-ploidy", "3"]
    assert run_varcall([*arguments, "-o", str(tmp_path / "report")]) == 2
    assert "--counts" in capsys.readouterr().err
    assert not list(tmp_path.glob("report*"))
    assert run_varcall([*arguments, "--counts", str(tmp_path / "counts.json")]) == 0
    assert json.loads((tmp_path / "counts.json").read_text())["tp_baseline"] == 5


def test_every_engine_gets_the_haploid_genotypes_doubled(
    make_files: Callable[..., Files],
) -> None:
    files = make_files(calls("1"), calls("1"))
    inputs, _ = read_inputs(files.truth, files.query, files.reference)
    given: list[CallSet] = []

    def matcher(truth: CallSet, query: CallSet) -> dict[str, list[Row]]:
        given.extend([truth, query])
        return {}

    try:
        run_happy(inputs, HappyOptions(double_haploid=True), matcher=matcher)
        run_happy(inputs, HappyOptions(), matcher=matcher)
    finally:
        inputs.reference.close()
    found = [{record.genotype for record in one.contigs["c1"]} for one in given]
    # as they are meant, then as hap.py has them outside of X and Y
    assert found == [{(1, 1)}, {(1, 1)}, {(1,)}, {(0, 1)}]
