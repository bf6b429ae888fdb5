"""Where the windows of a call are called: in processes of this machine, or on a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from varcall.errors import UsageError
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.workers.schedule import call_windows
from varcall.workers.window_worker import WindowResult, WorkerPlan

Executor = Callable[[WorkerPlan, Sequence[Region]], Iterator[tuple[Region, WindowResult]]]
"""Calls windows by a plan, and yields each with its result, in order: `call_windows` in processes
of this machine, `DaskCluster.call_windows` on those of a cluster."""


@contextmanager
def opened_executor(options: CallOptions) -> Iterator[Executor]:
    """Yield what calls the windows of a run.

    Raises
    ------
    UsageError
        The options name a cluster, and the package for it is missing.
    WorkerError
        The cluster does not answer.
    """
    if options.executor is None:
        yield partial(call_windows, processes=options.threads)
        return
    try:
        # Only now: it takes a second, and is an extra.
        from varcall.workers.cluster import opened_cluster
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--executor needs the package {error.name}: pip install 'varcall-pileup[dask]'"
        ) from error
    with opened_cluster(options.executor) as cluster:
        yield cluster.call_windows
