"""How varcall's cost grows: with workers, with length, and with depth.

Usage: python -m benchmarks.scaling [--region 20:50000001-55000000] [--work DIR]
           [--depth-region 20:50000001-52000000] [--depth-work DIR] [--depths 15 30 50 100]
           [--lengths 5 10 20 40] [--repeats 3] [-m MODEL] [--history DIR] [--no-record]

Reads are those of `benchmarks.simulated`; --work and --depth-work keep them (30x.bam and so on), or
hold them already. Workers are timed once more, and lengths in megabases taken, on the region many
times over (`benchmarks.inputs.repeated`), where start-up is small. `benchmarks.results` says where
the tables are written.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.inputs.repeated import repeat
from benchmarks.inputs.slices import StagedSlice
from benchmarks.results import add_options, report
from benchmarks.runs.callers import VARCALL, Job
from benchmarks.runs.costs import Cost, parts, time_jobs
from benchmarks.runs.history import Table, slug
from benchmarks.simulated import REGION, prepared

DEPTH = 30
WORKERS = (1, 2)
COPIES = 8
"""Of the region, in a run of its own: start-up, which workers do not share, is small beside it."""

LEAST_SPEED_UP = 1.8
MOST_PEAK_MB = 2000
TOLERANCE = 0.1
"""Cost is called linear where its exponent is at most 1 and this much: what runs differ by."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tables of what is scaled: workers, length or depth."""

    name: str
    title: str
    tables: Sequence[Table]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return b of cost = a size^b, by least squares of the logarithms; 1 is linear."""
    if min(costs) <= 0:
        return math.nan  # so short that start-up hides it
    x = [math.log(size) for size in sizes]
    y = [math.log(cost) for cost in costs]
    middle = sum(x) / len(x), sum(y) / len(y)
    products = sum((a - middle[0]) * (b - middle[1]) for a, b in zip(x, y, strict=True))
    return products / sum((a - middle[0]) ** 2 for a in x)


def worker_table(name: str, costs: Sequence[Cost]) -> Table:
    """Return the table of 1, 2, ... workers; the speed-up wanted is with start-up and all."""
    titles = ["workers", "wall s, least", "median", "CPU s", "peak MB of a process", "speed-up"]
    titles.append("without start-up")
    rows = []
    for workers, cost in zip(WORKERS, costs, strict=True):
        cells = (cost.wall, cost.median_wall, cost.best.usage.cpu, cost.peak_mb)
        speed_up = costs[0].wall / cost.wall
        calling = costs[0].calling_wall / cost.calling_wall
        shown = [f"{cell:.1f}" for cell in cells]
        rows.append([str(workers), *shown, f"{speed_up:.2f}", f"{calling:.2f}"])
    speed_up = costs[0].wall / costs[-1].wall
    peak = max(cost.peak_mb for cost in costs)
    notes = [
        f"{WORKERS[-1]} workers are {speed_up:.2f} times as fast, wanted at least "
        f"{LEAST_SPEED_UP}: {_reached(speed_up >= LEAST_SPEED_UP)}",
        f"the largest process held {peak:.0f} MB, wanted under {MOST_PEAK_MB}: "
        f"{_reached(peak < MOST_PEAK_MB)}",
    ]
    return Table(name, titles, rows, notes)


def growth_table(unit: str, sizes: Sequence[float], costs: Sequence[Cost]) -> Table:
    """Return the table of length or depth, start-up apart, with the exponent of the growth."""
    titles = [unit, "wall s, least", "CPU s, least", "start-up CPU s", "CPU s of calling"]
    titles += [f"per {unit}", "peak MB"]
    rows = []
    for size, cost in zip(sizes, costs, strict=True):
        cells = [cost.wall, cost.best.usage.cpu, cost.start_up.usage.cpu, cost.cpu]
        shown = [f"{cell:.2f}" for cell in cells]
        rows.append([f"{size:g}", *shown, f"{cost.cpu / size:.3f}", f"{cost.peak_mb:.0f}"])
    power = exponent(sizes, [cost.cpu for cost in costs])
    note = (
        f"CPU s of calling grow as {unit} to the power {power:.2f}, wanted at most 1 (within "
        f"{TOLERANCE}): {_reached(power <= 1 + TOLERANCE)}"
    )
    return Table("growth", titles, rows, [note])


def _reached(is_reached: bool) -> str:
    return "reached" if is_reached else "not reached"


def first_bases(region: str, length: int) -> str:
    """Return the first bases of a region."""
    contig, start, end = parts(region)
    if length > end - start + 1:
        raise SystemExit(f"{region} is shorter than {length} bases")
    return f"{contig}:{start}-{start + length - 1}"


def _job(staged: StagedSlice, model: str | None) -> Job:
    return Job(staged.reads, staged.reference, staged.slice.region, Path(), model=model)


def _time(
    jobs: Sequence[tuple[str, Job]], arguments: argparse.Namespace, directory: Path
) -> list[Cost]:
    named = [(name, VARCALL, job) for name, job in jobs]
    return list(time_jobs(named, arguments.repeats, directory).values())


def _measured(arguments: argparse.Namespace, directory: Path) -> Iterator[Part]:
    """Yield one part of the benchmark after another."""
    once = prepared(arguments.region, DEPTH, arguments.work or directory / "length")
    many = repeat(once, COPIES, directory)
    yield _workers((once, many), arguments, directory)
    yield _lengths(many, arguments, directory)
    yield _depths(arguments, directory)


def _workers(slices: Sequence[StagedSlice], arguments: argparse.Namespace, directory: Path) -> Part:
    tables = []
    for item in slices:
        job = _job(item, arguments.model)
        jobs = [(f"{n} workers", replace(job, threads=n)) for n in WORKERS]
        tables.append(worker_table(slug(item.slice.name), _time(jobs, arguments, directory)))
    title = f"Scaling in workers, {' and '.join(item.slice.name for item in slices)}"
    return Part("workers", title, tables)


def _lengths(staged: StagedSlice, arguments: argparse.Namespace, directory: Path) -> Part:
    job = _job(staged, arguments.model)
    megabases = sorted(arguments.lengths)
    jobs = []
    for length in megabases:
        region = first_bases(job.region, round(1e6 * length))
        jobs.append((f"{length:g} Mb", replace(job, region=region)))
    table = growth_table("Mb", megabases, _time(jobs, arguments, directory))
    return Part("length", f"Scaling in length, {staged.slice.name}", [table])


def _depths(arguments: argparse.Namespace, directory: Path) -> Part:
    depths = sorted(arguments.depths)
    work = arguments.depth_work or directory / "depth"
    jobs = []
    for depth in depths:
        staged = prepared(arguments.depth_region, depth, work)
        jobs.append((f"{depth}x", _job(staged, arguments.model)))
    table = growth_table("x", depths, _time(jobs, arguments, directory))
    return Part("depth", f"Scaling in depth, {arguments.depth_region}", [table])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--region", default=REGION, help="inside 20:50-55M")
    parser.add_argument("--work", type=Path, help="folder of its simulated files, kept")
    parser.add_argument("--depth-region", default="20:50000001-52000000", help="inside 20:50-55M")
    parser.add_argument("--depth-work", type=Path, help="folder of its simulated files, kept")
    parser.add_argument("--depths", type=int, nargs="+", default=[15, 30, 50, 100])
    parser.add_argument("--lengths", type=float, nargs="+", default=[5, 10, 20, 40])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    add_options(parser)
    arguments = parser.parse_args()
    if min(len(set(arguments.depths)), len(set(arguments.lengths))) < 2:
        parser.error("growth is seen in two lengths and two depths, or more")
    return arguments


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="varcall-scaling-") as temporary:
        directory = Path(temporary)
        for part in _measured(arguments, directory):
            how = f"least of {arguments.repeats} runs in turn; start-up is a call of 2 kb"
            report(arguments, f"scaling-{part.name}", f"{part.title}: {how}", part.tables)


if __name__ == "__main__":
    main()
