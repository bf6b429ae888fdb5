"""Merged intervals of a BED file, and what lies in them. All coordinates are 0-based half-open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from varcall.errors import InputError
from varcall.formats.text import open_text

SKIPPED_PREFIXES = ("#", "track", "browser")


@dataclass(frozen=True, slots=True)
class Intervals:
    """Sorted intervals of one contig that neither overlap nor touch.

    ``starts`` and ``ends`` are int64 [n].
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def merged(cls, pairs: Iterable[tuple[int, int]]) -> "Intervals":
        """Join intervals that overlap or touch.

        >>> Intervals.merged([(5, 9), (1, 3), (3, 6)]).pairs()
        [(1, 9)]
        """
        joined: list[list[int]] = []
        for start, end in sorted(pairs):
            if joined and start <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], end)
            else:
                joined.append([start, end])
        flat = np.array(joined, np.int64).reshape(-1, 2)
        return cls(flat[:, 0].copy(), flat[:, 1].copy())

    def pairs(self) -> list[tuple[int, int]]:
        """The intervals as tuples."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    def overlap(self, start: int, end: int) -> bool:
        """Whether [start, end) meets an interval; an empty span must lie strictly inside one."""
        i = int(np.searchsorted(self.starts, end, "left")) - 1
        return i >= 0 and start < int(self.ends[i])

    def overlaps(
        self, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Tell of each span, of int64 [n] each, whether it meets an interval, as `overlap`."""
        return self._holds(np.searchsorted(self.starts, ends, "left"), starts + 1)

    def contain(
        self, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Tell of each span, of int64 [n] each, whether it lies wholly in one interval."""
        return self._holds(np.searchsorted(self.starts, starts, "right"), ends)

    def _holds(
        self, following: npt.NDArray[np.int64], reached: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Tell whether the interval before one (by its number) reaches up to a position."""
        if not len(self.ends):
            return np.zeros(len(following), np.bool_)
        return (following > 0) & (self.ends[following - 1] >= reached)

    def near(self, start: int, end: int) -> "Intervals":
        """The intervals that meet [start, end), whole."""
        first = int(np.searchsorted(self.ends, start, "right"))
        last = int(np.searchsorted(self.starts, end, "left"))
        return Intervals(self.starts[first:last], self.ends[first:last])

    def clipped(self, start: int, end: int) -> "Intervals":
        """The bases inside [start, end)."""
        inside = self.near(start, end)
        return Intervals(np.maximum(inside.starts, start), np.minimum(inside.ends, end))

    def size(self) -> int:
        """Bases covered."""
        return int((self.ends - self.starts).sum())

    def intersected(self, other: "Intervals") -> "Intervals":
        """Bases that both cover."""
        pairs: list[tuple[int, int]] = []
        i = j = 0
        mine, theirs = self.pairs(), other.pairs()
        while i < len(mine) and j < len(theirs):
            start, end = max(mine[i][0], theirs[j][0]), min(mine[i][1], theirs[j][1])
            if start < end:
                pairs.append((start, end))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return Intervals.merged(pairs)


EMPTY = Intervals.merged([])


def total_size(intervals: Mapping[str, Intervals]) -> int:
    """Bases covered on all contigs."""
    return sum(item.size() for item in intervals.values())


def read_bed(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Rows of a BED file (plain or gzip) by contig, as they stand.

    Raises
    ------
    InputError
        The file cannot be read or a row is no interval.
    """
    rows: dict[str, list[tuple[int, int]]] = {}
    number = 0
    try:
        with open_text(path) as handle:
            for number, line in enumerate(handle, 1):  # noqa: B007
                if not line.strip() or line.startswith(SKIPPED_PREFIXES):
                    continue
                fields = line.split("\t") if "\t" in line else line.split()
                start, end = int(fields[1]), int(fields[2])
                if start < 0 or end < start:
                    raise ValueError
                rows.setdefault(fields[0], []).append((start, end))
    except (OSError, EOFError, UnicodeError) as error:
        raise InputError(f"cannot read the BED file {path}: {error}") from error
    except (ValueError, IndexError) as error:
        raise InputError(
            f"line {number} of the BED file {path} is no interval: contig, start and end are needed"
        ) from error
    return rows


def read_merged_bed(path: Path) -> dict[str, Intervals]:
    """Rows of a BED file joined where they overlap or touch, by contig."""
    return {contig: Intervals.merged(rows) for contig, rows in read_bed(path).items()}
