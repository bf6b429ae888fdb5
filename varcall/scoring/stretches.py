"""Where contigs are cut, so that little is in memory at a time and processes share a contig.

A cut lies in the middle of a span without records of either file that is longer than anything
reaches: a call is shifted by 1024 bases at most, and records 30 bases apart are neighbours. Where
the cuts are follows from the two files alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from varcall.scoring.vcf_file import ContigSpans

RECORDS = 16_000  # of both files in a stretch at least
GAP = 4096  # bases without a record where a contig may be cut

Positions = npt.NDArray[np.int64]
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a contig with all records in it.

    ``start`` and ``end`` are on the reference, 0-based half-open; ``truth`` and ``query`` the
    numbers of the first record of each file and of the one after the last.
    """

    contig: str
    start: int
    end: int
    truth: tuple[int, int]
    query: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.contig}:{self.start + 1}-{self.end}"

    def joined(self, following: "Stretch") -> "Stretch":
        """Make one of this stretch and the one after it."""
        return replace(
            self,
            end=following.end,
            truth=(self.truth[0], following.truth[1]),
            query=(self.query[0], following.query[1]),
        )


def cuts(starts: Positions, ends: Positions, records: int) -> list[int]:
    """Positions at which a contig is cut.

    Parameters
    ----------
    starts, ends
        Spans of all records, int64 [n], sorted by start.
    records
        A stretch has so many at least.

    >>> far = np.array([0, 10, 9000, 9010, 20000])
    >>> cuts(far, far + 1, 2)
    [4505, 14505]
    """
    if len(starts) == 0:
        return []
    reach = np.maximum.accumulate(ends)[:-1]
    found = []
    last = 0
    for before in np.flatnonzero(starts[1:] - reach >= GAP).tolist():
        if before + 1 - last >= records:
            found.append(int(reach[before] + starts[before + 1]) // 2)
            last = before + 1
    return found


def stretches(
    contig: str,
    length: int,
    truth: Mapping[str, ContigSpans],
    query: Mapping[str, ContigSpans],
) -> Iterator[Stretch]:
    """Yield the stretches of a contig of ``length`` bases, which cover it."""
    sides = [calls.get(contig) for calls in (truth, query)]
    starts = np.concatenate([_NONE if side is None else side.starts for side in sides])
    ends = np.concatenate([_NONE if side is None else side.ends for side in sides])
    order = np.argsort(starts, kind="stable")
    inside = [cut for cut in cuts(starts[order], ends[order], RECORDS) if cut < length]
    borders = [0, *inside, length]
    numbers = [
        [0, *np.searchsorted(side.starts, inside).tolist(), len(side.starts)]
        if side is not None
        else [0] * len(borders)
        for side in sides
    ]
    for i in range(len(borders) - 1):
        yield Stretch(
            contig,
            borders[i],
            borders[i + 1],
            (numbers[0][i], numbers[0][i + 1]),
            (numbers[1][i], numbers[1][i + 1]),
        )
