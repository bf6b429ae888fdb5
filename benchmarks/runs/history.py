"""What runs of the benchmarks measured: a JSON file each, benchmarks/history/DATE-COMMIT-NAME.json.

A file says when, on what code, on which machine and by which command its tables were measured.
Cells are the text that was printed, so that a figure has one spelling.
"""

import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.runs.machine import ROOT, commit, describe, is_changed

HISTORY = ROOT / "benchmarks" / "history"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a run: rows of cells, and sentences about it.

    Attributes
    ----------
    name
        Of lower-case letters, digits and hyphens; no two tables of a run have the same.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Return the table, then its notes as a list."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        notes = "".join(f"- {note}\n" for note in self.notes)
        return f"{table}\n{notes}" if notes else table

    def to_json(self) -> str:
        """Return the table as JSON, a row a line."""
        rows = ",\n    ".join(_json(list(row)) for row in self.rows)
        return (
            f'  {{"name": {_json(self.name)},\n'
            f'   "columns": {_json(list(self.columns))},\n'
            f'   "rows": [\n    {rows}\n   ],\n'
            f'   "notes": {_json(list(self.notes))}}}'
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run measured.

    Attributes
    ----------
    recorded
        ISO 8601, with the time of day.
    commit
        The short name of the commit that the code was of; "unknown" outside a checkout.
    is_changed
        Whether tracked files differed from that commit.
    """

    name: str
    title: str
    recorded: str
    commit: str
    is_changed: bool
    machine: str
    command: str
    tables: Sequence[Table]

    @classmethod
    def now(cls, name: str, title: str, tables: Sequence[Table]) -> "Measurement":
        """Return what was measured by this process, at this time, on this machine."""
        recorded = datetime.now(UTC).isoformat(timespec="seconds")
        changed = is_changed(ROOT)
        return cls(name, title, recorded, commit(ROOT), changed, describe(), _command(), tables)

    @classmethod
    def read(cls, path: Path) -> "Measurement":
        """Read a file of the history."""
        fields: dict[str, Any] = json.loads(path.read_text())
        tables = [Table(**table) for table in fields.pop("tables")]
        return cls(**fields, tables=tables)

    @property
    def date(self) -> str:
        """The day."""
        return self.recorded.partition("T")[0]

    @property
    def version(self) -> str:
        """The commit, marked where files differed from it."""
        return f"{self.commit}-dirty" if self.is_changed else self.commit

    @property
    def file_name(self) -> str:
        """Name of the measurement's file."""
        return f"{self.date}-{self.version}-{self.name}.json"

    def stamp(self) -> str:
        """Say when, on what and by which command this was measured."""
        return f"Measured {self.date}, commit {self.version}, {self.machine}, by `{self.command}`."

    def to_json(self) -> str:
        """Return the text of the measurement's file."""
        names = ("name", "title", "recorded", "commit", "is_changed", "machine", "command")
        about = "".join(f" {_json(name)}: {_json(getattr(self, name))},\n" for name in names)
        tables = ",\n".join(table.to_json() for table in self.tables)
        return f'{{\n{about} "tables": [\n{tables}\n ]\n}}\n'

    def write(self, folder: Path) -> Path:
        """Write the measurement's file; one of the same day, commit and name is replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.file_name
        path.write_text(self.to_json())
        return path


def read_all(folder: Path) -> Iterator[Measurement]:
    """Yield all measurements of a folder, the oldest first."""
    found = map(Measurement.read, sorted(folder.glob("*.json")))
    yield from sorted(found, key=lambda item: item.recorded)


def newest_tables(folder: Path) -> Mapping[tuple[str, str], tuple[Measurement, Table]]:
    """Return the newest of each table, by the names of measurement and table.

    The first table of a measurement is also found without a name of its own.
    """
    found: dict[tuple[str, str], tuple[Measurement, Table]] = {}
    for item in read_all(folder):
        found |= {(item.name, table.name): (item, table) for table in item.tables}
        found[item.name, ""] = (item, item.tables[0])
    return found


def slug(text: str) -> str:
    """Return a text as part of a name: "HG002 30x 10.0M" is "hg002-30x-10-0m"."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


def _command() -> str:
    """Return the command line of this process; of absolute paths only the last part.

    Also of those that stand behind a name, as in cause=/a/b.
    """
    module = Path(sys.argv[0]).stem
    words = [re.sub(r"^([^/=]*=)?/.*/", r"\1", word.rstrip("/")) for word in sys.argv[1:]]
    return shlex.join(["python", "-m", f"benchmarks.{module}", *words])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
