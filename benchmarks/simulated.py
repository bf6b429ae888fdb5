"""Score and time the callers on reads that ART simulated of HG001's chromosome 20.

Usage: python -m benchmarks.simulated [--region 20:50000001-55000000] [--depths 15 30 50] [-m MODEL]
           [--work DIR] [--differences FILE] [--history DIR] [--no-record]

The reads are made by another program: ART's own HiSeq X profile, HG001's haplotypes (GIAB v3.3.2),
bwa-mem on the whole chromosome. 20:50-55M never enters training. Such reads are far cleaner than
real ones; the set is large enough to tell callers apart where the real slices are not.
`benchmarks.results` says where the table is written.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from benchmarks.accuracy import Row, score_slice, slice_table, write_differences
from benchmarks.inputs.slices import DATA, Slice, StagedSlice
from benchmarks.results import add_options, report
from benchmarks.runs.callers import PEERS, VARCALL
from benchmarks.runs.shell import shell

REFERENCE = DATA / "reference" / "hs37_chr20.fa.gz"
TRUTH = DATA / "truth" / "HG001_v3.3.2_b37_chr20.vcf.gz"
# ART: HiSeq X TruSeq, 2x150, fragments of 400 +- 60 bases.
BORDER = 1000
REGION = "20:50000001-55000000"
ART = "art_illumina -ss HSXt -l 150 -m 400 -s 60 -na -q"
# Files of a prepared folder that calling needs, and that simulating more reads needs besides.
ALWAYS = ("ref.fa", "ref.fa.fai", "truth.vcf.gz", "truth.vcf.gz.tbi")
TO_SIMULATE = ("ref.fa.bwt", "ref.fa.sa", "haplotype1.fa", "haplotype2.fa")


def prepare(region: str, directory: Path) -> None:
    """Write the indexed reference, the truth and the two haplotypes of the region."""
    shell(f"samtools faidx '{REFERENCE}' 20 > ref.fa; samtools faidx ref.fa", directory)
    shell("bwa index ref.fa", directory)
    shell(
        f"bcftools view -r {region} -Oz -o truth.vcf.gz '{TRUTH}'; bcftools index -t truth.vcf.gz",
        directory,
    )
    for haplotype in (1, 2):
        shell(
            f"samtools faidx ref.fa {region} | bcftools consensus -H {haplotype} truth.vcf.gz "
            f"> haplotype{haplotype}.fa",
            directory,
        )


def simulate(region: str, depth: int, directory: Path) -> StagedSlice:
    """Simulate the reads of one depth, map them, and stage them with their truth."""
    for haplotype in (1, 2):
        shell(
            f"{ART} -f {depth / 2} -rs {100 * depth + haplotype} -d h{haplotype}_ "
            f"-i haplotype{haplotype}.fa -p -o h{haplotype}_",
            directory,
        )
    reads = directory / f"{depth}x.bam"
    shell(
        r"bwa mem -t 2 -R '@RG\tID:art\tSM:HG001\tPL:ILLUMINA' ref.fa "
        "<(cat h1_1.fq h2_1.fq) <(cat h1_2.fq h2_2.fq) "
        f"| samtools sort -o {reads.name} - ; samtools index {reads.name}; rm -f h?_?.fq",
        directory,
    )
    return staged(region, depth, directory)


def staged(region: str, depth: int, directory: Path) -> StagedSlice:
    """Stage the reads of one depth that `simulate` left in a folder."""
    reads = directory / f"{depth}x.bam"
    reference, truth = directory / "ref.fa", directory / "truth.vcf.gz"
    item = Slice(f"ART {depth}x", reads.name, reference.name, region, truth.name, None)
    return inside_borders(item, reads, reference, truth, BORDER)


def inside_borders(
    item: Slice, reads: Path, reference: Path, truth: Path, border: int
) -> StagedSlice:
    """Stage reads of haplotypes that end, and depth with them, at the borders of the region.

    They are scored from `border` bases inside on; the BED that says so is written beside them.
    """
    start, end = item.span
    confident = ((start + border, end - border),)
    bed = reads.with_suffix(".bed")
    bed.write_text(f"{item.contig}\t{confident[0][0]}\t{confident[0][1]}\n")
    return StagedSlice(item, reads, reference, truth, confident, bed)


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--region", default=REGION, help="inside 20:50-55M")
    parser.add_argument("--depths", type=int, nargs="+", default=[15, 30, 50])
    parser.add_argument("--work", type=Path, help="folder of the simulated files, kept")
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    parser.add_argument("--differences", type=Path, help="write every discrepancy to this TSV")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="varcall-simulated-") as temporary:
        directory = Path(temporary)
        for depth in arguments.depths:
            item = prepared(arguments.region, depth, arguments.work or directory)
            callers = [VARCALL, *(caller for caller in PEERS if caller.available())]
            rows += score_slice(item, callers, directory, arguments.model)
    if arguments.differences:
        write_differences(arguments.differences, rows)
    title = f"Accuracy on simulated reads (ART), {arguments.region}"
    report(arguments, "simulated", title, [slice_table(rows)])


if __name__ == "__main__":
    main()
