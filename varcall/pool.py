"""One pool of worker processes; results come back in the order of the work."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from varcall.errors import WorkerError

Plan = TypeVar("Plan")
Item = TypeVar("Item", contravariant=True)
Result = TypeVar("Result", covariant=True)

# Items handed out ahead of the one whose result is waited for, per process.
_AHEAD = 4

_caller: Any = None


class Caller(Protocol[Item, Result]):
    """What a worker process keeps: made once from a plan, called once per item."""

    def call(self, item: Item, /) -> Result:
        """Do one item's work."""
        ...


def _initialise(make: Callable[[Any], Any], plan: object) -> None:
    global _caller
    _caller = make(plan)


def _call(item: object) -> object:
    return _caller.call(item)


def run_in_order(
    make: Callable[[Plan], Caller[Item, Result]],
    plan: Plan,
    items: Iterable[Item],
    processes: int,
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, result) in the order of the items.

    With one process everything runs in this one, which is simpler to debug and to profile. More
    are spawned, never forked: a fork after threads have started can hang torch.

    Raises
    ------
    WorkerError
        When a worker process dies.
    """
    if processes <= 1:
        caller = make(plan)
        for item in items:
            yield item, caller.call(item)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_initialise, initargs=(make, plan)
    ) as executor:
        waiting: deque[tuple[Item, Future[Any]]] = deque()
        try:
            for item in items:
                waiting.append((item, executor.submit(_call, item)))
                if len(waiting) > _AHEAD * processes:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _finished(item: Item, future: Future[Result]) -> tuple[Item, Result]:
    try:
        return item, future.result()
    except BrokenProcessPool:
        raise WorkerError(
            f"a worker process died on {item} or nearby: it may have run out of memory; "
            f"try fewer --threads"
        ) from None
