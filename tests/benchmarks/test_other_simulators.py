"""Reads of other programs' simulators: of both haplotypes, each fragment apart."""

from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from benchmarks.accuracy import Row
from benchmarks.other_simulators import (
    BORDER,
    KINDS,
    REGION,
    SIZE,
    is_installed,
    kinds_table,
    staged,
)
from benchmarks.runs.shell import shell
from benchmarks.scores.exact_match import Counts, Score
from benchmarks.simulated_libraries import FIRST, LAST, START
from tests.benchmarks.one_variant import CONTIG, write_one_variant

LENGTH, AT = 30_000, 15_000


def test_the_region_lies_in_the_part_that_no_training_sees() -> None:
    assert REGION.startswith(f"{CONTIG}:")
    assert FIRST + START + SIZE <= LAST


def test_a_program_that_is_not_there_is_left_out() -> None:
    assert not is_installed(replace(KINDS[0], program="no-such-simulator"))


@pytest.mark.tools("dwgsim", "bwa", "samtools", "bcftools")
def test_half_of_the_fragments_show_a_het(tmp_path: Path) -> None:
    reference, truth = write_one_variant(tmp_path, LENGTH, AT)
    shell(f"bwa index {reference}", tmp_path)
    pairs = KINDS[0].command.replace("-N 50000", "-N 1500")
    assert pairs != KINDS[0].command
    kind = replace(KINDS[0], command=pairs)
    region = f"{CONTIG}:1-{LENGTH}"
    item = staged(kind, reference, truth, tmp_path, region)
    assert item.confident == ((BORDER, LENGTH - BORDER),)
    with pysam.AlignmentFile(str(item.reads)) as bam:
        names = {read.query_name for read in bam}
        counts = [bases[0] for bases in bam.count_coverage(CONTIG, AT, AT + 1)]
    assert len(names) == 2 * 1500
    assert {str(name)[:3] for name in names} == {"h1_", "h2_"}
    ref, alt = sorted(counts)[-2:]
    assert 0.3 < ref / (ref + alt) < 0.7
    # What lies in the folder is not made again.
    before = item.reads.stat().st_mtime_ns
    assert staged(kind, reference, truth, tmp_path, region) == item
    assert item.reads.stat().st_mtime_ns == before


def test_the_table_has_a_line_for_each_caller() -> None:
    row = Row("kind", "varcall", Score(), (Counts(9, 1, 0), Counts(3, 0, 2)), False, ())
    assert kinds_table([row]).rows == [["kind", "varcall", "9/1/0", "3/0/2"]]
