"""What a loaded `varcall.Caller` saves: seconds to the first record, a picture, an answer.

Usage: python -m benchmarks.loaded_caller [--repeats 5] [-m MODEL] [--history DIR] [--no-record]

Reads are simulated: 60 kb at 30x. Each row is the least of several runs, in CPU seconds and those
of the clock; what happens once in a process is measured in processes of their own.
`benchmarks.results` says where the table is written.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.results import add_options, report
from benchmarks.runs.history import Table
from benchmarks.runs.machine import ROOT
from varcall import Caller
from varcall.options import DEFAULT_MODEL
from varcall.simulate import SimulatedSample, simulate_demo

GENOME_SIZE = 60_000
REGION_SIZE = 2_000

Seconds = tuple[float, float]
"""Of the CPU, of the clock."""


def least(runs: Sequence[Seconds]) -> Seconds:
    """Return the least of each: the rest is what else the machine was doing."""
    return min(cpu for cpu, _ in runs), min(clock for _, clock in runs)


def timed(work: Callable[[], object]) -> Seconds:
    """Time some work of this process."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - clock


def timed_program(words: Sequence[str]) -> Seconds:
    """Time a Python program."""

    def cpu() -> float:
        usage = getrusage(RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before, clock = cpu(), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=ROOT)
    return cpu() - before, time.perf_counter() - clock


def programs(sample: SimulatedSample, model: str, repeats: int) -> Iterator[tuple[str, Seconds]]:
    """Time what a process does once."""
    call = ["call", str(sample.bam), "--ref", str(sample.reference), "-m", model, "--quiet"]
    call += ["-r", f"sim:1-{REGION_SIZE}"]
    for what, words in (
        ("`import varcall`, with Python's start", ["-c", "import varcall"]),
        ("`varcall --version`", ["-m", "varcall", "--version"]),
        ("`varcall call` of 2 kb", ["-m", "varcall", *call]),
        (
            "`Caller(reference)`, with imports",
            ["-c", f"import varcall; varcall.Caller({str(sample.reference)!r}, model={model!r})"],
        ),
    ):  # fmt: skip
        yield what, least([timed_program(words) for _ in range(repeats)])


def loaded(sample: SimulatedSample, model: str, repeats: int) -> Iterator[tuple[str, Seconds]]:
    """Time what a loaded caller does."""
    with Caller(sample.reference, model=model) as caller:
        # The first pass opens the reads, measures the library, and warms what is lazy.
        first: list[Seconds] = []
        later: list[Seconds] = []
        starts = range(1, GENOME_SIZE, REGION_SIZE)
        regions = [f"sim:{start}-{start + REGION_SIZE - 1}" for start in starts]
        for _ in range(repeats + 1):
            caller.close()
            first.append(timed(lambda: caller.call(sample.bam, f"sim:1-{REGION_SIZE}")))
            cpu, clock = timed(lambda: [caller.call(sample.bam, region) for region in regions])
            later.append((cpu / len(regions), clock / len(regions)))
        yield "loaded `Caller`: 2 kb of new reads", least(first[1:])
        yield "loaded `Caller`: 2 kb of the same reads", least(later[1:])
        het = next(v for v in caller.call(sample.bam, "sim") if v.is_pass and v.is_het and v.is_snv)
        place = f"{het.contig}:{het.pos}"
        for what, work in (
            ("loaded `Caller`: a picture", lambda: caller.pileup(sample.bam, place)),
            ("loaded `Caller`: an answer", lambda: caller.ask(sample.bam, place, task="cause")),
        ):
            yield what, least([timed(work) for _ in range(repeats)])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL)
    add_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sample = simulate_demo(Path(folder) / "sample", genome_size=GENOME_SIZE, depth=30.0)
        rows = [
            [what, f"{cpu:.3f}", f"{clock:.3f}"]
            for part in (programs, loaded)
            for what, (cpu, clock) in part(sample, arguments.model, arguments.repeats)
        ]
    notes = [f"least of {arguments.repeats} runs; 60 kb at 30x, simulated"]
    table = Table("seconds", ["what", "CPU s", "clock s"], rows, notes)
    report(arguments, "loaded-caller", "A loaded caller", [table])


if __name__ == "__main__":
    main()
