"""Counting by exact match, on records small enough to count by hand."""

import math
from pathlib import Path

import pytest

from benchmarks.accuracy import POOLED, Row, pool, pooled_table, slice_table
from benchmarks.inputs.slices import SLICES
from benchmarks.runs.callers import measure
from benchmarks.scores.exact_match import Counts, Score, atomic_copies, compare

SNP = (10, "A", "G")
OTHER_SNP = (20, "C", "T")
INDEL = (30, "CA", "C")


def test_wrong_genotype_is_both_errors_unless_blind() -> None:
    score = compare({SNP: 1, INDEL: 2}, {SNP: 2, INDEL: 2, OTHER_SNP: 1})
    assert score.snp == Counts(0, 2, 1)
    assert score.snp_blind == Counts(1, 1, 0)
    assert score.indel == score.indel_blind == Counts(1, 0, 0)


def test_f1() -> None:
    assert Counts(8, 1, 1).f1 == pytest.approx(16 / 18)
    assert math.isnan(Counts().f1)


def test_only_held_out_slices_are_pooled() -> None:
    score = Score(Counts(1, 2, 3))
    by_haplotype = (Counts(3, 0, 0), Counts(1, 1, 1))
    rows = [
        Row(name, "x", score, by_haplotype, held_out, ())
        for name, held_out in (("a", True), ("b", True), ("c", False))
    ]
    (pooled,) = pool(rows)
    assert (pooled.slice_name, pooled.score.snp) == (POOLED, Counts(2, 4, 6))
    assert pooled.by_haplotype == (Counts(6, 0, 0), Counts(2, 2, 2))
    assert "| 2/4/6 | 0.2857 |" in slice_table([pooled]).markdown()
    assert pooled_table([pooled]).rows == [["x", "4", "6", "0.2857", "0", "0", "nan"]]


def test_slices_are_named_once_and_five_are_held_out() -> None:
    assert len({item.name for item in SLICES}) == len(SLICES)
    assert sum(item.held_out for item in SLICES) == 5
    assert SLICES[0].contig == "20"
    assert SLICES[0].span == (9_999_999, 10_100_000)


@pytest.mark.tools("bcftools")
def test_spellings_of_one_variant_meet(tmp_path: Path) -> None:
    reference = tmp_path / "ref.fa"
    sequence = "ACGTCAAAAAGTCCATGACT"
    reference.write_text(f">c\n{sequence}\n")
    header = (
        "##fileformat=VCFv4.2\n##contig=<ID=c,length=20>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
    )
    normal, other = tmp_path / "normal.vcf", tmp_path / "other.vcf"
    row = "c\t{}\t.\t{}\t{}\t50\tPASS\t.\tGT\t{}\n"
    normal.write_text(
        header
        + row.format(5, "CA", "C", "0/1")
        + row.format(13, "C", "A,G", "1/2")
        + row.format(16, "T", "C", "1/1")
        + row.format(17, "G", "A", "1/1")
    )
    # The deletion at the other end of its run, the MNV in one record.
    other.write_text(
        header
        + row.format(9, "AA", "A", "0/1")
        + row.format(13, "C", "A,G", "1/2")
        + row.format(16, "TG", "CA", "1/1")
    )
    everywhere = ((0, 20),)
    expected = {
        (5, "CA", "C"): 1,
        (13, "C", "A"): 1,
        (13, "C", "G"): 1,
        (16, "T", "C"): 2,
        (17, "G", "A"): 2,
    }
    assert atomic_copies(normal, reference, everywhere) == expected
    assert atomic_copies(other, reference, everywhere) == expected
    assert atomic_copies(other, reference, ((4, 7), (15, 17))) == {
        (5, "CA", "C"): 1,
        (16, "T", "C"): 2,
        (17, "G", "A"): 2,
    }
    assert atomic_copies(other, reference, everywhere, "QUAL>=60") == {}


def test_measure_counts_children_and_reports_failures(tmp_path: Path) -> None:
    usage = measure("python3 -c 'sum(range(3_000_000))' | cat", tmp_path / "log")
    assert usage.cpu > 0.01
    assert usage.peak_mb > 1
    with pytest.raises(RuntimeError, match="no room"):
        measure("{ echo no room >&2; false; } | cat", tmp_path / "log")
