"""Recall and precision where there is a truth: what ``varcall eval -o PREFIX`` wrote."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from varcall.errors import InputError
from varcall.formats.text import open_text
from varcall.output.checks import Input, file_inputs
from varcall.report.charts import Chart, colour, draw
from varcall.report.table import Cell, Table
from varcall.scoring.files import INTERVALS
from varcall.scoring.happy.tables import ROC_TABLES, SUMMARY
from varcall.scoring.plots import precision_recall_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TYPES = ("SNP", "INDEL")
_COUNTS = ("TRUTH.TOTAL", "TRUTH.FN", "QUERY.FP", "FP.gt", "FP.al", "QUERY.UNK")
_RATES = ("METRIC.Recall", "METRIC.Precision")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What a comparison with a truth gave.

    Attributes
    ----------
    counts, rates
        By type and filter; rates with 95 % Wilson intervals, strata after the whole.
    curve
        Precision against recall along the score.
    """

    counts: Table
    rates: Table
    curve: Chart


def eval_inputs(prefix: Path | None) -> list[Input]:
    """Return the files of `varcall eval` that are read."""
    if prefix is None:
        return []
    names = (SUMMARY, INTERVALS, *(f"{ROC_TABLES}Locations.{kind}.csv.gz" for kind in _TYPES))
    return file_inputs("a table of varcall eval", *(Path(f"{prefix}{name}") for name in names))


def read_accuracy(prefix: Path) -> Accuracy:
    """Read the tables of one call set's evaluation.

    Raises
    ------
    InputError
        They are not there, or not as `varcall eval` writes them.
    """
    summary = _rows(prefix, SUMMARY, ("Type", "Filter", *_COUNTS))
    intervals = _rows(prefix, INTERVALS, ("Type", "Subtype", "Subset", "Filter", *_RATES))
    wanted = [row for row in intervals if row["Subtype"] == "*"]
    wanted.sort(key=lambda row: row["Subset"] != "*")
    columns = tuple(
        f"{rate.removeprefix('METRIC.')}{side}"
        for rate in _RATES
        for side in ("", ".Lower", ".Upper")
    )
    rates = tuple(
        (row["Type"], row["Subset"], row["Filter"], *_rate_cells(row, prefix)) for row in wanted
    )
    counts = tuple(
        (row["Type"], row["Filter"], *(_number(row[name], prefix) for name in _COUNTS))
        for row in summary
    )
    return Accuracy(
        Table("truth_counts", "Counts against the truth", ("Type", "Filter", *_COUNTS), counts),
        Table(
            "truth_rates",
            "Recall and precision, with 95 % Wilson intervals",
            ("Type", "Subset", "Filter", *columns),
            rates,
        ),
        _curve(prefix),
    )


def _rate_cells(row: Mapping[str, str], prefix: Path) -> tuple[Cell, ...]:
    return tuple(
        _number(row.get(f"{rate}{side}") or "", prefix)
        for rate in _RATES
        for side in ("", ".Lower", ".Upper")
    )


def _number(text: str, prefix: Path) -> Cell:
    if text in ("", "."):
        return None
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise InputError(
            f"a table of {prefix} has {text!r} for a number: run varcall eval again"
        ) from None


def _rows(prefix: Path, suffix: str, needed: Sequence[str]) -> list[dict[str, str]]:
    path = Path(f"{prefix}{suffix}")
    try:
        with open_text(path, newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, EOFError, UnicodeError, csv.Error) as error:
        raise InputError(
            f"cannot read {path} ({error}): --eval takes the -o PREFIX of a varcall eval"
        ) from None
    lacking = [name for name in needed if name not in (reader.fieldnames or ())]
    if lacking or any(None in row.values() for row in rows):
        what = f"lacks the column {lacking[0]}" if lacking else "has a line that was cut"
        raise InputError(f"{path} {what}: run varcall eval again")
    return rows


def _curve(prefix: Path) -> Chart:
    name, title = "precision_recall", "Precision against recall"
    points: dict[str, list[tuple[float, float]]] = {}
    for kind in _TYPES:
        suffix = f"{ROC_TABLES}Locations.{kind}.csv.gz"
        if Path(f"{prefix}{suffix}").exists():
            found = precision_recall_points(
                _rows(prefix, suffix, ("Type", "Filter", "Subtype", "Subset", "QQ", *_RATES)), kind
            )
            if found:
                points[kind] = found
    table = Table(
        name,
        title,
        ("Type", "recall", "precision"),
        tuple((kind, *point) for kind, items in points.items() for point in items),
    )
    if not points:
        return Chart(name, title, "The evaluation has no levels of a score to draw.", "")
    summary = "Along the score of the calls, all calls first (the dot). " + "; ".join(
        f"{kind}: recall {items[0][0]:.4f} and precision {items[0][1]:.4f} of all calls"
        for kind, items in points.items()
    )

    def paint(axis: "Axes") -> None:
        for number, (kind, items) in enumerate(points.items()):
            recall, precision = zip(*items, strict=True)
            axis.plot(
                recall, precision, label=kind, color=colour(number), linewidth=1.6,
                linestyle=("-", "--")[number],
            )  # fmt: skip
            axis.plot(recall[0], precision[0], "o", color=colour(number))
        lowest = min(precision for found in points.values() for _, precision in found)
        axis.set(xlabel="recall", ylabel="precision", ylim=(lowest - 0.01, 1.002))
        axis.legend(fontsize=8)

    return Chart(name, title, summary + ".", draw(name, title, summary, paint), table)
