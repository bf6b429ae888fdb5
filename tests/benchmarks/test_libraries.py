"""Illumina pairs made into other libraries."""

from pathlib import Path

from benchmarks.callers import PEERS, Job
from benchmarks.libraries import LIBRARIES, as_single_end, as_unmarked_pair, callers_for

FORWARD = ["q", "99", "c1", "101", "60", "100M", "=", "301", "300", "ACGT", "FFFF", "RG:Z:a"]
REVERSE = ["q", "147", "c1", "301", "60", "100M", "=", "101", "-300", "ACGT", "FFFF"]


def test_single_ends_keep_the_strand_and_lose_all_of_the_pair() -> None:
    one, two = as_single_end(FORWARD), as_single_end(REVERSE)
    assert one == ["q/1", "0", "c1", "101", "60", "100M", "*", "0", "0", "ACGT", "FFFF", "RG:Z:a"]
    assert two == ["q/2", "16", "c1", "301", "60", "100M", "*", "0", "0", "ACGT", "FFFF"]


def test_unmarked_pairs_lose_one_flag() -> None:
    assert as_unmarked_pair(FORWARD) == ["q", "97", *FORWARD[2:]]
    assert as_unmarked_pair(as_unmarked_pair(REVERSE)) == ["q", "145", *REVERSE[2:]]


def test_bcftools_is_told_what_the_reads_are() -> None:
    (bcftools,) = (peer for peer in PEERS if peer.name == "bcftools")
    job = Job(Path("r.bam"), Path("r.fa"), "c1:1-9", Path("o.vcf.gz"))
    for library in LIBRARIES:
        commands = [c.command(job) for c in callers_for(library) if c.name.startswith("bcftools")]
        for command in commands:
            wanted = f"mpileup {library.bcftools} " if library.bcftools else "mpileup "
            assert command == bcftools.command(job).replace("mpileup ", wanted)
