"""The realism report as one HTML page with its plots inside."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import groupby

import numpy as np

from varcall.output.html import inline_png, render_template, report_packages
from varcall.simulate.report.comparison import (
    PERCENTILES,
    Row,
    spell,
)

_BAND, _MEDIAN = "#c9ced4", "#8b929a"
_COLOURS = ("#e0218a", "#2b6cb8", "#2a9d4a", "#f0a81e", "#7a5fc0", "#30343a")


def render_page(rows: Sequence[Row], names: Sequence[str], depth: float, simulated: int) -> str:
    """Return the page: a plot and a table for every group of metrics.

    Raises
    ------
    OutputError
        jinja2 or matplotlib is missing.
    """
    groups = []
    for group, members in groupby(rows, key=lambda row: row.group):
        listed = list(members)
        groups.append(
            {
                "name": group,
                "plot": inline_png(_draw(listed, names)),
                "rows": [
                    {
                        "name": row.name,
                        "values": [
                            (spell(value), verdict)
                            for value, verdict in zip(row.real, row.verdicts, strict=True)
                        ],
                        "simulated": [spell(value) for value in row.simulated],
                    }
                    for row in listed
                ],
            }
        )
    return render_template(
        "realism_report.html",
        groups=groups,
        names=names,
        depth=f"{depth:.1f}",
        simulated=simulated,
        percentiles=[f"{percentile:g} %" for percentile in PERCENTILES],
        colours=_COLOURS,
    )


def _draw(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    """Draw a group: grey bars span the simulated 5 to 95 %, dots are the real samples.

    Metrics of a group differ in size, so each is drawn over its own simulated median.
    """
    with report_packages():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(7.2, 0.9 + 0.3 * len(rows)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    at = np.arange(len(rows))
    low, middle, high = np.array([row.simulated for row in rows]).T
    unit = np.where(middle != 0, np.abs(middle), np.where(high != 0, np.abs(high), 1.0))
    axes.barh(at, (high - low) / unit, left=low / unit, height=0.6, color=_BAND, zorder=1)
    axes.plot(middle / unit, at, "|", color=_MEDIAN, markersize=11, zorder=2)
    for number in range(len(names)):
        values = np.array([row.real[number] for row in rows]) / unit
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(values, at, "o", color=colour, markersize=5, zorder=3)
    axes.set_yticks(at, labels=[row.name for row in rows], fontsize=8)
    axes.set_xscale("symlog", linthresh=0.5)
    axes.set_xlabel("over the simulated median", fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(labelsize=8)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
