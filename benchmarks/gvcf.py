"""gVCFs of real slices and simulated reads: whether they are whole, their size, cost, calibration.

Usage: python -m benchmarks.gvcf [--work DIR] [--repeats N] [--history DIR] [--no-record]

DIR is that of `benchmarks.simulated`, whose reads at 30x are used where they are there.
`benchmarks.results` says where the tables are written.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy import POOLED
from benchmarks.inputs.repeated import repeat
from benchmarks.inputs.slices import SLICES, StagedSlice, require_data, stage
from benchmarks.libraries import LONG
from benchmarks.results import add_options, report
from benchmarks.runs.callers import VARCALL, Caller, Job
from benchmarks.runs.costs import Cost, time_jobs
from benchmarks.runs.history import Table
from benchmarks.scores.exact_match import atomic_copies
from benchmarks.simulated import REGION, prepared
from tests.gvcfs import GvcfLine, check_gvcf, gvcf_lines, recovered
from varcall.inputs.regions import Region

GENOME = 3.1e9
COPIES = 20
STEP = 10
"""Width of the rows of the table of calibration, in GQ."""


@dataclass(frozen=True, slots=True)
class Called:
    """A slice, its VCF and its gVCF of one run."""

    staged: StagedSlice
    vcf: Path
    gvcf: Path

    @property
    def region(self) -> Region:
        """The region that was called."""
        return Region(self.staged.slice.contig, *self.staged.slice.span)


def _with_gvcf(job: Job) -> str:
    return f"{VARCALL.command(job)} --gvcf '{gvcf_path(job)}'"


def gvcf_path(job: Job) -> Path:
    """Return where the gVCF of a job goes."""
    return job.output.with_suffix(".g.vcf.gz")


WITH_GVCF = replace(VARCALL, name="varcall with --gvcf", command=_with_gvcf)


def call(staged: StagedSlice, directory: Path) -> Called:
    """Call a slice, with a gVCF."""
    stem = staged.slice.name.replace(" ", "_").replace(",", "")
    job = Job(staged.reads, staged.reference, staged.slice.region, directory / f"{stem}.vcf.gz")
    WITH_GVCF.run(job)
    return Called(staged, job.output, gvcf_path(job))


def file_row(called: Called) -> list[str]:
    """Check a gVCF by all that reads it; return its row of the table.

    Raises
    ------
    AssertionError
        It is not what it should be.
    """
    reference = called.staged.reference
    lines = check_gvcf(called.gvcf, [called.region], reference)
    plain = _body(_output("bcftools", "view", called.vcf))
    assert recovered(lines) == plain
    viewed = _body(_output("bcftools", "view", called.gvcf))
    assert len(viewed) == len(lines)
    _output("bcftools", "norm", "-c", "e", "-f", reference, called.gvcf)
    convert = f"bcftools convert --gvcf2vcf -f '{reference}' '{called.gvcf}' | grep -vc '^#'"
    n_whole = int(_output("bash", "-c", f"set -o pipefail; {convert}"))
    blocks = [line for line in lines if line.is_block]
    bases = sum(line.end - line.start for line in blocks)
    assert n_whole == bases + len(plain)
    size = called.gvcf.stat().st_size
    by_base = GENOME / len(called.region)
    return [
        called.staged.slice.name,
        f"{len(called.region):,}",
        f"{len(plain):,}",
        f"{len(blocks):,}",
        f"{bases / len(blocks):.0f}",
        f"{size:,}",
        f"{size * by_base / 1e9:.2f} GB",
    ]


def file_table(calls: Iterable[Called]) -> Table:
    """Return the table of the files."""
    titles = ["reads", "bases", "records", "blocks", "bases of a block", "bytes", "of a genome"]
    notes = [
        "each was accepted by the checker of the tests (every base in one block or in records, "
        "PL and GQ fit GT) and by bcftools view, norm -c e and convert --gvcf2vcf, and the VCF "
        "taken out of it is the VCF of the same run",
    ]
    return Table("files", titles, [file_row(called) for called in calls], notes)


def _body(text: str) -> list[str]:
    return [line for line in text.splitlines(keepends=True) if not line.startswith("#")]


def _output(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True
    )
    return done.stdout


def missed(called: Called) -> list[int]:
    """Return the starts (0-based) of variants of the truth, alleles apart, that no record has."""
    confident = called.staged.confident
    truth, calls = (
        atomic_copies(path, called.staged.reference, confident)
        for path in (called.staged.truth, called.vcf)
    )
    return [pos - 1 for pos, *_ in set(truth) - set(calls)]


def by_gq(lines: Iterable[GvcfLine], called: Called) -> tuple[list[int], list[int]]:
    """Return confident bases of blocks by GQ, and those of them that hold a missed variant."""
    length = called.region.end + 1
    is_confident = np.zeros(length, np.bool_)
    for start, end in called.staged.confident:
        is_confident[start:end] = True
    is_variant = np.zeros(length, np.bool_)
    is_variant[missed(called)] = True
    is_variant &= is_confident
    bases, variants = [0] * 100, [0] * 100
    for line in lines:
        if line.is_block:
            gq, own = int(line.call["GQ"]), slice(line.start, line.end)
            bases[gq] += int(is_confident[own].sum())
            variants[gq] += int(is_variant[own].sum())
    return bases, variants


def calibration_rows(name: str, calls: Sequence[Called]) -> list[list[str]]:
    """Return a row for every ten values of GQ: bases, variants, and how many there may be."""
    bases, variants = np.zeros(100, np.int64), np.zeros(100, np.int64)
    for called in calls:
        own = by_gq(gvcf_lines(called.gvcf), called)
        bases += own[0]
        variants += own[1]
    most = bases * 10.0 ** (-np.arange(100) / 10)
    rows = []
    for low in range(0, 100, STEP):
        row = slice(low, low + STEP)
        if bases[row].any():
            rows.append(
                [
                    name,
                    f"{low}-{low + STEP - 1}",
                    f"{bases[row].sum():,}",
                    f"{variants[row].sum()}",
                    f"{most[row].sum():.3g}",
                ]
            )
    return rows


def calibration_table(groups: Iterable[tuple[str, Sequence[Called]]]) -> Table:
    """Return the table of the calibration of blocks."""
    rows = [row for name, calls in groups for row in calibration_rows(name, calls)]
    titles = ["reads", "GQ", "confident bases in blocks", "variants missed there", "at most"]
    notes = [
        "variants of the truth that are no record; at most 10^(-GQ/10) of the bases may hold one",
    ]
    return Table("calibration", titles, rows, notes)


def cost_table(costs: Sequence[tuple[str, Cost, Cost]]) -> Table:
    """Return the table of CPU seconds without and with a gVCF."""
    rows = []
    for name, plain, with_gvcf in costs:
        whole = with_gvcf.best.usage.cpu / plain.best.usage.cpu
        calling = with_gvcf.cpu / plain.cpu
        rows.append(
            [
                name,
                f"{plain.best.usage.cpu:.2f} s",
                f"{with_gvcf.best.usage.cpu:.2f} s",
                f"{100 * (whole - 1):+.1f} %",
                f"{100 * (calling - 1):+.1f} %",
            ]
        )
    titles = ["reads", "VCF", "VCF and gVCF", "more", "more without start-up"]
    return Table("cost", titles, rows, ["CPU seconds, one thread, the least of runs in turn"])


def _costs(
    items: Sequence[StagedSlice], repeats: int, directory: Path
) -> list[tuple[str, Cost, Cost]]:
    callers: list[Caller] = [VARCALL, WITH_GVCF]
    jobs = [
        (
            f"{item.slice.name}: {caller.name}",
            caller,
            Job(item.reads, item.reference, item.slice.region, directory / "unused.vcf.gz"),
        )
        for item in items
        for caller in callers
    ]
    costs = time_jobs(jobs, repeats, directory)
    names = [item.slice.name for item in items]
    return [
        (name, *(costs[f"{name}: {caller.name}"] for caller in callers))  # type: ignore[misc]
        for name in names
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="folder of the simulated reads")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, for the cost")
    add_options(parser)
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    require_data()
    with tempfile.TemporaryDirectory(prefix="varcall-gvcf-") as temporary:
        directory = Path(temporary)
        hg002, others = (
            [stage(item, directory) for item in SLICES if item.held_out is kind]
            for kind in (True, False)
        )
        hifi = stage(LONG[0].slices[0], directory)
        art = prepared(REGION, 30, arguments.work or directory)
        called = {item.slice.name: call(item, directory) for item in (*hg002, *others, hifi, art)}
        files = file_table(called[item.slice.name] for item in (*hg002, hifi, art))
        groups = [(POOLED, hg002), *((item.slice.name, [item]) for item in (*others, hifi, art))]
        calibration = calibration_table(
            (name, [called[item.slice.name] for item in items]) for name, items in groups
        )
        timed = [repeat(hg002[0], COPIES, directory), repeat(hifi, 4, directory), art]
        cost = cost_table(_costs(timed, arguments.repeats, directory))
    report(arguments, "gvcf", "gVCF", [files, cost, calibration])


if __name__ == "__main__":
    main()
