"""Score and time the callers on reads that ART simulated of HG001's chromosome 20.

Usage: python -m benchmarks.simulated [--region 20:50000001-52000000] [--depths 15 30 50] [-m MODEL]

The reads are of nobody's making here: ART's own HiSeq X profile, HG001's haplotypes (GIAB v3.3.2),
bwa-mem on the whole chromosome. 20:50-55M never enters training. Such reads are far cleaner than
real ones; the set is large enough to tell callers apart where the real slices are not.
Prints a markdown table and appends it to RESULTS.md.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from benchmarks.accuracy import Row, score_slice, table
from benchmarks.callers import PEERS, VARCALL
from benchmarks.results import append
from benchmarks.slices import DATA, Slice, StagedSlice

REFERENCE = DATA / "reference" / "hs37_chr20.fa.gz"
TRUTH = DATA / "truth" / "HG001_v3.3.2_b37_chr20.vcf.gz"
# ART: HiSeq X TruSeq, 2x150, fragments of 400 +- 60 bases.
# The haplotypes end at the region's borders, and depth with them.
BORDER = 1000
ART = "art_illumina -ss HSXt -l 150 -m 400 -s 60 -na -q"


def _shell(line: str, directory: Path) -> None:
    subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=directory,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def prepare(region: str, directory: Path) -> None:
    """Write the indexed reference, the truth and the two haplotypes of the region."""
    _shell(f"samtools faidx '{REFERENCE}' 20 > ref.fa; samtools faidx ref.fa", directory)
    _shell("bwa index ref.fa", directory)
    _shell(
        f"bcftools view -r {region} -Oz -o truth.vcf.gz '{TRUTH}'; bcftools index -t truth.vcf.gz",
        directory,
    )
    for haplotype in (1, 2):
        _shell(
            f"samtools faidx ref.fa {region} | bcftools consensus -H {haplotype} truth.vcf.gz "
            f"> haplotype{haplotype}.fa",
            directory,
        )


def simulate(region: str, depth: int, directory: Path) -> StagedSlice:
    """Simulate the reads of one depth, map them, and stage them with their truth."""
    for haplotype in (1, 2):
        _shell(
            f"{ART} -f {depth / 2} -rs {100 * depth + haplotype} -d h{haplotype}_ "
            f"-i haplotype{haplotype}.fa -p -o h{haplotype}_",
            directory,
        )
    reads = directory / f"{depth}x.bam"
    _shell(
        r"bwa mem -t 2 -R '@RG\tID:art\tSM:HG001\tPL:ILLUMINA' ref.fa "
        "<(cat h1_1.fq h2_1.fq) <(cat h1_2.fq h2_2.fq) "
        f"| samtools sort -o {reads.name} - ; samtools index {reads.name}; rm -f h?_?.fq",
        directory,
    )
    return staged(region, depth, directory)


def staged(region: str, depth: int, directory: Path) -> StagedSlice:
    """Stage the reads of one depth that `simulate` left in a folder."""
    reads = directory / f"{depth}x.bam"
    item = Slice(f"ART {depth}x", reads.name, REFERENCE.name, region, TRUTH.name, None)
    start, end = item.span
    confident = ((start + BORDER, end - BORDER),)
    bed = directory / "confident.bed"
    bed.write_text(f"{item.contig}\t{confident[0][0]}\t{confident[0][1]}\n")
    return StagedSlice(
        item, reads, directory / "ref.fa", directory / "truth.vcf.gz", confident, bed
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--region", default="20:50000001-52000000", help="inside 20:50-55M")
    parser.add_argument("--depths", type=int, nargs="+", default=[15, 30, 50])
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    parser.add_argument("--differences", type=Path, help="write every discrepancy to this TSV")
    parser.add_argument("--no-append", action="store_true", help="print only")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="varcall-simulated-") as temporary:
        directory = Path(temporary)
        prepare(arguments.region, directory)
        for depth in arguments.depths:
            item = simulate(arguments.region, depth, directory)
            callers = [VARCALL, *(caller for caller in PEERS if caller.available())]
            rows += score_slice(item, callers, directory, arguments.model)
    text = table(rows)
    print(f"\n{text}")
    if arguments.differences:
        arguments.differences.write_text(
            "".join(f"{r.slice_name}\t{r.caller}\t{line}\n" for r in rows for line in r.differences)
        )
    if not arguments.no_append:
        append(f"Accuracy on simulated reads (ART), {arguments.region}", text)


if __name__ == "__main__":
    main()
