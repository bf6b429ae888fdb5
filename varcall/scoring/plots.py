"""Precision against recall, and stated against observed quality, as PNG and SVG."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from varcall.formats.text import as_utf8
from varcall.output.atomic import AtomicOutput
from varcall.scoring.happy.rows import Row
from varcall.scoring.metrics import CalibrationBin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

SUFFIXES = (".png", ".svg")
PRECISION_RECALL, CALIBRATION = PLOTS = (".precision_recall", ".calibration")
HIGHEST_PHRED = 60.0  # a bin without errors is drawn here


def _figure(columns: int) -> "tuple[Figure, Sequence[Axes]] | None":
    """An empty figure, or None where matplotlib is not installed."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        logger.warning("no plots are drawn: matplotlib is missing (pip install matplotlib)")
        return None
    matplotlib.rcParams["svg.hashsalt"] = "varcall"  # equal inputs give equal files
    figure = Figure(figsize=(5 * columns, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def _save(figure: "Figure", prefix: str) -> None:
    for suffix in SUFFIXES:
        metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
        with AtomicOutput(f"{prefix}{suffix}") as output:
            figure.savefig(output.path, format=suffix[1:], dpi=120, metadata=metadata)


def _plain(name: str) -> str:
    """Spell a name so that matplotlib shows it as it is: `$` begins a formula, `_` hides it."""
    return (" " if name.startswith("_") else "") + as_utf8(name).replace("$", r"\$")


def precision_recall_points(rows: Sequence[Row], kind: str) -> list[tuple[float, float]]:
    """Return (recall, precision) at each level of the score, all calls first."""
    chosen = [
        row
        for row in rows
        if row["Type"] == kind
        and row["Filter"] == "ALL"
        and row["Subtype"] == row["Subset"] == "*"
        and row["METRIC.Recall"]
        and row["METRIC.Precision"]
    ]
    chosen.sort(key=lambda row: -math.inf if row["QQ"] == "*" else float(row["QQ"]))
    points = [(float(row["METRIC.Recall"]), float(row["METRIC.Precision"])) for row in chosen]
    return [point for point in points if point != (0.0, 0.0)]


def plot_precision_recall(prefix: Path, callers: Mapping[str, Sequence[Row]]) -> None:
    """Draw precision against recall of SNPs and indels along the score, one line a caller."""
    drawn = _figure(2)
    if drawn is None:
        return
    figure, axes = drawn
    for axis, kind in zip(axes, ("SNP", "INDEL"), strict=True):
        for name, rows in callers.items():
            points = precision_recall_points(rows, kind)
            if points:
                recall, precision = zip(*points, strict=True)
                axis.plot(recall, precision, label=_plain(name), linewidth=1.4)
                axis.plot(recall[0], precision[0], "o", color=axis.lines[-1].get_color())
        axis.set(title=kind, xlabel="recall", ylabel="precision")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=8)
    _save(figure, f"{prefix}{PRECISION_RECALL}")


def plot_calibration(prefix: Path, callers: Mapping[str, Sequence[CalibrationBin]]) -> None:
    """Draw the observed against the stated genotype quality, one line a caller."""
    if not any(callers.values()):
        return
    drawn = _figure(1)
    if drawn is None:
        return
    figure, axes = drawn
    axis = axes[0]
    for name, bins in callers.items():
        stated = [item.mean_score for item in bins]
        observed = [min(item.observed, HIGHEST_PHRED) for item in bins]
        axis.plot(stated, observed, "o-", label=_plain(name), markersize=4, linewidth=1.2)
    axis.plot([0, HIGHEST_PHRED], [0, HIGHEST_PHRED], color="0.6", linestyle="--", linewidth=1)
    axis.set(xlabel="stated genotype quality", ylabel="observed genotype quality")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    _save(figure, f"{prefix}{CALIBRATION}")
