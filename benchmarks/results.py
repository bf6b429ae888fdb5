"""Write the tables of RESULTS.md and the README from the newest files of benchmarks/history.

Usage: python -m benchmarks.results [--history DIR]

A table stands between the comments ``<!-- NAME/TABLE -->`` and ``<!-- /NAME/TABLE -->``: the newest
TABLE of the benchmark NAME, or its first one where no table is named. ``<!-- NAME/TABLE: a; b -->``
takes only the rows with a cell that is a or b.

Every benchmark ends with `report`: its tables are printed, written to the history and from there
into the pages. ``--history DIR``, or the environment's BENCHMARK_HISTORY, has the file written
elsewhere and leaves the pages alone, as is right for a run that is no result (another model, a part
of the data); ``--no-record`` writes nothing.
"""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.runs.history import HISTORY, Measurement, Table, newest_tables
from benchmarks.runs.machine import ROOT

PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md")
ENVIRONMENT = "BENCHMARK_HISTORY"

_MARKED = re.compile(
    r"(?P<first><!-- (?P<name>[a-z0-9-]+)(?:/(?P<table>[a-z0-9-]+))?(?:: (?P<rows>[^\n]+?))? -->\n)"
    r"(?P<body>.*?)"
    r"(?P<last><!-- /(?P=name)(?:/(?P=table))? -->)",
    re.DOTALL,
)

Tables = Mapping[tuple[str, str], tuple[Measurement, Table]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a benchmark writes what it measured."""
    add_history(parser)
    parser.add_argument("--no-record", action="store_true", help="print only, write no file")


def add_history(parser: argparse.ArgumentParser) -> None:
    """Add the option of the folder of measurements."""
    default = Path(os.environ.get(ENVIRONMENT) or HISTORY)
    text = f"folder of the JSON files (default: {ENVIRONMENT}, or benchmarks/history)"
    parser.add_argument("--history", type=Path, default=default, help=text)


def report(arguments: argparse.Namespace, name: str, title: str, tables: Sequence[Table]) -> None:
    """Print tables; write them to the history and, where that is the project's, into the pages.

    Parameters
    ----------
    arguments
        With what `add_options` added.
    name
        Of lower-case letters, digits and hyphens: the benchmark, and the part of it where it has
        several.
    """
    print("\n".join([f"\n{title}\n", *(table.markdown() for table in tables)]), flush=True)
    if not arguments.no_record:
        Measurement.now(name, title, tables).write(arguments.history)
        if arguments.history == HISTORY:
            write_pages(HISTORY)


def write_pages(history: Path) -> None:
    """Write the marked tables of all pages."""
    tables = newest_tables(history)
    for page in PAGES:
        page.write_text(filled(page.read_text(), tables))


def filled(text: str, tables: Tables) -> str:
    """Return a page with its marked tables written again from the newest ones.

    Raises
    ------
    SystemExit
        Where a mark names a table, or a row, that is not there.
    """

    def body(mark: re.Match[str]) -> str:
        key = mark["name"], mark["table"] or ""
        if key not in tables:
            raise SystemExit(
                f"no file of the history has the table {'/'.join(filter(None, key))}: run its "
                "benchmark, or take the mark out of the page"
            )
        measurement, table = tables[key]
        if mark["rows"]:
            table = _with_rows(table, mark["rows"].split("; "))
        return f"{mark['first']}{table.markdown()}\n{measurement.stamp()}\n{mark['last']}"

    return _MARKED.sub(body, text)


def _with_rows(table: Table, cells: Sequence[str]) -> Table:
    """Return a table with only the rows that have one of some cells, in the table's order."""
    if missing := {cell for cell in cells if not any(cell in row for row in table.rows)}:
        raise SystemExit(f"the table {table.name} has no row with {', '.join(sorted(missing))}")
    return replace(table, rows=[row for row in table.rows if not set(cells).isdisjoint(row)])


def main() -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_history(parser)
    write_pages(parser.parse_args().history)


if __name__ == "__main__":
    main()
