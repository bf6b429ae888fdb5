"""What callers cost: several runs of each, in turn, with their start-up apart.

Start-up is the cost of calling 2 kb in the middle of the region, measured in the same runs: for
varcall that is its imports, the checks of its inputs, the library profile and the loading of the
model and of compiled kernels, which a genome pays once per process. (One base holds no candidate,
and so leaves half of the kernels to be loaded later.)

Run as a program it measures one shell line and prints what it cost as JSON: the peak memory of a
child counts from the size of the process that started it, so a small one has to.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.runs.callers import Caller, Job, Usage, measure

# Called before anything is timed, so that Numba's caches and the page cache are warm for all.
WARM_UP = 20_000
# Bases of the call that tells the start-up: some candidates, and next to nothing of the work.
START_UP = 2_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a caller: what it cost and what it wrote."""

    usage: Usage
    job: Job


@dataclass(frozen=True, slots=True)
class Cost:
    """All runs of a caller on a region, and on START_UP bases of it."""

    runs: tuple[Run, ...]
    start_ups: tuple[Run, ...]

    @property
    def best(self) -> Run:
        """The run of the least CPU time.

        The least of several is what the program costs; the rest is what else the machine was doing.
        """
        return min(self.runs, key=lambda run: run.usage.cpu)

    @property
    def start_up(self) -> Run:
        """The start-up of the least CPU time."""
        return min(self.start_ups, key=lambda run: run.usage.cpu)

    @property
    def cpu(self) -> float:
        """CPU seconds of calling: the least, less the start-up's least."""
        return self.best.usage.cpu - self.start_up.usage.cpu

    @property
    def wall(self) -> float:
        """Least seconds of the clock, start-up and all."""
        return min(run.usage.wall for run in self.runs)

    @property
    def calling_wall(self) -> float:
        """Seconds of the clock of calling: the least, less the start-up's least."""
        return self.wall - min(run.usage.wall for run in self.start_ups)

    @property
    def median_wall(self) -> float:
        """Median seconds of the clock."""
        return statistics.median(run.usage.wall for run in self.runs)

    @property
    def median_cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(run.usage.cpu for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """Megabytes of the largest process of any run."""
        return max(run.usage.peak_mb for run in self.runs)


def time_jobs(
    jobs: Iterable[tuple[str, Caller, Job]], repeats: int, directory: Path
) -> dict[str, Cost]:
    """Run every named job `repeats` times, in turn; outputs are left in `directory`.

    In turn, so that whatever else the machine does falls on all of them alike.
    """
    asked = list(jobs)
    runs: dict[str, list[Run]] = {name: [] for name, _, _ in asked}
    start_ups: dict[str, list[Run]] = {name: [] for name, _, _ in asked}
    for name, caller, job in asked:
        region = around_middle(job.region, WARM_UP)
        _run(caller, replace(job, region=region), directory / f"{file_stem(name)}.warm_up.vcf.gz")
    for repeat in range(repeats):
        for name, caller, job in asked:
            short = replace(job, region=around_middle(job.region, START_UP))
            stem = f"{file_stem(name)}.{repeat}"
            start_ups[name].append(_run(caller, short, directory / f"{stem}.start.vcf.gz"))
            runs[name].append(_run(caller, job, directory / f"{stem}.vcf.gz"))
            usage = runs[name][-1].usage
            print(f"{name}: {usage.wall:.1f} s, {usage.cpu:.1f} CPU s", flush=True)
    return {name: Cost(tuple(runs[name]), tuple(start_ups[name])) for name in runs}


def parts(region: str) -> tuple[str, int, int]:
    """Take a samtools region apart: contig, start and end, 1-based inclusive."""
    contig, _, span = region.rpartition(":")
    start, _, end = span.partition("-")
    return contig, int(start), int(end)


def around_middle(region: str, length: int) -> str:
    """Return the part of a region of at most `length` bases around its middle."""
    contig, start, end = parts(region)
    length = min(length, end - start + 1)
    first = (start + end + 1 - length) // 2
    return f"{contig}:{first}-{first + length - 1}"


def file_stem(name: str) -> str:
    """Return a name as that of a file: "HiFi 10x" is "HiFi_10x"."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _run(caller: Caller, job: Job, output: Path) -> Run:
    asked = replace(job, output=output)
    return Run(measure_apart(caller.command(asked), output.with_suffix(".log")), asked)


def measure_apart(command: str, log: Path) -> Usage:
    """Measure a shell line from a process that has imported next to nothing."""
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.runs.costs", str(log), command],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(result.stderr.strip().partition("RuntimeError: ")[2] or result.stderr)
    return Usage(**json.loads(result.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(sys.argv[2], Path(sys.argv[1])))))
