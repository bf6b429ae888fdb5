"""The callers that are compared: their command lines, run and measured."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

# What the peers' quality must reach; varcall and other model-based callers are taken at PASS.
PEER_MIN_QUAL = 20


@dataclass(frozen=True, slots=True)
class Job:
    """What one caller is asked for.

    Attributes
    ----------
    region
        samtools syntax, 1-based inclusive.
    threads, model
        For varcall only: worker processes, and weights other than the default ones.
    """

    reads: Path
    reference: Path
    region: str
    output: Path
    threads: int = 1
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run cost: seconds of the clock, seconds of CPU, megabytes of the largest process."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller: the program that must be installed and the shell line that runs it."""

    name: str
    program: str
    command: Callable[[Job], str]
    include: str
    """bcftools expression of the records that count as calls."""

    def available(self) -> bool:
        """Tell whether the program is installed."""
        return shutil.which(self.program) is not None

    def run(self, job: Job) -> Usage:
        """Call variants, leaving ``job.output`` (.vcf.gz)."""
        return measure(self.command(job), job.output.with_suffix(".log"))


def _varcall(job: Job) -> str:
    model = "" if job.model is None else f"-m {shlex.quote(job.model)} "
    return (
        f"{shlex.quote(sys.executable)} -m varcall call {_quote(job.reads)} "
        f"--ref {_quote(job.reference)} -r {job.region} -t {job.threads} {model}"
        f"-o {_quote(job.output)} --timings {_quote(timings_path(job))}"
    )


def timings_path(job: Job) -> Path:
    """Return where varcall writes its CPU seconds by stage."""
    return job.output.with_suffix(".timings.tsv")


def _bcftools(job: Job) -> str:
    return (
        f"bcftools mpileup -a AD,DP -r {job.region} -f {_quote(job.reference)} -Ou "
        f"{_quote(job.reads)} | bcftools call -mv -Oz -o {_quote(job.output)}"
    )


def _freebayes(job: Job) -> str:
    contig, _, span = job.region.partition(":")
    start, _, end = span.partition("-")
    # freebayes counts regions from zero.
    region = f"{contig}:{int(start) - 1}-{end}"
    return (
        f"freebayes -f {_quote(job.reference)} -r {region} {_quote(job.reads)} "
        f"| bcftools view -Oz -o {_quote(job.output)}"
    )


def _quote(path: Path) -> str:
    return shlex.quote(str(path))


VARCALL = Caller("varcall", sys.executable, _varcall, 'FILTER="PASS"')


def varcall_with(name: str, options: str) -> Caller:
    """Return varcall with more options."""
    return replace(VARCALL, name=name, command=lambda job: f"{VARCALL.command(job)} {options}")


PEERS = (
    Caller("bcftools", "bcftools", _bcftools, f"QUAL>={PEER_MIN_QUAL}"),
    Caller("freebayes", "freebayes", _freebayes, f"QUAL>={PEER_MIN_QUAL}"),
)


def measure(command: str, log: Path) -> Usage:
    """Run a shell line and return what it cost; its messages go to `log`.

    The peak counts from the size of the calling process (a fork starts with it), so a program that
    reports it should import little.

    Raises
    ------
    RuntimeError
        Where the line, or any part of its pipe, fails.
    """
    started = time.perf_counter()
    # What pip installed has its bytecode; a checkout that may not write its own is slower.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as messages:
        process = subprocess.Popen(
            ["bash", "-c", f"set -o pipefail; {command}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
        )
        # wait4 gives the usage of this child and of all that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-3:]
        raise RuntimeError(f"{command}\nended with {process.returncode}: {' | '.join(last)}")
    return Usage(
        wall=time.perf_counter() - started,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
    )
