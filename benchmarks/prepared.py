"""The simulated stretch of `benchmarks.simulated`, kept in a folder from one run to the next."""

import subprocess
from pathlib import Path

from benchmarks.simulated import BORDER, prepare, simulate, staged
from benchmarks.slices import StagedSlice

ALWAYS = ("ref.fa", "ref.fa.fai", "truth.vcf.gz", "truth.vcf.gz.tbi")
TO_SIMULATE = ("ref.fa.bwt", "ref.fa.sa", "haplotype1.fa", "haplotype2.fa")


def prepared(region: str, depth: int, directory: Path) -> StagedSlice:
    """Stage the reads of one depth, made now only where `directory` lacks them.

    Raises
    ------
    SystemExit
        Where the reads that lie there are of another region.
    """
    directory.mkdir(parents=True, exist_ok=True)
    reads = directory / f"{depth}x.bam"
    is_mapped = reads.exists() and reads.with_suffix(".bam.bai").exists()
    needed = ALWAYS if is_mapped else (*ALWAYS, *TO_SIMULATE)
    if not all((directory / name).exists() for name in needed):
        prepare(region, directory)
    if not is_mapped:
        return simulate(region, depth, directory)
    item = staged(region, depth, directory)
    start, end = item.slice.span
    for at in (start, end - BORDER):
        if not _count(reads, f"{item.slice.contig}:{at + 1}-{at + BORDER}"):
            raise SystemExit(f"{reads} has no reads at both ends of {region}: name another --work")
    return item


def _count(reads: Path, region: str) -> int:
    command = ["samtools", "view", "-c", str(reads), region]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
