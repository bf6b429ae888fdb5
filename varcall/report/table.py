"""Tables of the report: the same rows on the page and as TSV."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.formats.text import as_utf8
from varcall.output.atomic import AtomicOutput

Cell = str | int | float | None
"""None is a value that is not known."""

_SEPARATORS = re.compile(r"[\t\r\n]+")
#: Rows of a table that the page shows; its TSV has all.
MAX_ROWS = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns.

    Attributes
    ----------
    name
        Of its file, without suffix.
    title
        What it is, above it.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def shown(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that the page has room for."""
        return self.rows[:MAX_ROWS]


def spell(cell: Cell) -> str:
    """Spell a value, the same on the page and in the TSV.

    >>> spell(None), spell(3), spell(0.123456), spell(2.0), spell("a")
    ('.', '3', '0.1235', '2', 'a')
    """
    if cell is None:
        return "."
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def is_number(cell: Cell) -> bool:
    """Tell whether a value is set to the right."""
    return isinstance(cell, int | float)


def to_tsv(table: Table) -> str:
    r"""Return a table as tab-separated text with a header line.

    >>> to_tsv(Table("t", "T", ("name", "n"), (("a\tb", 1),)))
    'name\tn\na b\t1\n'
    """
    lines = [table.columns, *(tuple(map(spell, row)) for row in table.rows)]
    return "".join("\t".join(_SEPARATORS.sub(" ", text) for text in line) + "\n" for line in lines)


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Write each table as `NAME.tsv`.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    for table in tables:
        with AtomicOutput(folder / f"{table.name}.tsv") as output:
            output.path.write_text(as_utf8(to_tsv(table)), encoding="utf-8")
