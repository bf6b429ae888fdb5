"""One pool of worker processes; results come back in the order of the work."""

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar

from varcall.errors import WorkerError

Plan = TypeVar("Plan")
Item = TypeVar("Item", contravariant=True)
Result = TypeVar("Result", covariant=True)
Argument = TypeVar("Argument")

# Bundles handed out ahead of the one whose result is waited for, per process.
_AHEAD = 4

_make: Callable[[], Any]
_caller: Any = None


class Caller(Protocol[Item, Result]):
    """What a worker process keeps: made once from a plan, called once per item."""

    def call(self, item: Item, /) -> Result:
        """Do one item's work."""
        ...


def _settle() -> None:
    """Make a process one that its parent ends."""
    # A fork has its parent's handler, which would wait for the end of a kernel.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _initialise(make: Callable[[Any], Any], plan: object) -> None:
    global _make
    _settle()
    # Made by the first call: an error raised here would only say that the pool is broken.
    _make = partial(make, plan)


def _end_with_parent() -> None:
    """Leave no worker behind when the parent is killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _call(items: Sequence[object]) -> list[object]:
    global _caller
    if _caller is None:
        _caller = _make()
    return [_caller.call(item) for item in items]


def run_in_order(
    make: Callable[[Plan], Caller[Item, Result]],
    plan: Plan,
    items: Sequence[Item],
    processes: int,
    bundle: Callable[[Sequence[Item]], Iterable[Sequence[Item]]] | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, result) in the order of the items.

    `bundle` cuts the items into those that a process is given at a time; None gives it one. With
    one process everything runs in this one, which is simpler to debug and to profile. What an
    item's work raises is raised here; on the way out, for whatever reason, the processes are ended.

    Raises
    ------
    WorkerError
        When a worker process dies.
    """
    if processes <= 1:
        caller = make(plan)
        for item in items:
            yield item, caller.call(item)
    else:
        bundles = ((item,) for item in items) if bundle is None else bundle(items)
        yield from _in_processes(make, plan, bundles, processes)


@contextmanager
def beside(
    work: Callable[[Argument], None], arguments: Sequence[Argument], processes: int
) -> Iterator[None]:
    """Do pieces of work in processes while the block runs.

    One piece alone is done after the block, and so are all with one process. What they raise is
    raised at the end.

    Raises
    ------
    WorkerError
        When a process dies.
    """
    processes = min(processes, len(arguments))
    if processes <= 1:
        yield
        for argument in arguments:
            work(argument)
        return
    context = multiprocessing.get_context(start_method())
    try:
        with ProcessPoolExecutor(processes, context, initializer=_settle) as executor:
            with interrupts_held():
                begun = [executor.submit(work, argument) for argument in arguments]
            yield
            for future in begun:
                future.result()
    except BrokenProcessPool:
        raise WorkerError(
            "a process that helped died: it may have run out of memory; try --threads 1"
        ) from None


def start_method() -> str:
    """Return how processes are started here: forked where that is safe, else spawned.

    A fork has all that is imported and compiled, for nothing; spawned, each process pays a second
    for it. But a fork of a process with several threads, of torch or of a BLAS, can hang.
    """
    try:
        threads = len(os.listdir("/proc/self/task"))
    except OSError:
        return "spawn"
    return "fork" if threads == 1 else "spawn"


def _in_processes(
    make: Callable[[Plan], Caller[Item, Result]],
    plan: Plan,
    bundles: Iterable[Sequence[Item]],
    processes: int,
) -> Iterator[tuple[Item, Result]]:
    context = multiprocessing.get_context(start_method())
    # Looking for garbage among all that a fork was born with would copy it, page by page.
    gc.freeze()
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(
        processes, mp_context=context, initializer=_initialise, initargs=(make, plan)
    )
    waiting: deque[tuple[Sequence[Item], Future[Any]]] = deque()
    try:
        for items in bundles:
            with interrupts_held():
                waiting.append((items, executor.submit(_call, items)))
            if len(waiting) > _AHEAD * processes:
                yield from _first(waiting)
        while waiting:
            yield from _first(waiting)
    except BrokenProcessPool:
        # Of a broken pool all that was handed out fails alike: the first of it is the nearest.
        lost = [items for items, future in waiting if not future.done() or future.exception()]
        where = f" on {lost[0][0]} or nearby" if lost else ""
        raise WorkerError(
            f"a worker process died{where}: it may have run out of memory; try fewer --threads"
        ) from None
    except BaseException:
        # What still runs is not wanted any more, and a window may take a minute.
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        gc.unfreeze()


def _first(
    waiting: deque[tuple[Sequence[Item], Future[list[Result]]]],
) -> Iterator[tuple[Item, Result]]:
    """Wait for the oldest bundle, and only then forget it."""
    items, future = waiting[0]
    results = future.result()
    waiting.popleft()
    return zip(items, results, strict=True)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back, for good in processes started inside: ending them is the parent's task.

    A terminal sends it to all of them, and each would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
