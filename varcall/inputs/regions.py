"""Regions from strings and BED files, cut into windows, and the windows of one shard.

Coordinates are 0-based half-open inside; only region strings are 1-based inclusive, as samtools
writes them.
"""

import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from varcall.errors import InputError, UsageError
from varcall.formats.contig_names import some_names, unknown_contig
from varcall.formats.text import open_text

logger = logging.getLogger(__name__)

SHARED = "both the reads and the reference"

_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"
_RANGE = re.compile(rf"({_NUMBER})(?:(-)({_NUMBER})?)?")
# A comma after "...:1" or "...-20,000" followed by three digits belongs to the number.
_OPEN_NUMBER = re.compile(r":(?:[\d,]+-)?\d{1,3}(?:,\d{3})*$")
_THREE_DIGITS = re.compile(r"\d{3}(?:-\d*)?$")


@dataclass(frozen=True, slots=True)
class Region:
    """One interval of a contig, 0-based half-open."""

    contig: str
    start: int
    end: int

    def __str__(self) -> str:
        """Spell it as samtools does, 1-based inclusive."""
        return f"{self.contig}:{self.start + 1}-{self.end}"

    def __len__(self) -> int:
        return self.end - self.start


def split_region_list(text: str) -> list[str]:
    """Split at commas that are not thousands separators.

    >>> split_region_list("chr1:1,000-2,000,chr2,chr3:5-600")
    ['chr1:1,000-2,000', 'chr2', 'chr3:5-600']
    """
    items: list[str] = []
    for piece in text.split(","):
        if items and _THREE_DIGITS.match(piece) and _OPEN_NUMBER.search(items[-1]):
            items[-1] += "," + piece
        else:
            items.append(piece)
    return items


def parse_region(text: str, contigs: Mapping[str, int]) -> Region:
    """Parse one region in samtools' syntax: `chr1`, `chr1:1,000-2,000`, `chr1:1000`, `{HLA:1}:5-9`.

    `chr1:1000` and `chr1:1000-` reach to the end of the contig, as in samtools. An end beyond the
    contig is clipped with a warning.

    Raises
    ------
    InputError
        Unknown contig, malformed, reversed or empty range, start before 1 or beyond the contig.
    """
    text = text.strip()
    name, coordinates = _split_name(text, contigs)
    if name not in contigs:
        raise InputError(f"region {text!r}: {unknown_contig(name, contigs, SHARED)}")
    length = contigs[name]
    if coordinates is None:
        return Region(name, 0, length)
    match = _RANGE.fullmatch(coordinates)
    if match is None:
        raise InputError(
            f"region {text!r} is malformed at {coordinates!r}: write {name}:START-END with whole "
            f"numbers from 1 to {length}"
        )
    start = int(match[1].replace(",", "")) - 1
    end = int(match[3].replace(",", "")) if match[3] else max(length, start + 1)
    return _checked(name, start, end, length, f"region {text!r}", is_open=match[3] is None)


def _split_name(text: str, contigs: Mapping[str, int]) -> tuple[str, str | None]:
    """Separate contig and coordinates; contig names may hold colons (HLA:01, alts)."""
    if text.startswith("{") and "}" in text:
        name, _, rest = text[1:].rpartition("}")
        return name, rest[1:] if rest.startswith(":") else rest or None
    before, colon, after = text.rpartition(":")
    if text in contigs:
        if colon and before in contigs and _RANGE.fullmatch(after):
            raise InputError(
                f"region {text!r} may be the contig {text!r} or a range of {before!r}: "
                f"write {{{text}}} or {{{before}}}:{after}"
            )
        return text, None
    if not colon or (before not in contigs and not _RANGE.fullmatch(after)):
        return text, None
    return before, after


def _checked(
    name: str, start: int, end: int, length: int, where: str, *, is_open: bool = False
) -> Region:
    """Refuse what cannot be meant, clip at the contig's end."""
    if start < 0:
        raise InputError(f"{where} starts before the first base of {name}: positions start at 1")
    if start >= length:
        raise InputError(
            f"{where} starts beyond the end of {name}, which has {length:,} bases: "
            "give a region inside the contig"
        )
    if end <= start:
        raise InputError(f"{where} is reversed: write the smaller coordinate first")
    if end > length and not is_open:
        logger.warning("%s reaches beyond the end of %s: clipped to %s", where, name, f"{length:,}")
    return Region(name, start, min(end, length))


def read_bed(path: Path, contigs: Mapping[str, int]) -> list[Region]:
    """Read the regions of a BED file (plain or gzipped), in its order.

    Intervals on contigs that the inputs lack are left out with a warning, and so are empty ones.

    Raises
    ------
    InputError
        The file cannot be read, has a malformed line, or names no known contig.
    """
    regions = [interval.region for interval in read_intervals(path, contigs, "regions file")]
    if not regions:
        raise InputError(f"regions file {path} holds no region: nothing would be called")
    return regions


class BedInterval(NamedTuple):
    """An interval of a BED, where it stands (for messages), and the columns behind its end."""

    region: Region
    where: str
    columns: tuple[str, ...]


def read_intervals(path: Path, contigs: Mapping[str, int], what: str) -> list[BedInterval]:
    """Read the intervals of a BED file (plain or gzipped), in its order.

    Intervals on contigs that the inputs lack are left out with a warning, and so are empty ones.

    Parameters
    ----------
    what
        The file, for messages, such as "regions file".

    Raises
    ------
    InputError
        The file cannot be read, has a malformed line, or names contigs but no known one.
    """
    intervals: list[BedInterval] = []
    unknown: dict[str, None] = {}
    empty = 0
    for number, line in _bed_lines(path, what):
        where = f"line {number} of {path}"
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise InputError(f"{where} is not BED: contig, start and end in tab-separated columns")
        name, start, end = fields[0], int(fields[1]), int(fields[2])
        if name not in contigs:
            unknown[name] = None
        elif start == end:
            empty += 1
        else:
            region = _checked(name, start, end, contigs[name], where)
            intervals.append(BedInterval(region, where, tuple(fields[3:])))
    if unknown and not intervals:
        raise InputError(f"{what} {path}: {unknown_contig(next(iter(unknown)), contigs, SHARED)}")
    if unknown:
        logger.warning("%s: no contig %s in both inputs: left out", path, some_names(unknown))
    if empty:
        logger.warning("%s: %d empty intervals left out", path, empty)
    return intervals


def _bed_lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that hold intervals."""
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                text = line.rstrip("\r\n")
                if text.strip() and not text.startswith(("#", "track", "browser")):
                    yield number, text
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise InputError(f"cannot read the {what} {path}: {error}") from error


def select_regions(
    strings: Sequence[str], bed: Path | None, contigs: Mapping[str, int]
) -> tuple[Region, ...]:
    """Merge the regions of comma-lists and of a BED file; all contigs where neither is given.

    Both together mean their union. The result is sorted in contig order, without overlaps.
    """
    regions = [] if bed is None else read_bed(bed, contigs)
    for text in strings:
        for item in split_region_list(text):
            if not item.strip():
                raise InputError(f"region list {text!r} has an empty item: remove the extra comma")
            if item not in contigs and Path(item).is_file():
                raise InputError(f"region {item!r} is a file: give it with -R/--regions-file")
            regions.append(parse_region(item, contigs))
    if not strings and bed is None:
        regions = [Region(name, 0, length) for name, length in contigs.items() if length > 0]
    return merge_regions(regions, contigs)


def merge_regions(regions: Iterable[Region], contigs: Mapping[str, int]) -> tuple[Region, ...]:
    """Sort by contig order and start; join what overlaps or touches."""
    order = {name: rank for rank, name in enumerate(contigs)}
    merged: list[Region] = []
    for region in sorted(regions, key=lambda r: (order[r.contig], r.start, r.end)):
        last = merged[-1] if merged else None
        if last is not None and last.contig == region.contig and region.start <= last.end:
            merged[-1] = Region(last.contig, last.start, max(last.end, region.end))
        else:
            merged.append(region)
    return tuple(merged)


def windows(regions: Iterable[Region], size: int) -> tuple[Region, ...]:
    """Cut regions at the multiples of `size` counted from each contig's start.

    The grid is absolute so that a locus lies in the same cell of it, however regions are given.
    """
    if size < 1:
        raise UsageError(f"window size {size} is not positive")
    return tuple(
        Region(region.contig, max(region.start, cell), min(region.end, cell + size))
        for region in regions
        for cell in range(region.start // size * size, region.end, size)
    )


def shard(items: Sequence[Region], index: int, count: int) -> tuple[Region, ...]:
    """Part `index` (1-based) of `count` contiguous parts, every item in exactly one of them."""
    if not 1 <= index <= count:
        raise UsageError(f"shard {index}/{count} does not exist: write I/N with 1 <= I <= N")
    first, last = (len(items) * i // count for i in (index - 1, index))
    return tuple(items[first:last])


def parse_shard(text: str) -> tuple[int, int]:
    """Read `I/N` (1-based), for instance `2/3`.

    >>> parse_shard("2/3")
    (2, 3)
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"shard {text!r} is not I/N with 1 <= I <= N, for instance 1/3")
    return int(match[1]), int(match[2])
