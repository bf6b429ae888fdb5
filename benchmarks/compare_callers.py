"""Time varcall, bcftools and freebayes in one run, one thread each, on the same reads.

Usage: python -m benchmarks.compare_callers [--real] [--simulated [20:50000001-55000000]]
           [--work DIR] [--repeats 3] [-m MODEL] [--history DIR] [--no-record]

Without --real or --simulated it does both. Each is timed (CPU seconds, wall, peak memory, start-up
apart, varcall by stage), extrapolated to a genome beside the budget, and its calls are compared
between three ways of running varcall (`benchmarks.scores.agreement`). The real slice is short, so
it is timed once more many times over (`benchmarks.inputs.repeated`): that is what tells the cost of
calling.
--work DIR keeps the simulated files, or holds them already: ref.fa, truth.vcf.gz, 30x.bam.
`benchmarks.results` says where the tables are written.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.accuracy import slice_table
from benchmarks.inputs.cram import as_cram
from benchmarks.inputs.repeated import repeat
from benchmarks.inputs.slices import SLICES, StagedSlice, require_data, stage
from benchmarks.results import add_options, report
from benchmarks.runs.callers import PEERS, VARCALL, Job, timings_path
from benchmarks.runs.costs import Cost, parts, time_jobs
from benchmarks.runs.history import Table, slug
from benchmarks.runs.stages import Stages, genome_table, stage_table
from benchmarks.scores.agreement import REFERENCE_VARIANT, agreement_of, agreement_tables, verdict
from benchmarks.simulated import REGION, prepared

DEPTH = 30
TIMED = "HG002 30x 10.0M"
COPIES = 20
"""Of the timed slice, in a run of its own: once, most of what a call costs is start-up."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Largest share of a peer's CPU seconds, start-up left out, that varcall may take."""

    of: Mapping[str, float]


REAL_TARGETS = Targets({"bcftools": 0.25})
SIMULATED_TARGETS = Targets({"bcftools": 0.5, "freebayes": 0.35})


def time_callers(
    staged: StagedSlice, repeats: int, directory: Path, model: str | None
) -> dict[str, Cost]:
    """Time varcall, also on a CRAM, its reference variant and the peers on one slice."""
    job = Job(staged.reads, staged.reference, staged.slice.region, Path(), model=model)
    callers = (VARCALL, REFERENCE_VARIANT, *(peer for peer in PEERS if peer.available()))
    jobs = [(caller.name, caller, job) for caller in callers]
    cram = replace(job, reads=as_cram(job.reads, job.reference, directory))
    jobs.insert(1, (f"{VARCALL.name}, CRAM", VARCALL, cram))
    return time_jobs(jobs, repeats, directory)


def cost_table(costs: Mapping[str, Cost], targets: Targets) -> Table:
    """Return the table of costs, with the share of each peer's CPU seconds of calling."""
    peers = [peer.name for peer in PEERS if peer.name in costs]
    titles = ["caller", "CPU s, least", "median", "start-up CPU s", "CPU s of calling"]
    titles += ["wall s, least", "median", "peak MB", *(f"by {name}" for name in peers)]
    rows = []
    for name, cost in costs.items():
        seconds = (cost.best.usage.cpu, cost.median_cpu, cost.start_up.usage.cpu, cost.cpu)
        cells = [f"{value:.2f}" for value in (*seconds, cost.wall, cost.median_wall)]
        cells.append(f"{cost.peak_mb:.0f}")
        cells += [f"{cost.cpu / costs[peer].cpu:.2f}" for peer in peers]
        rows.append([name, *cells])
    return Table("callers", titles, rows, list(target_notes(costs, targets)))


def target_notes(costs: Mapping[str, Cost], targets: Targets) -> Iterator[str]:
    """Say of each target whether it was reached, start-up left out on both sides."""
    mine = costs[VARCALL.name]
    for peer, target in targets.of.items():
        if peer in costs:
            share = mine.cpu / costs[peer].cpu
            total = costs[peer].best.usage.cpu
            reached = "reached" if share <= target else "not reached"
            yield (
                f"calling by {peer}'s calling: {share:.3f}, wanted at most {target}: {reached}; "
                f"by all of {peer}'s run {mine.cpu / total:.3f}, "
                f"all by all {mine.best.usage.cpu / total:.3f}"
            )


def best_stages(cost: Cost) -> Stages:
    """Read the stages of the run of the least CPU time, less those of its start-up."""
    best, start_up = (Stages.read(timings_path(run.job)) for run in (cost.best, cost.start_up))
    return best.less(start_up)


def cost_tables(costs: Mapping[str, Cost], targets: Targets) -> list[Table]:
    """Return the tables of what one slice cost, varcall's ways by stage."""
    ways = (VARCALL.name, REFERENCE_VARIANT.name)
    stages = [stage_table(f"stages-{name}", costs[name], best_stages(costs[name])) for name in ways]
    return [cost_table(costs, targets), *stages]


def _real(arguments: argparse.Namespace, directory: Path) -> None:
    require_data()
    staged = [stage(item, directory) for item in SLICES]
    timed = next(item for item in staged if item.slice.name == TIMED)
    many = repeat(timed, COPIES, directory)
    _report_costs(timed, REAL_TARGETS, directory, arguments)
    _report_costs(many, REAL_TARGETS, directory, arguments, with_genome=True)
    _report_agreement("real slices", staged, directory, arguments)


def _simulated(arguments: argparse.Namespace, directory: Path) -> None:
    staged = prepared(arguments.simulated, DEPTH, arguments.work or directory / "simulated")
    _report_costs(staged, SIMULATED_TARGETS, directory, arguments, with_genome=True)
    _report_agreement(staged.slice.name, [staged], directory, arguments)


def _report_costs(
    staged: StagedSlice,
    targets: Targets,
    directory: Path,
    arguments: argparse.Namespace,
    *,
    with_genome: bool = False,
) -> None:
    """Time the callers on one slice and report it, a genome extrapolated from it where wanted."""
    costs = time_callers(staged, arguments.repeats, directory, arguments.model)
    tables = cost_tables(costs, targets)
    if with_genome:
        _, start, end = parts(staged.slice.region)
        varcall = costs[VARCALL.name]
        peers = {caller: cost for caller, cost in costs.items() if caller != VARCALL.name}
        tables.append(genome_table(varcall, best_stages(varcall), end - start + 1, peers))
    title = (
        f"Cost of calling {staged.slice.name}, {staged.slice.region}: one thread each, "
        f"{arguments.repeats} runs in turn; start-up: a call of 2 kb in the middle of the region, "
        "least of as many; calling: the least run less that"
    )
    report(arguments, f"cost-{slug(staged.slice.name)}", title, tables)


def _report_agreement(
    name: str, staged: Sequence[StagedSlice], directory: Path, arguments: argparse.Namespace
) -> None:
    """Score the three ways of varcall on some slices and report in what they differ."""
    rows, found = agreement_of(staged, directory, arguments.model)
    title = f"Triage and engines against all pictures in fp32, {name}"
    tables = [*agreement_tables(found, verdict(rows)), slice_table(rows)]
    report(arguments, f"agreement-{slug(name)}", title, tables)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", action="store_true", help=f"time {TIMED}, compare all slices")
    parser.add_argument("--simulated", nargs="?", const=REGION, help="inside 20:50-55M")
    parser.add_argument("--work", type=Path, help="folder of the simulated files, kept")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    add_options(parser)
    arguments = parser.parse_args()
    if not (arguments.real or arguments.simulated):
        arguments.real, arguments.simulated = True, REGION
    return arguments


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="varcall-compare-") as temporary:
        directory = Path(temporary)
        if arguments.real:
            _real(arguments, directory)
        if arguments.simulated:
            _simulated(arguments, directory)


if __name__ == "__main__":
    main()
