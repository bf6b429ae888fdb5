"""Faults F20 to F23 on the whole command: killed at any time, on a full disk, without a reader."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import group_ended, needs_proc
from varcall.simulate import SimulatedSample

KILLS = 50


@dataclass(frozen=True)
class Run:
    """A command that calls small files, what it writes, and how long that takes."""

    command: list[str]
    root: Path
    whole: bytes
    seconds: float

    def start(self, folder: Path, *more: str) -> subprocess.Popen[str]:
        output = ["-o", str(folder / "out.vcf.gz"), *more]
        return subprocess.Popen(
            self.command + output,
            cwd=self.root,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def run(
    small_sample: SimulatedSample,
    untrained_model: Path,
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, "-m", "varcall", "call", str(small_sample.bam), "--quiet"]
    command += ["--ref", str(small_sample.reference), "--model", str(untrained_model)]
    command += ["--window", "1000"]
    started = time.monotonic()
    with Run(command, root, b"", 0).start(folder, "--threads", "2") as process:
        assert process.wait() == 0
    assert sorted(os.listdir(folder)) == ["out.vcf.gz", "out.vcf.gz.tbi"]
    whole = (folder / "out.vcf.gz").read_bytes()
    return Run(command, root, whole, time.monotonic() - started)


def workers(pid: int) -> list[int]:
    """Worker processes of a run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def kill(process: subprocess.Popen[str], way: str, draw: random.Random) -> set[int]:
    """Stop a run in one of four ways; return the exit codes that are right for it."""
    if process.poll() is not None:
        return {0}
    if way == "worker":
        victims = workers(process.pid)
        if not victims:
            process.kill()
            return {-signal.SIGKILL}
        os.kill(draw.choice(victims), signal.SIGKILL)
        return {0, 1}
    sent = signal.Signals[f"SIG{way}"]
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.send_signal(sent)
    # Before the command has set up its handlers, the signal itself ends it.
    return {0, 128 + sent, -sent} if sent != signal.SIGKILL else {0, -sent}


def check_kill(run: Run, folder: Path, way: str, seed: int) -> bool:
    """Kill a run at a random time and complete it; return whether it was stopped at all."""
    draw = random.Random(seed)
    folder.mkdir()
    work = ["--workdir", str(folder / "work"), "--resume", "--threads", "2"]
    with run.start(folder, *work) as process, group_ended(process.pid):
        time.sleep(draw.uniform(0.2, 1.0) * run.seconds)
        codes = kill(process, way, draw)
        assert process.wait(timeout=120) in codes, (way, seed)
        assert process.stderr is not None
        said = process.stderr.read()
    if process.returncode == 1:
        assert "a worker process died on" in said
    if process.returncode in (0, 1, 128 + signal.SIGTERM, 128 + signal.SIGINT):
        assert "Traceback" not in said, (way, seed, said)
        assert set(os.listdir(folder)) <= {"out.vcf.gz", "out.vcf.gz.tbi", "work"}
    output = folder / "out.vcf.gz"
    assert not output.exists() or output.read_bytes() == run.whole
    assert process.returncode != 0 or output.exists()
    with run.start(folder, *work) as again, group_ended(again.pid):
        assert again.wait(timeout=300) == 0
    assert output.read_bytes() == run.whole
    return process.returncode != 0


@needs_proc
@pytest.mark.parametrize(("way", "seed"), [("TERM", 4), ("worker", 6)])
def test_f21_f23_f24_killed_once(run: Run, tmp_path: Path, way: str, seed: int) -> None:
    check_kill(run, tmp_path / "killed", way, seed)


@needs_proc
@pytest.mark.campaign
def test_f21_f23_f24_killed_fifty_times(run: Run, tmp_path: Path) -> None:
    stopped = [
        check_kill(run, tmp_path / str(seed), ("INT", "TERM", "KILL", "worker")[seed % 4], seed)
        for seed in range(KILLS)
    ]
    print(f"{sum(stopped)} of {KILLS} runs were stopped; all were completed")
    assert sum(stopped) > KILLS // 2


def call_in_shell(run: Run, words: Sequence[str], tail: str) -> subprocess.CompletedProcess[str]:
    command = " ".join(f"'{word}'" for word in [*run.command, *words])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {tail}"],
        cwd=run.root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.tools("bash", "head")
def test_f22_the_reader_went_away(run: Run) -> None:
    done = call_in_shell(run, ["-o", "-"], "| true")
    assert (done.returncode, done.stderr) == (141, "")


def test_f20_a_disk_that_is_full(run: Run, tmp_path: Path) -> None:
    """The limit on the size of files fails in the same places; see also test_output_atomic."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with subprocess.Popen(
        [*run.command, "-o", str(tmp_path / "out.vcf")],
        cwd=run.root,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard)),
    ) as process:
        assert process.wait() == 1
        assert process.stderr is not None
        said = process.stderr.read().splitlines()
    assert said[-1].startswith("varcall: error: cannot write ")
    assert "File too large; free some space" in said[-1]
    assert os.listdir(tmp_path) == []
