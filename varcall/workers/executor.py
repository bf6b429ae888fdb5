"""Where the windows of a call are called: in processes of this machine, or on a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from varcall.errors import UsageError
from varcall.options import CallOptions
from varcall.workers.finished_windows import Compute
from varcall.workers.plan import WorkerPlan
from varcall.workers.schedule import call_windows


@contextmanager
def opened_executor(options: CallOptions, plan: WorkerPlan) -> Iterator[Compute]:
    """Yield what calls the windows of a run by its plan; the workers of a cluster are checked.

    Raises
    ------
    UsageError
        The options name a cluster, and the package for it is missing.
    WorkerError
        The cluster does not answer, or a worker of it lacks something.
    """
    if options.executor is None:
        yield partial(call_windows, plan, processes=options.threads)
        return
    try:
        # Only now: it takes a second, and is an extra.
        from varcall.workers.cluster import opened_cluster
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--executor needs the package {error.name}: pip install 'varcall-pileup[dask]'"
        ) from error
    with opened_cluster(options.executor) as cluster:
        yield cluster.checked(plan)
