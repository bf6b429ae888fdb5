"""The table at the end of an evaluation: types and filters down, callers side by side."""

from collections.abc import Mapping, Sequence

from varcall.scoring.happy.rows import Row
from varcall.scoring.metrics import interval_row

COUNT_COLUMNS = ("TRUTH.TOTAL", "TRUTH.FN", "QUERY.FP", "FP.gt", "FP.al", "QUERY.UNK")
RATE_COLUMNS = ("Recall", "Precision", "F1_Score")


def _rate(row: Row, name: str) -> str:
    value = row[f"METRIC.{name}"]
    if value == "":
        return "-"
    if name == "F1_Score":
        return f"{float(value):.4f}"
    bounds = interval_row(row)
    lower, upper = (float(bounds[f"METRIC.{name}.{side}"]) for side in ("Lower", "Upper"))
    return f"{float(value):.4f} ({lower:.4f}-{upper:.4f})"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    left = 3  # the first columns are names
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def summary_table(callers: Mapping[str, Sequence[Row]]) -> str:
    """Text of the summary of all callers, with 95 % Wilson intervals.

    Parameters
    ----------
    callers
        Rows of the summary by caller.
    """
    lines = [["Type", "Filter", "Calls", *COUNT_COLUMNS, *RATE_COLUMNS]]
    keys = sorted({(row["Type"], row["Filter"]) for rows in callers.values() for row in rows})
    for kind, filter_name in keys:
        for name, rows in callers.items():
            for row in rows:
                if (row["Type"], row["Filter"]) == (kind, filter_name):
                    counts = [row[column] for column in COUNT_COLUMNS]
                    rates = [_rate(row, column) for column in RATE_COLUMNS]
                    lines.append([kind, filter_name, name, *counts, *rates])
    return _aligned(lines)
