"""The windows of a call, in as many processes as asked: which windows each process is given."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from models.inference.engine import load_cuda_engine, may_use_cuda
from varcall.inputs.open import Inputs, occupied_spans_of
from varcall.inputs.regions import Region
from varcall.workers.plan import WorkerPlan
from varcall.workers.pool import run_in_order
from varcall.workers.shared_engine import EngineProcess
from varcall.workers.window_worker import WindowResult, Worker

# Windows with reads that go together at most. A process that goes on where it has been reads no
# block twice; an index only tells where each 16 kb begin, so elsewhere it begins a window early.
TOGETHER = 16
# Bundles a process should have to do at least, so that all end at about the same time.
EACH = 16
# Windows without reads cost next to nothing; this many go together at most.
EMPTY_TOGETHER = 512


def call_windows(
    plan: WorkerPlan, todo: Sequence[Region], processes: int
) -> Iterator[tuple[Region, WindowResult]]:
    """Yield (window, result) in order; workers share one engine where it runs on CUDA.

    Raises
    ------
    VarcallError
        As `Worker` and `run_in_order` do.
    """
    bundle = partial(bundle_windows, inputs=plan.inputs, processes=processes)
    if processes <= 1 or not may_use_cuda(plan.device, plan.engine):
        yield from run_in_order(Worker, plan, todo, processes, bundle)
        return
    load = partial(load_cuda_engine, plan.model, plan.device, plan.precision, engine=plan.engine)
    with EngineProcess(load, plan.model, processes) as process:
        address = process.address()
        plan = (
            replace(plan, device="cpu")
            if address is None
            else replace(plan, engine_address=address)
        )
        for window, result in run_in_order(Worker, plan, todo, processes, bundle):
            result.seconds["model"] += process.spent()
            yield window, result


def bundle_windows(
    windows: Sequence[Region], inputs: Inputs, processes: int
) -> Iterator[tuple[Region, ...]]:
    """Cut windows, which are in order, into those that one process is given at a time.

    They are balanced by the windows that hold reads, as the index tells, not by length.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    for contig, start, end in occupied_spans_of(inputs, 1):
        spans.setdefault(contig, []).append((start, end))
    holds_reads = [_overlaps(window, spans.get(window.contig, [])) for window in windows]
    size = min(TOGETHER, max(1, sum(holds_reads) // (EACH * processes)))
    bundle: list[Region] = []
    occupied = 0
    for window, has_reads in zip(windows, holds_reads, strict=True):
        bundle.append(window)
        occupied += has_reads
        if occupied == size or len(bundle) == EMPTY_TOGETHER:
            yield tuple(bundle)
            bundle, occupied = [], 0
    if bundle:
        yield tuple(bundle)


def _overlaps(window: Region, spans: Sequence[tuple[int, int]]) -> bool:
    """Tell whether a window overlaps one of the spans, which are sorted and lie apart."""
    index = bisect_left(spans, window.start, key=lambda span: span[1] - 1)
    return index < len(spans) and spans[index][0] < window.end
