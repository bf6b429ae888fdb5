"""Illumina pairs made into other libraries."""

from pathlib import Path

import pytest

from benchmarks.accuracy import Row, total
from benchmarks.inputs.slices import stage
from benchmarks.libraries import (
    FATHER,
    LONG,
    SHORT,
    all_merged,
    as_single_end,
    as_unmarked_pair,
    beyond_table,
    callers_for,
    library_table,
    twice_there,
)
from benchmarks.runs.callers import PEERS, Job
from benchmarks.scores.exact_match import Counts, Score, atomic_copies

FORWARD = ["q", "99", "c1", "101", "60", "100M", "=", "301", "300", "ACGT", "FFFF", "RG:Z:a"]
REVERSE = ["q", "147", "c1", "301", "60", "100M", "=", "101", "-300", "ACGT", "FFFF"]


def test_single_ends_keep_the_strand_and_lose_all_of_the_pair() -> None:
    one, two = as_single_end(FORWARD), as_single_end(REVERSE)
    assert one == ["q/1", "0", "c1", "101", "60", "100M", "*", "0", "0", "ACGT", "FFFF", "RG:Z:a"]
    assert two == ["q/2", "16", "c1", "301", "60", "100M", "*", "0", "0", "ACGT", "FFFF"]


def test_unmarked_pairs_lose_one_flag() -> None:
    assert as_unmarked_pair(FORWARD) == ["q", "97", *FORWARD[2:]]
    assert as_unmarked_pair(as_unmarked_pair(REVERSE)) == ["q", "145", *REVERSE[2:]]


def test_mates_that_do_not_overlap_stay_single_ends() -> None:
    assert all_merged([FORWARD, REVERSE]) == [as_single_end(FORWARD), as_single_end(REVERSE)]
    bases = "ACGTTGCAAGTCCATGACCT"
    one = ["p", "99", "c1", "101", "60", "20M", "=", "105", "24", bases, "F" * 20]
    two = ["p", "147", "c1", "105", "60", "20M", "=", "101", "-24", bases[4:] + "GGAT", "F" * 20]
    (merged,) = all_merged([one, two])
    assert merged[:6] == ["p", "0", "c1", "101", "60", "24M"]


def test_bcftools_is_told_what_the_reads_are() -> None:
    (bcftools,) = (peer for peer in PEERS if peer.name == "bcftools")
    job = Job(Path("r.bam"), Path("r.fa"), "c1:1-9", Path("o.vcf.gz"))
    for library in (*LONG, *SHORT):
        callers = callers_for(library.bcftools)
        for command in (c.command(job) for c in callers if c.name.startswith("bcftools")):
            wanted = f"mpileup {library.bcftools} " if library.bcftools else "mpileup "
            assert command == bcftools.command(job).replace("mpileup ", wanted)


def row(name: str, counts: Counts) -> Row:
    return Row(name, "varcall", Score(), (counts, Counts()), False, (), 2.0)


def test_slices_of_a_library_are_scored_together() -> None:
    (both,) = total("80x", [row("a", Counts(5, 1, 0)), row("b", Counts(4, 0, 2))])
    assert (both.by_haplotype[0], both.cpu) == (Counts(9, 1, 2), 4.0)
    assert library_table([both]).rows == [["80x", "varcall", "9/1/2", "0/0/0"]]


def test_calls_beyond_an_incomplete_truth_are_told_apart_from_recall() -> None:
    (cells,) = beyond_table([row("mate pairs", Counts(9, 4, 1))]).rows
    assert cells == ["varcall", "4", "0", "0.9000", "-", "9/4/1", "0/0/0"]


def test_father_must_carry_snvs_of_two_copies() -> None:
    truth = {(5, "A", "C"): 2, (7, "A", "C"): 1, (9, "AT", "A"): 2}
    assert twice_there(truth) == [(5, "A", "C")]


@pytest.mark.shared_data
@pytest.mark.tools("samtools", "bcftools")
def test_father_has_92_of_them(tmp_path: Path) -> None:
    found = stage(FATHER.slices[0], tmp_path)
    copies = atomic_copies(found.truth, found.reference, found.confident)
    assert len(twice_there(copies)) == 92
