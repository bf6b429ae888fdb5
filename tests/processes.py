"""Processes that a test starts, watches and kills."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks at processes in /proc"
)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def group_ended(leader: int) -> Iterator[None]:
    """End a group of processes on the way out, whatever a failing test has left of it."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def ends_with_its_processes(
    program: str,
    arguments: Sequence[str],
    count: int,
    sent: signal.Signals,
    whom: str,
    status: int,
    tmp_path: Path,
    root: Path,
) -> None:
    """Start a program, send a signal to it or to its group, and see that all of it ends.

    `program` gets a folder and the arguments; `count` processes make a file there, named by their
    id. The program must exit with `status`, soon and, unless it is killed, without a word.
    """
    folder = tmp_path / "pids"
    folder.mkdir()
    script = tmp_path / "run.py"
    script.write_text(program)
    with (
        subprocess.Popen(
            [sys.executable, str(script), str(folder), *arguments],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process,
        group_ended(process.pid),
    ):
        assert process.stderr is not None
        wait_for(lambda: len(list(folder.iterdir())) == count)
        started = time.monotonic()
        if whom == "group":
            os.killpg(process.pid, sent)
        else:
            process.send_signal(sent)
        assert process.wait(timeout=30) == status
        assert time.monotonic() - started < 30
        pids = [int(path.name) for path in folder.iterdir()]
        wait_for(lambda: not any(map(is_running, pids)), 20)
        if sent != signal.SIGKILL:
            assert process.stderr.read() == b""
