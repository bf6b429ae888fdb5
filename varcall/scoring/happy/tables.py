"""hap.py's files: ``summary.csv``, ``extended.csv``, ``roc.*.csv.gz`` and ``metrics.json.gz``."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from varcall.formats.text import as_utf8, write_text
from varcall.output.atomic import AtomicOutput
from varcall.scoring.happy.rows import COUNTS, Row
from varcall.version import __version__

METRICS = ("METRIC.Recall", "METRIC.Precision", "METRIC.Frac_NA", "METRIC.F1_Score")
COUNT_PARTS = ("ti", "tv", "het", "homalt", "TiTv_ratio", "het_hom_ratio")
ALL_COLUMNS = (
    "Type", "Subtype", "Subset", "Filter", "Genotype", "QQ.Field", "QQ", *METRICS, "FP.gt", "FP.al",
    "Subset.Size", "Subset.IS_CONF.Size", "Subset.Level",
    *(column for name in COUNTS for column in (name, *(f"{name}.{part}" for part in COUNT_PARTS))),
)  # fmt: skip
SUMMARY_COLUMNS = (
    "Type", "Filter", "TRUTH.TOTAL", "TRUTH.TP", "TRUTH.FN", "QUERY.TOTAL", "QUERY.FP",
    "QUERY.UNK", "FP.gt", "FP.al", *METRICS, "TRUTH.TOTAL.TiTv_ratio", "QUERY.TOTAL.TiTv_ratio",
    "TRUTH.TOTAL.het_hom_ratio", "QUERY.TOTAL.het_hom_ratio",
)  # fmt: skip


#: What follows the prefix in the names of the files.
SUMMARY, EXTENDED, METRICS_FILE = ".summary.csv", ".extended.csv", ".metrics.json.gz"
TABLES = (SUMMARY, EXTENDED, METRICS_FILE)
#: What begins the names of the ROC tables, of which there is one for each type that occurs.
ROC_TABLES = ".roc."


def extended_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows of the extended table: no levels of the score, no single filters."""
    return [row for row in rows if row["QQ"] == "*" and row["Filter"] in ("ALL", "PASS")]


def summary_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows of the summary: by type and filter only."""
    return [
        row
        for row in extended_rows(rows)
        if row["Subtype"] == row["Genotype"] == row["Subset"] == "*"
    ]


def csv_text(rows: Iterable[Row], columns: Sequence[str]) -> str:
    """The rows as CSV with a header line."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row.get(column, "") for column in columns])
    return buffer.getvalue()


def _metrics_table(name: str, rows: Sequence[Row], columns: Sequence[str]) -> dict[str, object]:
    """A table in the form of hap.py's metrics file: one list of values a column."""

    def values(column: str) -> tuple[str, list[object]]:
        texts = [row.get(column, "") for row in rows]
        try:
            numbers: list[object] = [
                float(text) if text not in ("", ".") else "." for text in texts
            ]
        except ValueError:
            return "string", list(texts)
        return "double", numbers

    data: list[dict[str, object]] = [
        {"id": "types", "label": "types", "type": "string", "values": list(range(len(rows)))}
    ]
    for column in columns:
        kind, items = values(column)
        data.append({"id": column, "label": column, "type": kind, "values": items})
    return {"id": name, "label": name, "type": "Table", "data": data, "properties": []}


def write_tables(prefix: Path, rows: Sequence[Row]) -> None:
    """Write all tables of one call set under ``prefix``.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    summary, extended = summary_rows(rows), extended_rows(rows)
    texts = {
        SUMMARY: csv_text(summary, SUMMARY_COLUMNS),
        EXTENDED: csv_text(extended, ALL_COLUMNS),
    }
    for suffix, text in texts.items():
        with AtomicOutput(f"{prefix}{suffix}") as output:
            write_text(output.path, text)
    metrics = [
        _metrics_table("summary.metrics", summary, SUMMARY_COLUMNS),
        _metrics_table("all.metrics", extended, ALL_COLUMNS),
    ]
    for name, chosen in roc_tables(rows).items():
        _write_gzip(Path(f"{prefix}{ROC_TABLES}{name}.csv.gz"), csv_text(chosen, ALL_COLUMNS))
        metrics.append(_metrics_table(f"roc.{name}", chosen, ALL_COLUMNS))
    document = {"name": "varcall.eval.comparison", "version": __version__, "metrics": metrics}
    _write_gzip(Path(f"{prefix}{METRICS_FILE}"), json.dumps(document))


def roc_tables(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """hap.py's ROC tables: ``all``, and the levels of each type for all and passing records."""
    tables: dict[str, list[Row]] = {"all": list(rows)}
    for row in rows:
        if row["QQ"] == "*" or not row["Subtype"] == row["Genotype"] == row["Subset"] == "*":
            continue
        if row["Filter"] in ("ALL", "PASS"):
            suffix = ".PASS" if row["Filter"] == "PASS" else ""
            tables.setdefault(f"Locations.{row['Type']}{suffix}", []).append(row)
    return tables


def _write_gzip(path: Path, text: str) -> None:
    # no time stamp, so that equal inputs give equal files
    with AtomicOutput(path) as output:
        output.path.write_bytes(gzip.compress(as_utf8(text).encode(), mtime=0))
