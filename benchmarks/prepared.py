"""The simulated stretch of `benchmarks.simulated`, kept in a folder from one run to the next."""

import subprocess
from pathlib import Path

from benchmarks.simulated import REFERENCE, TRUTH, prepare, simulate
from benchmarks.slices import Slice, StagedSlice

ALWAYS = ("ref.fa", "ref.fa.fai", "truth.vcf.gz", "truth.vcf.gz.tbi")
TO_SIMULATE = ("ref.fa.bwt", "ref.fa.sa", "haplotype1.fa", "haplotype2.fa")
# As in `benchmarks.simulated`: depth ends with the haplotypes, at the region's borders.
BORDER = 1000


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
    item = Slice(f"ART {depth}x", reads.name, REFERENCE.name, region, TRUTH.name, None)
    start, end = item.span
    for at in (start, end - BORDER):
        if not _count(reads, f"{item.contig}:{at + 1}-{at + BORDER}"):
            raise SystemExit(f"{reads} has no reads at both ends of {region}: name another --work")
    confident = ((start + BORDER, end - BORDER),)
    bed = directory / "confident.bed"
    bed.write_text(f"{item.contig}\t{confident[0][0]}\t{confident[0][1]}\n")
    reference, truth = directory / "ref.fa", directory / "truth.vcf.gz"
    return StagedSlice(item, reads, reference, truth, confident, bed)


def _count(reads: Path, region: str) -> int:
    command = ["samtools", "view", "-c", str(reads), region]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
