"""Score varcall, bcftools and freebayes on reads that other programs simulate, in one run.

Usage: python -m benchmarks.other_simulators [--only NAME ...] [-m MODEL] [--work DIR]
           [--differences FILE] [--history DIR] [--no-record]

Nothing of varcall's own simulator is in these reads: dwgsim, pIRS and PBSIM (Debian packages
dwgsim, pirs, pbsim) have error models of their own, and two of the four kinds are of reads that no
training has seen. HG001's variants (GIAB v3.3.2) on 1 Mb of 20:50-55M of b37, from which nothing
that is trained on is made; 15x of each haplotype. A program that is not installed is left out.
Scored by the sequences that the records spell.
"""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy import Row, score_slice, write_differences
from benchmarks.inputs.slices import Slice, StagedSlice, require_data
from benchmarks.libraries import callers_for
from benchmarks.results import report
from benchmarks.runs.costs import file_stem
from benchmarks.runs.history import Table
from benchmarks.runs.shell import shell
from benchmarks.simulated import inside_borders
from benchmarks.simulated_libraries import CONTIG, HIFI, PRESETS, START, arguments_of, prepare

SIZE = 1_000_000
REGION = f"{CONTIG}:{START + 1}-{START + SIZE}"
BORDER = 5_000
_BWA = "bwa mem -t 2"


@dataclass(frozen=True, slots=True)
class Kind:
    """Reads of one kind, and what makes them.

    Attributes
    ----------
    command
        Makes reads of `haplotype.fa`; {seed} stands for what tells its two runs apart.
    reads
        What it leaves: a file, or one of first and one of second reads, gzipped or not.
    platform
        `PL` of the read group.
    mapper
        Maps reads to the reference, both named behind it.
    bcftools
        Further options of `bcftools mpileup` for such reads.
    left_out
        Peers that are not run, for they take too long.
    """

    name: str
    program: str
    command: str
    reads: tuple[str, ...]
    platform: str = "ILLUMINA"
    mapper: str = _BWA
    bcftools: str | None = None
    left_out: tuple[str, ...] = ()


KINDS = (
    Kind(
        "dwgsim, pairs of 150",
        "dwgsim",
        "dwgsim -N 50000 -1 150 -2 150 -e 0.002-0.008 -E 0.003-0.012 -d 400 -s 60 -r 0 -R 0 -y 0 "
        "-z {seed} haplotype.fa reads",
        ("reads.bwa.read1.fastq.gz", "reads.bwa.read2.fastq.gz"),
    ),
    Kind(
        "pIRS, pairs of 100",
        "pirs",
        "pirs simulate -l 100 -x 15 -m 400 -v 40 -t 1 -S {seed} -o reads haplotype.fa",
        ("reads_100_400_1.fq", "reads_100_400_2.fq"),
    ),
    Kind(
        "dwgsim, Ion Torrent of 200",
        "dwgsim",
        "dwgsim -c 2 -f TACGTACGTCTGAGCATCGATCGATGTACAGC -N 75000 -1 200 -2 0 -e 0.01 -r 0 -R 0 "
        "-y 0 -z {seed} haplotype.fa reads",
        ("reads.bwa.read1.fastq.gz",),
        platform="IONTORRENT",
    ),
    Kind(
        "PBSIM, PacBio CCS of 3 kb, 98 %",
        "pbsim",
        "pbsim --data-type CCS --depth 15 --length-mean 3000 --length-sd 800 --accuracy-mean 0.98 "
        "--accuracy-sd 0.01 --accuracy-min 0.9 --model_qc /usr/share/pbsim/models/model_qc_ccs "
        "--seed {seed} --prefix reads haplotype.fa",
        ("reads_0001.fastq",),
        platform="PACBIO",
        mapper="minimap2 -t 2 -ax map-hifi",
        bcftools=PRESETS[HIFI],
        # It had not ended after nine minutes.
        left_out=("freebayes",),
    ),
)


def is_installed(kind: Kind) -> bool:
    """Tell whether what makes a kind of reads, and what maps them, is there."""
    programs = (kind.program, kind.mapper.split()[0], "samtools", "bcftools")
    return all(map(shutil.which, programs))


def simulate(kind: Kind, reference: Path, truth: Path, region: str, reads: Path) -> None:
    """Make the reads of both haplotypes of a region, map them, and leave an indexed BAM.

    Raises
    ------
    subprocess.CalledProcessError
        A program fails.
    """
    with tempfile.TemporaryDirectory(prefix="varcall-other-") as name:
        work = Path(name)
        both = [f"both{number}.fq" for number, _ in enumerate(kind.reads, 1)]
        for haplotype in (1, 2):
            shell(
                f"samtools faidx '{reference}' {region} | bcftools consensus -H {haplotype} "
                f"'{truth}' | sed '1s/.*/>h{haplotype}/' > haplotype.fa",
                work,
            )
            shell(kind.command.format(seed=haplotype), work)
            for made, joined in zip(kind.reads, both, strict=True):
                # Most programs give the reads of both haplotypes the same names.
                named = f'NR % 4 == 1 {{sub(/^@/, "@h{haplotype}_")}} NR % 4 == 3 {{$0 = "+"}} 1'
                shell(f"zcat -f {made} | awk '{named}' >> {joined}; rm {made}", work)
        group = rf"@RG\tID:reads\tSM:HG001\tPL:{kind.platform}"
        shell(
            f"{kind.mapper} -R '{group}' '{reference}' {' '.join(both)} "
            f"| samtools sort -o '{reads}' - ; samtools index '{reads}'",
            work,
        )


def staged(
    kind: Kind, reference: Path, truth: Path, directory: Path, region: str = REGION
) -> StagedSlice:
    """Make the reads of a kind, where `directory` lacks them, and stage them."""
    reads = directory / f"{file_stem(kind.name)}.bam"
    if not reads.with_suffix(".bam.bai").exists():
        simulate(kind, reference, truth, region, reads)
    item = Slice(kind.name, reads.name, reference.name, region, truth.name, None)
    return inside_borders(item, reads, reference, truth, BORDER)


def kinds_table(rows: Iterable[Row]) -> Table:
    """Return the table of all callers and kinds; triples are TP/FP/FN."""
    lines = [[row.slice_name, row.caller, *map(str, row.by_haplotype)] for row in rows]
    return Table("kinds", ["reads", "caller", "SNP", "indel"], lines)


def main() -> None:
    """Run the benchmark."""
    arguments = arguments_of(__doc__, [kind.name for kind in KINDS])
    require_data("the reference lies")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="varcall-other-") as temporary:
        directory = Path(temporary)
        work = arguments.work or directory
        work.mkdir(parents=True, exist_ok=True)
        reference, truth = prepare(work)
        for kind in KINDS:
            if kind.name in arguments.only and is_installed(kind):
                item = staged(kind, reference, truth, work.resolve())
                callers = [c for c in callers_for(kind.bcftools) if c.name not in kind.left_out]
                rows += score_slice(item, callers, directory, arguments.model)
    if arguments.differences:
        write_differences(arguments.differences, rows)
    report(arguments, "other-simulators", "Reads that other programs simulate", [kinds_table(rows)])


if __name__ == "__main__":
    main()
