"""Indels by size and context, on a reference whose repeats are known."""

from pathlib import Path

import pytest

from benchmarks.indel_strata import (
    ALL,
    LONG_RUN,
    LONGER,
    NEITHER,
    RUN,
    STR,
    Repeats,
    count_strata,
    rows,
    size_name,
    strata_of,
    strata_table,
)
from benchmarks.runs.callers import VARCALL
from tests.builders import random_sequence, write_reference
from varcall.scoring.comparator import TypeCounts
from varcall.scoring.evaluation import evaluate
from varcall.scoring.vcf_records import Record

PLAIN = "GATCCGTACTGACATGCAGTCATCGGATCATGC"
# A at 34-46 (twelve and a shared one), T at 79-87, AC at 121-133; PLAIN between them.
SEQUENCE = PLAIN + "A" * 13 + PLAIN + "T" * 8 + PLAIN + "AC" * 6 + PLAIN
LONG_AT = len(PLAIN)
RUN_AT = LONG_AT + 13 + len(PLAIN)
STR_AT = RUN_AT + 8 + len(PLAIN)
PLAIN_AT = STR_AT + 12 + 15


def record(start: int, ref: str, alts: tuple[str, ...], genotype: tuple[int, ...]) -> Record:
    return Record(start, ref, alts, genotype, ())


@pytest.fixture
def repeats(tmp_path: Path) -> Repeats:
    reference = write_reference(tmp_path / "ref.fa", {"c": SEQUENCE})
    return Repeats.of(reference, "c", (0, len(SEQUENCE)))


def test_sizes_meet_at_their_borders() -> None:
    assert [size_name(n) for n in (1, 5, 6, 15, 16, 50)] == [
        "1-5 bp", "1-5 bp", "6-15 bp", "6-15 bp", "16-50 bp", "16-50 bp"
    ]  # fmt: skip
    assert size_name(51) == LONGER


@pytest.mark.parametrize(
    ("at", "context"),
    [(LONG_AT, LONG_RUN), (RUN_AT, RUN), (STR_AT, STR), (PLAIN_AT, NEITHER)],
)
def test_context_is_where_the_bases_change(repeats: Repeats, at: int, context: str) -> None:
    anchor = SEQUENCE[at - 1]
    inserted = record(at - 1, anchor, (anchor + SEQUENCE[at],), (0, 1))
    assert strata_of(inserted, repeats) == (ALL, "1-5 bp", context)
    # freebayes spells the run whole.
    run = SEQUENCE[at - 1 : at + 7]
    assert strata_of(record(at - 1, run, (anchor + run[2:],), (1, 1)), repeats)[2] == context


def test_slop_of_five_bases_belongs_to_the_repeat(repeats: Repeats) -> None:
    assert repeats.context(RUN_AT - 5, RUN_AT - 4) == RUN
    assert repeats.context(RUN_AT - 6, RUN_AT - 5) == NEITHER


def test_repeats_are_found_in_a_part_of_the_contig(tmp_path: Path) -> None:
    shifted = random_sequence(3000, seed=2) + SEQUENCE
    reference = write_reference(tmp_path / "ref.fa", {"c": shifted})
    part = Repeats.of(reference, "c", (3000, 3000 + len(SEQUENCE)))
    assert part.context(3000 + LONG_AT, 3000 + LONG_AT + 1) == LONG_RUN


def test_size_is_of_the_called_alleles(repeats: Repeats) -> None:
    alts = ("G" * 8, "GG", "*")
    assert strata_of(record(PLAIN_AT, "G", alts, (0, 2)), repeats)[1] == "1-5 bp"
    assert strata_of(record(PLAIN_AT, "G", alts, (1, 2)), repeats)[1] == "6-15 bp"
    assert strata_of(record(PLAIN_AT, "G", alts, (0, 3)), repeats) == ()
    assert strata_of(record(PLAIN_AT, "GA", ("TC",), (0, 1)), repeats) == ()


def test_records_are_counted_by_haplotype(tmp_path: Path, repeats: Repeats) -> None:
    header = (
        f"##fileformat=VCFv4.2\n##contig=<ID=c,length={len(SEQUENCE)}>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
    )
    line = "c\t{}\t.\t{}\t{}\t50\tPASS\t.\tGT\t{}\n"
    truth, query = tmp_path / "truth.vcf", tmp_path / "query.vcf"
    before = SEQUENCE[LONG_AT - 1]
    snp = line.format(5, "C", "T", "0/1")
    missed = line.format(PLAIN_AT + 1, SEQUENCE[PLAIN_AT], SEQUENCE[PLAIN_AT] + "ACGTACG", "0/1")
    truth.write_text(header + snp + line.format(LONG_AT, before + "A", before, "0/1") + missed)
    # The deletion at the other end of its run, and a false insertion.
    query.write_text(
        header
        + snp
        + line.format(LONG_AT + 12, "AA", "A", "0/1")
        + line.format(RUN_AT, SEQUENCE[RUN_AT - 1], SEQUENCE[RUN_AT - 1] + "T", "0/1")
    )
    counts = count_strata(evaluate(truth, query, tmp_path / "ref.fa"), repeats)
    assert counts == {
        ALL: TypeCounts(1, 1, 1, 1),
        "1-5 bp": TypeCounts(1, 0, 1, 1),
        "6-15 bp": TypeCounts(0, 1, 0, 0),
        LONG_RUN: TypeCounts(1, 0, 1, 0),
        RUN: TypeCounts(0, 0, 0, 1),
        NEITHER: TypeCounts(0, 1, 0, 0),
    }


def test_strata_without_records_are_left_out() -> None:
    lines = rows("set", {"varcall": {ALL: TypeCounts(3, 1, 2, 2), RUN: TypeCounts(0, 1, 0, 0)}})
    assert lines == [
        ["set", ALL, "0.7500", "0.5000", "3/2/1"],
        ["set", RUN, "0.0000", "-", "0/0/1"],
    ]
    assert (
        strata_table([VARCALL], lines)
        .markdown()
        .startswith("| reads | indels | varcall recall | precision | TP/FP/FN |\n")
    )
