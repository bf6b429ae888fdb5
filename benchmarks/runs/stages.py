"""varcall's CPU seconds by stage, and what they come to for a genome, beside the budget."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.runs.costs import Cost
from benchmarks.runs.history import Table

GENOME = 3.1e9
"""Bases of a human genome."""

PROFILE = "profile"
"""The one stage whose cost is the sample's, not the region's."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Core-minutes that the design allows for some stages of a 30x genome."""

    name: str
    stages: tuple[str, ...]
    minutes: float


BUDGETS = (
    Budget("read BAM into arrays", ("read",), 20),
    Budget("candidates, haplotypes, features", ("candidates", "haplotypes", "features"), 15),
    Budget("local reassembly", ("realign",), 40),
    Budget("triage", ("triage",), 3),
    Budget("images (prompts too)", ("prompts", "images"), 3),
    Budget("model", ("model",), 30),
    Budget("genotype, VCF", ("genotype", "write"), 5),
    Budget("blocks of a gVCF", ("blocks",), 4),
)
WHOLE_BUDGET = 120.0
"""Core-minutes of everything: less than two core-hours."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What `varcall call --timings` wrote: CPU seconds by stage, and counts of what was seen."""

    seconds: Mapping[str, float]
    counts: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> "Stages":
        """Read the TSV."""
        seconds: dict[str, float] = {}
        counts: dict[str, int] = {}
        for line in path.read_text().splitlines()[1:]:
            name, value = line.split("\t")[:2]
            if name.startswith("# "):
                counts[name[2:]] = int(value)
            else:
                seconds[name] = float(value)
        return cls(seconds, counts)

    def less(self, start_up: "Stages") -> "Stages":
        """Return what calling itself cost: stages without what they cost at the start, once."""
        seconds = {
            name: value if name == PROFILE else value - start_up.seconds[name]
            for name, value in self.seconds.items()
        }
        return replace(self, seconds=seconds)

    def of(self, names: tuple[str, ...]) -> float:
        """CPU seconds of some stages."""
        return sum(self.seconds[name] for name in names)

    @property
    def by_length(self) -> float:
        """CPU seconds of all stages whose cost grows with the region."""
        return sum(self.seconds.values()) - self.seconds[PROFILE]

    def seen(self) -> str:
        """Say what was counted."""
        return ", ".join(f"{count:,} {name}" for name, count in self.counts.items())


def stage_table(name: str, cost: Cost, stages: Stages) -> Table:
    """Return the table of the best run's CPU seconds: start-up, stages, and what is in no stage."""
    total = cost.best.usage.cpu
    rows = [("start-up (a call of 2 kb, profile and loading in it)", total - cost.cpu)]
    rows += [(name, value) for name, value in stages.seconds.items() if name != PROFILE]
    rows += [("in no stage", cost.cpu - stages.by_length), ("all", total)]
    cells = [[name, f"{value:.3f}", f"{value / total:.3f}"] for name, value in rows]
    profile = f"Of the start-up, {stages.seconds[PROFILE]:.3f} s are the library profile."
    return Table(name, ["stage", "CPU s", "share"], cells, [profile, f"One run: {stages.seen()}."])


def minutes_of_genome(seconds: float, bases: int) -> float:
    """Core-minutes of a genome, from CPU seconds of some bases."""
    return seconds * GENOME / bases / 60


def genome_table(cost: Cost, stages: Stages, bases: int, peers: Mapping[str, Cost]) -> Table:
    """Return the table of what a genome would cost by stage, beside the budget.

    Parameters
    ----------
    bases
        Length of the region that `cost` and `stages` are of.
    peers
        Costs of the other callers on the same region.
    """
    factor = minutes_of_genome(1.0, bases)
    rows = []
    for budget in BUDGETS:
        rows.append(_row(budget.name, f"{budget.minutes:.0f}", stages.of(budget.stages), factor))
    rows.append(_row("in no stage", "-", cost.cpu - stages.by_length, factor))
    start_up = cost.start_up.usage.cpu
    rows.append(_row("start-up and profile, once", "-", start_up, 1 / 60))
    minutes = cost.cpu * factor + start_up / 60
    rows.append(["all", f"{WHOLE_BUDGET:.0f}", f"{cost.best.usage.cpu:.2f}", "", f"{minutes:.1f}"])
    titles = ["stage", "budget, core-min", f"CPU s of {bases:,} bases", "×", "core-min of a genome"]
    hours = [f"varcall {minutes / 60:.2f}"]
    hours += [
        f"{name} {minutes_of_genome(peer.cpu, bases) / 60:.2f}" for name, peer in peers.items()
    ]
    pictures = stages.counts["pictures"] * GENOME / bases
    notes = [
        f"Core-minutes of a genome = CPU s × {GENOME:,.0f} bases / {bases:,} bases / 60 "
        f"= CPU s × {factor:.3f}; start-up is paid once, and divided by 60 alone.",
        f"Core-hours of a genome: {', '.join(hours)} (budget: under {WHOLE_BUDGET / 60:.0f}).",
        f"Pictures: {pictures / 1e6:.2f} M.",
    ]
    return Table("genome", titles, rows, notes)


def _row(name: str, budget: str, seconds: float, factor: float) -> list[str]:
    return [name, budget, f"{seconds:.2f}", f"{factor:.3f}", f"{seconds * factor:.1f}"]
