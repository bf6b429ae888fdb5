"""The windows of a call, in as many processes as asked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from models.inference.engine import load_cuda_engine, may_use_cuda
from varcall.inputs.regions import Region
from varcall.workers.bundles import bundle_windows
from varcall.workers.pool import run_in_order
from varcall.workers.shared_engine import EngineProcess
from varcall.workers.window_worker import WindowResult, Worker, WorkerPlan


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
