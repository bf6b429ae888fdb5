"""A local Dask cluster against the pool of the same size; workers that are killed.

Usage: python -m benchmarks.cluster [--work DIR] [--region 20:50000001-55000000] [--workers 2]
           [--repeats 3] [--kills 8] [--history DIR] [--no-record]

DIR is that of `benchmarks.simulated`, whose reads at 30x are used where they are there; REGION is
the part of them that is called. The local cluster is started and ended with each run, which counts.
Of a cluster that stays, one worker is killed at a random moment of each run, which must write the
same bytes.
`benchmarks.results` says where the tables are written.
"""

import argparse
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.inputs.slices import require_data
from benchmarks.results import add_options, report
from benchmarks.runs.callers import VARCALL, Job, varcall_with
from benchmarks.runs.costs import START_UP, Cost, around_middle, time_jobs
from benchmarks.runs.history import Table
from benchmarks.simulated import REGION, prepared
from tests.dask_cluster import RunningCluster, n_tasks, pids, running_cluster
from tests.processes import wait_for

DEPTH = 30


@dataclass(frozen=True, slots=True)
class Killed:
    """A run of which a worker was killed: seconds of the clock, and whether it was at work then."""

    wall: float
    was_working: bool
    is_same: bool


def overhead_table(pool: Cost, cluster: Cost, names: Sequence[str], of: str) -> Table:
    """Return the table of what both cost, the least of each, and by the pool; `of` what reads."""
    rows = []
    for name, cost in zip(names, (pool, cluster), strict=True):
        start_up = cost.start_up.usage
        rows.append(
            [
                name,
                f"{cost.wall:.1f}",
                f"{cost.best.usage.cpu:.1f}",
                f"{start_up.wall:.1f}",
                f"{start_up.cpu:.1f}",
                f"{cost.wall / pool.wall:.2f}",
                f"{cost.best.usage.cpu / pool.best.usage.cpu:.2f}",
                f"{cost.cpu / pool.cpu:.2f}",
            ]
        )
    written = {run.job.output.read_bytes() for cost in (pool, cluster) for run in cost.runs}
    notes = [
        of,
        f"least of {len(pool.runs)} runs in turn, start and end of the processes in it; start-up "
        f"is a call of {START_UP:,} bases",
        "all wrote the same bytes" if len(written) == 1 else "NOT all wrote the same bytes",
    ]
    titles = ["windows called by", "wall s", "CPU s", "start-up wall s", "start-up CPU s"]
    titles += ["wall by the pool", "CPU by the pool", "CPU without start-up by the pool"]
    return Table("overhead", titles, rows, notes)


def killed_run(
    cluster: RunningCluster, job: Job, expected: bytes, seconds: float, chance: random.Random
) -> Killed:
    """Call while one worker of a cluster is killed within some seconds of the first task."""
    from distributed import Client

    caller = varcall_with("killed", f"--executor {cluster.name}")
    was_working = []
    with Client(cluster.address, set_as_default=False) as client:
        workers = len(client.scheduler_info()["workers"])

        def kill() -> None:
            wait_for(lambda: n_tasks(client) > 2)
            time.sleep(chance.uniform(0, seconds))
            was_working.append(n_tasks(client) > 2)
            os.kill(chance.choice(pids(client)), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        wall = caller.run(job).wall
        killer.join()
        client.wait_for_workers(workers, timeout=120)
    return Killed(wall, was_working == [True], job.output.read_bytes() == expected)


def kills_table(runs: Sequence[Killed], undisturbed: float, of: str) -> Table:
    """Return the table of the runs with a kill, beside the seconds of one without."""
    row = [
        f"{len(runs)}",
        f"{sum(one.was_working for one in runs)}",
        f"{sum(one.is_same for one in runs)}",
        f"{statistics.median(one.wall for one in runs):.1f}",
        f"{undisturbed:.1f}",
    ]
    titles = ["kills", "while windows were out", "same bytes", "median wall s", "wall s without"]
    return Table("kills", titles, [row], [of, "a scheduler and workers that run all the time"])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="folder of the simulated reads")
    parser.add_argument("--region", default=REGION)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kills", type=int, default=8)
    add_options(parser)
    arguments = parser.parse_args()
    require_data()
    workers = arguments.workers
    with tempfile.TemporaryDirectory(prefix="varcall-cluster-") as temporary:
        directory = Path(temporary)
        reads = prepared(REGION, DEPTH, arguments.work or directory)
        job = Job(reads.reads, reads.reference, arguments.region, directory / "out.vcf.gz")
        local = varcall_with("local", f"--executor dask-local:{workers}")
        jobs = [("pool", VARCALL, replace(job, threads=workers)), ("cluster", local, job)]
        costs = time_jobs(jobs, arguments.repeats, directory)
        names = [f"`-t {workers}`", f"`--executor dask-local:{workers}`"]
        of = f"{arguments.region} of ART's reads at {DEPTH}x"
        tables = [overhead_table(costs["pool"], costs["cluster"], names, of)]
        if arguments.kills:
            runs, undisturbed = _kills(
                arguments, job, costs["pool"].best.job.output.read_bytes(), directory
            )
            tables.append(kills_table(runs, undisturbed, of))
    report(arguments, "cluster", "Windows on a Dask cluster", tables)


def _kills(
    arguments: argparse.Namespace, job: Job, expected: bytes, directory: Path
) -> tuple[list[Killed], float]:
    """Return the runs with a kill, and the seconds of one without."""
    with running_cluster(directory) as cluster:
        for _ in range(arguments.workers):
            cluster.add_worker()
        caller = varcall_with("cluster", f"--executor {cluster.name}")
        # The first run makes what its workers keep.
        short = replace(job, region=around_middle(job.region, START_UP))
        start_up, whole = [caller.run(one).wall for one in (short, short, job)][1:]
        chance = random.Random(1)
        # Mostly before the last windows are done.
        seconds = 0.8 * max(0.0, whole - start_up)
        runs = [killed_run(cluster, job, expected, seconds, chance) for _ in range(arguments.kills)]
    return runs, whole


if __name__ == "__main__":
    main()
