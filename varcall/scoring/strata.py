"""The stratification file: a name and a BED file in each line, as hap.py takes it."""

import zlib
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.text import open_text
from varcall.scoring.intervals import read_bed

Rows = dict[str, list[tuple[int, int]]]


def stratification_files(path: Path) -> dict[str, Path]:
    """The BED file of each named region.

    Paths are taken as they stand or, where there is no such file, from the folder of the TSV.

    Raises
    ------
    InputError
        A line has no two columns, a name comes twice, or a file is missing.
    """
    found: dict[str, Path] = {}
    try:
        with open_text(path) as handle:
            lines = handle.read().splitlines()
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise InputError(f"cannot read the stratification file {path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, bed = (part.strip() for part in line.partition("\t"))
        where = f"line {number} of the stratification file {path}"
        if not name or not bed:
            raise InputError(f"{where} needs a name, a tab and a BED file")
        if name in found or name in ("CONF", "*"):
            raise InputError(f"{where} has the name {name!r}, which is taken: choose another")
        file = Path(bed) if Path(bed).exists() else path.parent / bed
        if not file.exists():
            raise InputError(f"{where} names {bed}, which is not there")
        found[name] = file
    return found


def read_stratification(path: Path) -> dict[str, Rows]:
    """BED rows of each named region, by contig.

    Raises
    ------
    InputError
        As `stratification_files`, or a BED file is malformed.
    """
    return {name: read_bed(file) for name, file in stratification_files(path).items()}
