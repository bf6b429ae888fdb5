"""Score varcall, bcftools and freebayes on libraries that `varcall simulate` makes, in one run.

Usage: python -m benchmarks.simulated_libraries [--only NAME ...] [-m MODEL] [--work DIR]
           [--differences FILE] [--history DIR] [--no-record]

Long reads at several depths, and short ones that are no plain pairs, with HG001's variants (GIAB
v3.3.2) on a part of 20:50-55M of b37, from which nothing that is trained on is made. The reference
is those 5 Mb alone, so that mappers index it in seconds. The same seed gives the same reads.
Scored by the sequences that the records spell; the CPU seconds of long reads are also those of a
genome, start-up aside. `benchmarks.results` says where the table is written.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pysam

from benchmarks.accuracy import Row, score_slice, write_differences
from benchmarks.inputs.slices import DATA, Slice, StagedSlice, require_data
from benchmarks.libraries import callers_for
from benchmarks.results import add_options, report
from benchmarks.runs.callers import Job
from benchmarks.runs.costs import START_UP, around_middle, file_stem
from benchmarks.runs.history import Table
from benchmarks.runs.stages import minutes_of_genome
from pileup.sam import FSECONDARY, FSUPPLEMENTARY
from varcall.formats.simulated_origin import ADAPTER, ARTEFACT_TAG, DUPLICATE
from varcall.simulate import SimulatedSample, SimulateOptions, run_simulate

REFERENCE = DATA / "reference" / "hs37_chr20.fa.gz"
TRUTH = DATA / "truth" / "HG001_v3.3.2_b37_chr20.vcf.gz"
# The part of b37 that the reference is cut to (1-based inclusive); its contig keeps the name.
CONTIG, FIRST, LAST = "20", 50_000_001, 55_000_000
# Where samples begin in the cut, 0-based: far from its ends, as the flanks of long reads need.
START = 1_000_000
SEED = 20
# Reads that must lie on a base for it to count where a library covers a part of the stretch.
COVERED, COVERED_MAPQ = 20, 20
HIFI, ONT = "hifi", "ont"
PRESETS = {HIFI: "-X pacbio-ccs", ONT: "-X ont"}


@dataclass(frozen=True, slots=True)
class Sample:
    """What is simulated.

    Attributes
    ----------
    size
        Bases of the stretch.
    values
        Attributes of the library that are not drawn.
    is_partial
        Whether the library covers a part of the stretch only, and is scored where it does.
    """

    name: str
    size: int
    depth: float
    library: str = "typical"
    platform: str = "illumina"
    values: Mapping[str, Any] = field(default_factory=dict)
    is_partial: bool = False

    @property
    def is_long(self) -> bool:
        """Whether the reads are long."""
        return self.platform in PRESETS

    @property
    def region(self) -> str:
        """The stretch in samtools' syntax."""
        return f"{CONTIG}:{START + 1}-{START + self.size}"

    def options(self, reference: Path, truth: Path, output: Path) -> SimulateOptions:
        """Return what `varcall simulate` is asked for."""
        return SimulateOptions(
            reference=reference,
            output=output,
            truths=(truth,),
            regions=(self.region,),
            depth=(self.depth, self.depth),
            variants_per_kb=0.0,
            paralog_rate=0.0,
            library=self.library,
            library_values=self.values,
            platform=self.platform,
            sample_name="HG001",
            seed=SEED,
        )


# Contamination has a benchmark of its own.
_CLEAN = {"contamination": 0.0}
SAMPLES = (
    *(Sample(f"HiFi {depth}x", 300_000, depth, platform=HIFI) for depth in (10, 20)),
    # Those whose cost is that of a genome: so large that start-up and chance weigh little.
    Sample("HiFi 35x", 1_000_000, 35, platform=HIFI),
    Sample("ONT R10 20x", 200_000, 20, platform=ONT),
    Sample("ONT R10 50x", 600_000, 50, platform=ONT),
    Sample(
        "adapters in a quarter of the reads",
        300_000,
        40,
        "adapters",
        # A quarter of a normal distribution lies more than 0.674 standard deviations below its
        # mean: so many fragments are shorter than a read.
        values={**_CLEAN, "read_length": 101, "insert_mean": 121.0, "insert_sd": 30.0},
    ),
    Sample(
        "unmarked duplicates",
        300_000,
        60,
        "duplicates",
        values={**_CLEAN, "duplicate_rate": 0.0, "unmarked_rate": 0.4},
    ),
    Sample(
        "single ends of 75",
        300_000,
        30,
        "single",
        values={**_CLEAN, "read_length": 75, "insert_mean": 300.0},
    ),
    Sample("amplicons", 300_000, 200, "amplicon", values=_CLEAN, is_partial=True),
    Sample("pairs 200x", 150_000, 200, "deep", values={**_CLEAN, "depth": 200.0}),
)


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of one caller on one sample.

    Attributes
    ----------
    start_up
        CPU seconds of calling START_UP bases; None where it was not measured.
    """

    row: Row
    sample: Sample
    start_up: float | None

    @property
    def genome_hours(self) -> float | None:
        """Core-hours of a genome; start-up is paid once.

        Reads that reach over the ends of a stretch cost as much in a short one as in a long one:
        what the short one costs is taken off together with its length.
        """
        if self.start_up is None:
            return None
        length = self.sample.size - START_UP
        minutes = minutes_of_genome(self.row.cpu - self.start_up, length)
        return (minutes + self.start_up / 60) / 60


def prepare(directory: Path) -> tuple[Path, Path]:
    """Cut the reference and the truth, in coordinates of their own, and index them for bwa too."""
    reference, truth = directory / "cut.fa", directory / "cut.vcf.gz"
    if not truth.with_suffix(".gz.tbi").exists():
        region = f"{CONTIG}:{FIRST}-{LAST}"
        # What begins before the cut has no place in it.
        shift = (
            f'/^##contig/ {{next}} /^#CHROM/ {{print "##contig=<ID={CONTIG},'
            f'length={LAST - FIRST + 1}>"}} /^#/ {{print; next}} '
            f"$2 >= {FIRST} {{$2 -= {FIRST - 1}; print}}"
        )
        for line in (
            f"samtools faidx '{REFERENCE}' {region} | sed '1s/.*/>{CONTIG}/' > {reference.name}",
            f"samtools faidx {reference.name}",
            f"bcftools view -r {region} '{TRUTH}' | awk -v OFS='\t' '{shift}' "
            f"| bcftools view -Oz -o {truth.name}",
            f"bwa index {reference.name}",
            f"bcftools index -t {truth.name}",
        ):
            subprocess.run(
                ["bash", "-c", f"set -o pipefail; {line}"],
                cwd=directory,
                check=True,
                capture_output=True,
            )
    return reference, truth


def simulated(sample: Sample, reference: Path, truth: Path, directory: Path) -> StagedSlice:
    """Simulate a sample, where `directory` lacks it, and stage it."""
    prefix = directory / file_stem(sample.name)
    if prefix.with_suffix(".json").exists():
        made = SimulatedSample(
            bam=prefix.with_suffix(".bam"),
            truth=prefix.with_suffix(".truth.vcf.gz"),
            bed=prefix.with_suffix(".bed"),
            description=prefix.with_suffix(".json"),
            reference=reference,
        )
    else:
        (made,) = run_simulate(sample.options(reference, truth, prefix))
    item = Slice(sample.name, made.bam.name, reference.name, sample.region, truth.name, None)
    confident: tuple[tuple[int, int], ...] = (item.span,)
    bed = made.bed
    if sample.is_partial:
        confident = covered(made.bam, sample.region)
        bed = prefix.with_suffix(".covered.bed")
        bed.write_text("".join(f"{CONTIG}\t{start}\t{end}\n" for start, end in confident))
    return StagedSlice(item, made.bam, reference, made.truth, confident, bed)


def covered(reads: Path, region: str) -> tuple[tuple[int, int], ...]:
    """Return where COVERED reads lie, as 0-based half-open intervals."""
    text = subprocess.run(
        ["samtools", "depth", "-Q", str(COVERED_MAPQ), "-r", region, str(reads)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    intervals: list[tuple[int, int]] = []
    for line in text.splitlines():
        _, position, depth = line.split("\t")
        start = int(position) - 1
        if int(depth) < COVERED:
            continue
        if intervals and intervals[-1][1] == start:
            intervals[-1] = (intervals[-1][0], start + 1)
        else:
            intervals.append((start, start + 1))
    return tuple(intervals)


def score(sample: Sample, staged: StagedSlice, directory: Path, model: str | None) -> list[Scored]:
    """Run all callers on a sample."""
    callers = callers_for(PRESETS.get(sample.platform))
    # freebayes needs a minute for 20 kb of nanopore reads, and is not made for them.
    if sample.platform == ONT:
        callers = [caller for caller in callers if caller.name != "freebayes"]
    start_ups: dict[str, float] = {}
    if sample.is_long:
        short = around_middle(sample.region, START_UP)
        for caller in callers:
            output = directory / f"start.{caller.name}.vcf.gz"
            job = Job(staged.reads, staged.reference, short, output, model=model)
            start_ups[caller.name] = caller.run(job).cpu
    rows = score_slice(staged, callers, directory, model)
    return [Scored(row, sample, start_ups.get(row.caller)) for row in rows]


def describe(sample: Sample, reads: Path) -> str:
    """Say in a sentence what the reads of a sample are."""
    lengths, artefacts = [], []
    with pysam.AlignmentFile(str(reads)) as bam:
        for read in bam.fetch(until_eof=True):
            if not read.flag & (FSECONDARY | FSUPPLEMENTARY):
                lengths.append(read.query_length)
                artefacts.append(int(read.get_tag(ARTEFACT_TAG)))
    n = len(lengths)
    adapters = sum(bool(bits & ADAPTER) for bits in artefacts) / n
    duplicates = sum(bool(bits & DUPLICATE) for bits in artefacts) / n
    return (
        f"{sample.name}: {sample.size // 1000} kb, {n:,} reads of {sum(lengths) // n:,} bases on "
        f"average; adapter bases in {adapters:.1%} of them, {duplicates:.1%} are duplicates"
    )


def library_table(scored: Iterable[Scored], notes: Iterable[str]) -> Table:
    """Return the table of all callers and samples; triples are TP/FP/FN."""
    rows = []
    for item in scored:
        hours = item.genome_hours
        costs = [f"{item.row.cpu:.1f}", "-" if hours is None else f"{hours:.1f}"]
        counts = map(str, item.row.by_haplotype)
        rows.append([item.sample.name, item.row.caller, *counts, *costs])
    titles = ["library", "caller", "SNP", "indel", "CPU s", "core-hours of a genome"]
    return Table("libraries", titles, rows, list(notes))


def arguments_of(documentation: str, names: Sequence[str]) -> argparse.Namespace:
    """Read the command line of a benchmark that makes named kinds of reads."""
    parser = argparse.ArgumentParser(description=documentation.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    parser.add_argument("--differences", type=Path, help="write every discrepancy to this TSV")
    parser.add_argument("--work", type=Path, help="folder of the simulated files, kept")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = arguments_of(__doc__, [sample.name for sample in SAMPLES])
    require_data("the reference lies")
    scored: list[Scored] = []
    notes = []
    with tempfile.TemporaryDirectory(prefix="varcall-simulated-") as temporary:
        directory = Path(temporary)
        work = arguments.work or directory
        work.mkdir(parents=True, exist_ok=True)
        reference, truth = prepare(work)
        for sample in (sample for sample in SAMPLES if sample.name in arguments.only):
            staged = simulated(sample, reference, truth, work)
            scored += score(sample, staged, directory, arguments.model)
            notes.append(describe(sample, staged.reads))
    if arguments.differences:
        write_differences(arguments.differences, [item.row for item in scored])
    title = "Accuracy and cost on simulated libraries"
    report(arguments, "simulated-libraries", title, [library_table(scored, notes)])


if __name__ == "__main__":
    main()
