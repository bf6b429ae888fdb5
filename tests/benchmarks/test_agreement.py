"""In what call sets differ; and that the microbenchmarks can be imported."""

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.accuracy import Row
from benchmarks.runs.callers import Job
from benchmarks.scores.agreement import (
    REFERENCE_VARIANT,
    VARIANTS,
    Agreement,
    Call,
    agreement_tables,
    compare_calls,
    read_calls,
    verdict,
)
from benchmarks.scores.exact_match import Counts, Score

HET = Call("PASS", "0/1", (30, 0, 40))


def key(position: int) -> tuple[str, str, str, str]:
    return "20", str(position), "A", "C"


def test_differences_are_counted_by_kind() -> None:
    first = {key(9): HET, key(10): HET, key(11): HET, key(12): HET}
    second = {
        key(9): Call("LowQual", "0/1", (31, 0, 39)),
        key(10): Call("PASS", "1/1", (40, 3, 0)),
        key(11): HET,
        key(100): HET,
    }
    found = compare_calls(first, second)
    assert found == Agreement(3, 1, 1, 1, 1, 1, 40, found.differences)
    assert found.differences == (
        "20:10 A>C: 0/1 became 1/1",
        "20:12 A>C: 0/1 became absent",
        "20:100 A>C: absent became 0/1",
    )
    counted, different = agreement_tables({("slice", "way"): found}, "They differ.")
    assert counted.rows == [["slice", "way", "3", "1", "1", "1", "1", "1", "40"]]
    assert counted.notes == ["They differ."]
    assert ["slice", "way", "20:12 A>C: 0/1 became absent"] in different.rows


def test_equal_calls_agree() -> None:
    assert compare_calls({key(9): HET}, {key(9): HET}) == Agreement(1, 0, 0, 0, 0, 0, 0)


def test_verdict_names_the_slices_whose_counts_differ() -> None:
    none = Counts(), Counts()
    same = [Row("a", way.name, Score(Counts(1, 0, 0)), none, True, ()) for way in VARIANTS]
    other = [Row("b", "x", Score(), none, True, ()), Row("b", "y", same[0].score, none, True, ())]
    assert verdict(same) == "TP/FP/FN are the same on every slice (1)."
    assert verdict([*same, *other]) == "TP/FP/FN differ on b."


def test_variants_are_ways_of_running_varcall() -> None:
    job = Job(Path("reads.bam"), Path("ref.fa"), "20:1-9", Path("calls.vcf.gz"))
    command = REFERENCE_VARIANT.command(job)
    assert "varcall call reads.bam" in command
    assert command.endswith("--no-triage --engine torch --precision fp32")


def test_calls_are_read_with_their_likelihoods(tmp_path: Path) -> None:
    vcf = tmp_path / "calls.vcf"
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=20,length=200>\n"
        '##FILTER=<ID=LowQual,Description="x">\n'
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
        '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="x">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
        "20\t9\t.\tA\tC\t50\tPASS\t.\tGT:PL\t0/1:30,0,40\n"
        "20\t10\t.\tA\tC\t0\tLowQual\t.\tGT:PL\t./.:.\n"
    )
    assert read_calls(vcf) == {key(9): HET, key(10): Call("LowQual", "./.", ())}


@pytest.mark.parametrize("name", ["reads", "candidates", "pileup", "engine"])
def test_microbenchmarks_can_be_imported(name: str) -> None:
    module = import_module(f"benchmarks.micro.benchmark_{name}")
    assert any(attribute.startswith("benchmark_") for attribute in vars(module))
