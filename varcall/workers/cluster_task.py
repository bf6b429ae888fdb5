"""What runs in the processes of a cluster; its scheduler imports this too, so nothing heavy."""

import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from distributed import get_worker

from models.errors import ModelError
from varcall.errors import VarcallError, WorkerError
from varcall.inputs.regions import Region

if TYPE_CHECKING:
    from varcall.workers.plan import WorkerPlan
    from varcall.workers.window_worker import WindowResult, Worker
    from varcall.workers.worker_check import Requirements

    Work = tuple[WorkerPlan, Requirements]

# Workers may have several threads, but what calls windows is made for one.
_lock = threading.Lock()


class _Kept(NamedTuple):
    run: str
    worker: "Worker"


_kept: _Kept | None = None


def unchanged(work: "Work") -> "Work":
    """Return what it is given: as a task's result the cluster keeps it, or makes it again."""
    return work


def trouble(requirements: "Requirements") -> str | None:
    """Return what this process lacks, after its name, as `Requirements.trouble` does."""
    return requirements.trouble()


def call_bundle(
    run: str, work: "Work", windows: Sequence[Region]
) -> "list[WindowResult] | Exception":
    """Call windows; what is wrong with the run's inputs is returned, as it is no task's failure.

    Parameters
    ----------
    run
        Name of the run. What calls its windows is made by the first bundle and kept.
    work
        What its windows are called by, and what that needs.
    """
    global _kept
    with _lock:
        try:
            if _kept is None or _kept.run != run:
                _kept = None
                _kept = _Kept(run, _worker(work))
            worker = _kept.worker
            return [worker.call(window) for window in windows]
        except (VarcallError, ModelError, MemoryError) as error:
            return error


def forget(run: str) -> None:
    """Let go of what was kept for a run: model and open files."""
    global _kept
    if _kept is not None and _kept.run == run:
        _kept = None


def _worker(work: "Work") -> "Worker":
    from varcall.workers.window_worker import Worker

    plan, requirements = work
    if (lacks := requirements.trouble()) is not None:
        raise WorkerError(
            f"the Dask worker {get_worker().address} on {socket.gethostname()} {lacks}"
        )
    return Worker(plan)
