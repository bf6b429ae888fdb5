"""The windows of a call on the workers of a Dask cluster; a lost worker's are called again."""

import logging
import pkgutil
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, LocalCluster
from distributed import wait as wait_for

from models.registry import BUNDLED_SHA256
from varcall.errors import WorkerError
from varcall.inputs.regions import Region
from varcall.version import __version__
from varcall.workers.cluster_task import call_bundle, forget, trouble, unchanged
from varcall.workers.finished_windows import Compute
from varcall.workers.plan import WorkerPlan
from varcall.workers.pool import interrupts_held
from varcall.workers.schedule import bundle_windows
from varcall.workers.window_worker import WindowResult
from varcall.workers.worker_check import Requirements

_log = logging.getLogger(__name__)

# Bundles handed out ahead of the oldest unfinished one, per worker.
_AHEAD = 4
_CONNECT_SECONDS = 15
_POLL_SECONDS = 1.0
PATIENCE_SECONDS = 600.0
"""How long a run waits for a cluster without workers: queues of batch systems take their time."""


_Answer = Future[list[WindowResult] | Exception]


class DaskCluster:
    """A connection to a cluster.

    Parameters
    ----------
    client
        Connected.
    name
        What the user called it.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    def checked(self, plan: WorkerPlan) -> Compute:
        """See that the workers can do what a plan says; return what calls windows by it.

        That yields (window, result) in order, as `varcall.workers.schedule.call_windows` does. It
        raises WorkerError when a window ends each worker that it is given to, or the cluster is
        lost, and all that `Worker` raises there.

        Raises
        ------
        WorkerError
            A worker lacks something, or the cluster is lost.
        """
        plan = _with_absolute_paths(plan)
        requirements = Requirements.of(plan.inputs, plan.model, plan.given)
        with self._connected():
            workers = max(1, self._check_workers(requirements))
        return partial(self._call_windows, (plan, requirements), workers)

    def _call_windows(
        self, work: tuple[WorkerPlan, Requirements], workers: int, todo: Sequence[Region]
    ) -> Iterator[tuple[Region, WindowResult]]:
        if not todo:
            return
        bundles = bundle_windows(todo, work[0].inputs, workers)
        with self._connected(), _submitting(self._client, work, self._name) as run:
            yield from run.results(bundles, workers)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Say what it means that the cluster is lost within the block."""
        try:
            yield
        except (CancelledError, OSError) as error:
            raise WorkerError(
                f"the connection to {self._name} was lost ({error or type(error).__name__}): see "
                "whether its scheduler still runs, and call again, with --workdir and --resume to "
                "keep what is finished"
            ) from error

    def _check_workers(self, requirements: Requirements) -> int:
        """See that scheduler and workers can do the work; return how many workers there are.

        Those that come later check themselves.
        """
        workers = self._client.scheduler_info()["workers"]
        if not workers:
            _log.warning("%s has no workers yet: waiting for them", self._name)
        if any(worker["nthreads"] > 1 for worker in workers.values()):
            _log.warning(
                "workers of %s have several threads, of which varcall uses one: start them with "
                "--nthreads 1",
                self._name,
            )
        # First what needs nothing of varcall there; the scheduler takes the tasks apart.
        probe = pkgutil.resolve_name, "varcall.version:__version__"
        try:
            on_scheduler = self._client.run_on_scheduler(*probe)
        except ImportError as error:
            on_scheduler = error
        _require_version(f"the scheduler of {self._name}", on_scheduler)
        for address, answer in _sorted(self._client.run(*probe, on_error="return")):
            _require_version(f"the Dask worker {address}", answer)
        for address, lacks in _sorted(self._client.run(trouble, requirements, on_error="return")):
            if isinstance(lacks, str):
                raise WorkerError(f"the Dask worker {address} {lacks}")
        return len(workers)


@dataclass(slots=True)
class _Bundle:
    """Windows that were handed out together; `future` is None once their results are here."""

    windows: Sequence[Region]
    future: _Answer | None
    results: list[WindowResult] | None = None


class _Run:
    """The tasks of one run.

    Its plan is the result of a task, too: the cluster keeps it where it is needed, and makes it
    again where a worker that had it was lost.
    """

    def __init__(self, client: Client, work: tuple[WorkerPlan, Requirements], cluster: str) -> None:
        self._client = client
        self._cluster = cluster
        self._name = f"varcall-{uuid.uuid4().hex}"
        self._count = 0
        self._workers_seen = time.monotonic()
        self._plan = client.submit(unchanged, work, key=f"{self._name}-plan", pure=False)
        self._handed: set[Future[Any]] = {self._plan}

    def results(
        self, bundles: Iterable[Sequence[Region]], workers: int
    ) -> Iterator[tuple[Region, WindowResult]]:
        """Yield the results of bundles in order; few are on the cluster or here at a time."""
        ahead: deque[_Bundle] = deque()
        for windows in bundles:
            ahead.append(_Bundle(windows, self._submit(windows)))
            if len(ahead) > _AHEAD * workers:
                yield from self._first(ahead)
        while ahead:
            yield from self._first(ahead)

    def end(self) -> None:
        """Take back what was handed out, and let the workers forget the plan."""
        self._client.cancel(list(self._handed), force=True)
        self._client.run(forget, self._name, on_error="ignore")

    def _first(self, ahead: deque[_Bundle]) -> Iterator[tuple[Region, WindowResult]]:
        """Wait for the oldest bundle."""
        oldest = ahead[0]
        while oldest.results is None:
            running = [bundle for bundle in ahead if bundle.future is not None]
            if running:
                self._collect(running)
            else:
                # Dask blames all tasks that a dead worker had; alone, none is blamed for another.
                oldest.results = [self._alone(window) for window in oldest.windows]
        ahead.popleft()
        return zip(oldest.windows, oldest.results, strict=True)

    def _alone(self, window: Region) -> WindowResult:
        """Call a window while the cluster does nothing else for this run."""
        bundle = _Bundle([window], self._submit([window]))
        while bundle.future is not None:
            self._collect([bundle])
        if bundle.results is None:
            raise WorkerError(
                f"{window} ended each worker of {self._cluster} that it was given to: they may "
                "have run out of memory; give them more, or try a smaller --window or --max-depth"
            )
        return bundle.results[0]

    def _submit(self, windows: Sequence[Region]) -> _Answer:
        self._count += 1
        key = f"{self._name}-{self._count}"
        future = self._client.submit(
            call_bundle, self._name, self._plan, tuple(windows), key=key, pure=False
        )
        self._handed.add(future)
        return future

    def _collect(self, running: Sequence[_Bundle]) -> None:
        """Wait a moment for some of the bundles, and take the results of those that are done.

        One whose workers died has neither future nor results then.
        """
        futures = {bundle.future: bundle for bundle in running if bundle.future is not None}
        try:
            with self._client.as_current():
                wait_for(list(futures), timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            self._check_workers_left(running[0].windows[0])
            return
        self._workers_seen = time.monotonic()
        for future, bundle in futures.items():
            if future.done():
                bundle.results, bundle.future = self._taken(future), None

    def _taken(self, future: _Answer) -> list[WindowResult] | None:
        """Return the results of a task that is done, None where its workers died."""
        self._handed.discard(future)
        try:
            answer = future.result()
        except KilledWorker:
            return None
        except ImportError as error:
            raise WorkerError(
                f"a worker that {self._cluster} got meanwhile cannot import this varcall "
                f"({error}): install the same version on all"
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _check_workers_left(self, window: Region) -> None:
        now = time.monotonic()
        if self._client.scheduler_info()["workers"]:
            self._workers_seen = now
        elif now - self._workers_seen > PATIENCE_SECONDS:
            raise WorkerError(
                f"{self._cluster} has had no workers for {PATIENCE_SECONDS:.0f} s, and {window} is "
                "still to be called: start some, and call again, with --workdir and --resume to "
                "keep what is finished"
            )


@contextmanager
def opened_cluster(name: str) -> Iterator[DaskCluster]:
    """Connect to a cluster, or start one here; it is left or ended on the way out.

    Parameters
    ----------
    name
        `dask://HOST:PORT` of a scheduler, or `dask-local:N` for N processes of this machine.

    Raises
    ------
    WorkerError
        No scheduler answers there.
    """
    kind, _, where = name.partition(":")
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if kind == "dask-local":
            where = stack.enter_context(_local(int(where))).scheduler_address
        try:
            # The address has no protocol: whether it is TLS, Dask's configuration says.
            client = Client(
                where.removeprefix("//"), timeout=_CONNECT_SECONDS, set_as_default=False
            )
        except OSError as error:
            raise WorkerError(
                f"no Dask scheduler answers at {name}: start one with dask scheduler, or mend the "
                "address"
            ) from error
        yield DaskCluster(stack.enter_context(client), name)


@contextmanager
def _local(workers: int) -> Iterator[LocalCluster]:
    with tempfile.TemporaryDirectory(prefix="varcall-", ignore_cleanup_errors=True) as folder:
        # Threads and processes that are started inside never see Ctrl-C.
        with interrupts_held():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,  # as in the pool
                # Any free port: another run may have Dask's own.
                dashboard_address="127.0.0.1:0",
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
        with cluster:
            yield cluster


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own messages back: what a user must know is said here."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _submitting(
    client: Client, work: tuple[WorkerPlan, Requirements], cluster: str
) -> Iterator[_Run]:
    run = _Run(client, work, cluster)
    try:
        yield run
    finally:
        # Nothing is to be taken back from a cluster that is lost.
        with suppress(OSError, CancelledError):
            run.end()


def _with_absolute_paths(plan: WorkerPlan) -> WorkerPlan:
    """Return a plan that can be followed from any folder."""
    inputs, given = plan.inputs, plan.given
    model = Path(plan.model)
    if given is not None:
        given = replace(given, path=given.path.absolute(), index=given.index.absolute())
    return replace(
        plan,
        inputs=replace(
            inputs,
            reads=inputs.reads.absolute(),
            index=inputs.index.absolute(),
            reference=inputs.reference.absolute(),
        ),
        given=given,
        model=plan.model if plan.model in BUNDLED_SHA256 else str(model.absolute()),
    )


def _sorted(answers: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the answers of workers in the order of their addresses."""
    return sorted(answers.items(), key=lambda item: item[0])


def _require_version(process: str, answer: object) -> None:
    """See that a process of the cluster has this varcall; `answer` is its version or an error.

    What was lost meanwhile says nothing, and is no worker any more.
    """
    if isinstance(answer, ImportError):
        raise WorkerError(
            f"{process} cannot import varcall ({answer}): install varcall-pileup[dask] "
            f"{__version__} there"
        )
    if isinstance(answer, str) and answer != __version__:
        raise WorkerError(
            f"{process} runs varcall {answer}, this is {__version__}: install the same version on "
            "both"
        )
