"""GQ found against GQ stated, with binomial error bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# What is wanted: within so many phred of the truth, between these GQ.
WITHIN, WANTED = 2, (5, 40)
HIGHEST = 50
ARROW = 3


@dataclass(frozen=True, slots=True)
class Point:
    """GQ stated and found, and the bounds of what was found; `found` is None without an error."""

    stated: float
    found: float | None
    bounds: tuple[float, float]


def plot(path: Path, sets: Mapping[str, Sequence[Point]]) -> None:
    """Draw sets of points; where no answer was wrong only the lower bound is known, an arrow."""
    # Equal figures give equal files, and text stays text.
    with matplotlib.rc_context({"svg.hashsalt": "varcall", "svg.fonttype": "none"}):
        figure = Figure(figsize=(5.5, 5), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        axis.plot([0, HIGHEST], [0, HIGHEST], color="0.5", linewidth=1)
        low, high = WANTED
        axis.fill_between(
            WANTED,
            [low - WITHIN, high - WITHIN],
            [low + WITHIN, high + WITHIN],
            color="0.9",
            label=f"within {WITHIN}",
        )
        for number, (name, points) in enumerate(sets.items()):
            shift = 0.4 * number - 0.2
            known = [(p.stated + shift, p.found, p.bounds) for p in points if p.found is not None]
            bars = [[y - b[0] for _, y, b in known], [b[1] - y for _, y, b in known]]
            (line, *_) = axis.errorbar(
                [x for x, _, _ in known], [y for _, y, _ in known], bars,
                fmt="o-", markersize=4, capsize=2, linewidth=1.2, label=name,
            )  # fmt: skip
            free = [(p.stated + shift, p.bounds[0]) for p in points if p.found is None]
            if free:
                axis.errorbar(
                    [x for x, _ in free], [y for _, y in free], ARROW, lolims=True, fmt="none",
                    capsize=3, color=line.get_color(), linewidth=1.2,
                )  # fmt: skip
        axis.set(xlim=(0, HIGHEST), ylim=(0, HIGHEST), xlabel="GQ stated")
        axis.set_ylabel("GQ found, 95 % (arrow: no wrong answer, at least this)")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
