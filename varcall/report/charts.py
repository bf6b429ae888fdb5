"""Charts as SVG that stands in the page: text stays text, and colours follow the page.

matplotlib draws them. Its colours are stand-ins, replaced by the page's variables, so that one
picture serves light, dark and paper; its text is left to the browser's font.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from varcall.output.html import report_packages
from varcall.report.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Variables of the page, by the colour that stands for each while matplotlib draws.
_INKS = {"#010101": "var(--ink)", "#020202": "var(--line)"}
_SERIES = {f"#0{number}0{number}10": f"var(--series-{number})" for number in range(1, 6)}
_COLOURS = list(_SERIES)
_INK, _LINE = _INKS
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_TAG = re.compile(r"<svg[^>]*?viewBox=\"([^\"]+)\"[^>]*>")
# A style inside an SVG is one of the whole page.
_NOT_WANTED = re.compile(r"\s*<(metadata|style)\b.*?</\1>", re.DOTALL)
_WIDTH, _HEIGHT = 6.4, 3.2  # inches
_PLAIN = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the numbers behind it.

    Attributes
    ----------
    svg
        Empty where there is nothing to draw.
    summary
        What it shows, in a sentence; or why there is nothing.
    """

    name: str
    title: str
    summary: str
    svg: str
    table: Table | None = None


def draw(name: str, title: str, summary: str, paint: "Callable[[Axes], None]") -> str:
    """Return a chart as an SVG element.

    Parameters
    ----------
    name
        Makes its ids unique in the page.
    title, summary
        What a screen reader says.
    paint
        Draws on the axes; `colour(n)` is the n-th colour.

    Raises
    ------
    OutputError
        matplotlib is missing.
    """
    with report_packages():
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    settings: dict[Any, object] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,  # equal inputs give equal files
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: equal everywhere
        "font.size": 9,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": _LINE,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "grid.color": _LINE,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "legend.frameon": False,
        "text.parse_math": False,
    }
    with rc_context(settings):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        axis = figure.subplots()
        axis.grid(axis="y", linewidth=0.6)
        axis.set_axisbelow(True)
        paint(axis)
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata=_PLAIN)
    return _for_page(buffer.getvalue(), name, title, summary)


def colour(number: int) -> str:
    """Return the colour of a series, from 0 on."""
    return _COLOURS[number % len(_COLOURS)]


def _for_page(svg: str, name: str, title: str, summary: str) -> str:
    svg = _NOT_WANTED.sub("", _PROLOGUE.sub("", svg))
    heading = (
        f'<svg class="chart" viewBox="\\1" role="img" aria-labelledby="{name}-title {name}-desc">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n'
        f'<desc id="{name}-desc">{escape(summary)}</desc>'
    )
    svg = _TAG.sub(lambda found: heading.replace("\\1", found[1]), svg, count=1)
    # matplotlib numbers its groups from 1 in every picture.
    svg = re.sub(rf'\bid="(?!{re.escape(name)}-)', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = svg.replace("xlink:href", "href")
    svg = svg.replace("font: 9px 'DejaVu Sans', sans-serif", "font: 9px sans-serif")
    for stand_in, variable in (_INKS | _SERIES).items():
        svg = svg.replace(stand_in, variable)
    return svg.strip()


def bars(axis: "Axes", edges: Sequence[float], counts: Sequence[float], number: int = 0) -> None:
    """Draw a histogram as one filled outline."""
    axis.stairs(counts, edges, fill=True, color=colour(number), linewidth=0)


def named_bars(axis: "Axes", counts: Mapping[str, float]) -> None:
    """Draw one bar a name."""
    for place, value in enumerate(counts.values()):
        bars(axis, (place - 0.4, place + 0.4), (value,))
    axis.set_xticks(range(len(counts)), list(counts))
