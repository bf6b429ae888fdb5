"""A Dask scheduler and workers on the loopback interface, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.processes import group_ended, wait_for

ROOT = Path(__file__).resolve().parents[1]

# What a file's name in the folder says is done by the worker that is given the window at START.
ORDERS = """
import os, pathlib, signal
import varcall.version

folder = pathlib.Path(os.environ["ORDERS"])
varcall.version.__version__ = os.environ.get("PRETENDED_VERSION", varcall.version.__version__)

from varcall.errors import InputError
from varcall.workers.window_worker import Worker

def obedient(original):
    def call(self, window):
        if (folder / f"wrong-{window.start}").exists():
            raise InputError("what the file says is wrong: mend it")
        if (folder / f"always-{window.start}").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            (folder / f"once-{window.start}").unlink()
        except FileNotFoundError:
            return original(self, window)
        os.kill(os.getpid(), signal.SIGKILL)

    return call

# Dask may run this twice in a process.
Worker.call = obedient(Worker.call)
"""


class RunningCluster:
    """The processes; `orders` is a folder of files that say what workers do."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self.orders = folder / "orders"
        self.orders.mkdir()
        (folder / "orders.py").write_text(ORDERS)
        self._file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(self._file),
        )  # fmt: skip
        wait_for(lambda: self._file.exists() and "tcp://" in self._file.read_text())

    @property
    def name(self) -> str:
        """What `--executor` is given."""
        return "dask://" + self.address.removeprefix("tcp://")

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return self._file.read_text().partition('"tcp://')[2].partition('"')[0]

    def add_worker(self, version: str | None = None) -> subprocess.Popen[bytes]:
        """Start a worker with a nanny, which starts it again when it dies."""
        pretended = {} if version is None else {"PRETENDED_VERSION": version}
        return self._start(
            "worker", self.address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1",
            "--preload", str(self._folder / "orders.py"),
            "--local-directory", str(self._folder), **pretended,
        )  # fmt: skip

    def _start(self, what: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", *words],
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "ORDERS": str(self.orders),
                # Each death of a worker takes seconds.
                "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            }
            | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stack.enter_context(process)
        self._stack.enter_context(group_ended(process.pid))
        return process


@contextmanager
def running_cluster(folder: Path) -> Iterator[RunningCluster]:
    """Start a scheduler; it and what is added end with the block."""
    with ExitStack() as stack:
        yield RunningCluster(stack, folder)


def pids(client: Any) -> list[int]:
    """Return the process ids of the workers."""
    found: dict[str, int] = client.run(os.getpid)
    return sorted(found.values())


def n_tasks(client: Any) -> int:
    """Return how many tasks the scheduler knows of."""

    def count(dask_scheduler: Any) -> int:
        return len(dask_scheduler.tasks)

    found: int = client.run_on_scheduler(count)
    return found
