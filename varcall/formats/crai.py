"""CRAI: where a CRAM has its slices; and whether it tells of all that are in the file.

Format: CRAM specification 12. A slice that the index does not tell of is left out by htslib without
an error, so the headers of the containers around what is to be fetched are checked against it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.bai_csi import unpacked
from varcall.formats.cram_containers import Container, CramFile

# The walk over a contig begins this many containers early, where the index places one wrongly.
_EARLY = 2
_FAR = 1 << 40  # past the end of any contig


@dataclass(frozen=True, slots=True)
class CraiEntry:
    """One line: a slice, or the part of one that is of one contig (-1 unmapped).

    `start` and `end` are 0-based half-open; `container` and `slice` are file offsets, the latter
    from the end of the container's header.
    """

    contig: int
    start: int
    end: int
    container: int
    slice: int


def parse_crai(data: bytes) -> tuple[CraiEntry, ...]:
    """Read the lines of an unpacked CRAI.

    Raises
    ------
    ValueError
        It is none.
    """
    entries: list[CraiEntry] = []
    for line in data.decode("ascii").splitlines():
        fields = [int(field) for field in line.split("\t")]
        if len(fields) != 6:
            raise ValueError("not a BAI, CSI or CRAI")
        contig, start, span, container, slice_, _ = fields
        start = max(0, start - 1)
        entries.append(CraiEntry(contig, start, start + max(1, span), container, slice_))
    return tuple(entries)


@lru_cache(maxsize=2)
def _load(path: Path, size: int, mtime: int) -> tuple[CraiEntry, ...]:
    del size, mtime  # part of the cache key
    return parse_crai(unpacked(path))


class CramAudit:
    """Holds the containers of a CRAM against its index, from a contig's start to what is fetched.

    Any earlier container may reach into a span; their headers take 15 microseconds each. Of slices
    with reads of several contigs only the fact that they are known is looked at: which contigs they
    hold is known only after decoding them.

    One object belongs to one process, as it holds an open file.
    """

    def __init__(self, reads: Path, index: Path) -> None:
        self._reads, self._index = reads, index
        status = index.stat()
        try:
            entries = _load(index, status.st_size, status.st_mtime_ns)
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise InputError(f"the index {index} is broken: run: samtools index {reads}") from error
        self._known: dict[int, list[CraiEntry]] = {}
        for entry in entries:
            self._known.setdefault(entry.container, []).append(entry)
        self._cram = CramFile(reads)
        # All containers of the contig that begin before `reached` have been seen.
        self._contig = -1
        self._reached = self._next = 0

    def close(self) -> None:
        """Close the file."""
        self._cram.close()

    def check(self, contig: int, end: int) -> None:
        """See that the index tells of every container with reads before the end of a span.

        Raises
        ------
        InputError
            It does not.
        """
        if contig != self._contig:
            self._contig, self._reached, self._next = contig, -1, self._before(contig)
        while self._reached < end and self._next < self._cram.size:
            container = self._cram.container(self._next)
            if container is None:
                raise self._damaged("points to places that are no containers of the file")
            if container.contig == -1 or container.contig > contig:
                self._reached = _FAR
            elif container.contig == contig and container.start - 1 >= end:
                self._reached = end
            elif _tells_of(self._known.get(self._next, ()), container):
                self._next = container.next_offset
            else:
                raise self._damaged(
                    f"does not tell of all reads from position {container.start:,} of contig "
                    f"{container.contig + 1} on"
                )

    def _before(self, contig: int) -> int:
        """Offset of a container before all of a contig."""
        before = sorted(
            offset
            for offset, entries in self._known.items()
            if any(0 <= entry.contig < contig for entry in entries)
        )
        return before[-_EARLY] if len(before) >= _EARLY else self._cram.data_start

    def _damaged(self, what: str) -> InputError:
        return InputError(
            f"{self._index} of {self._reads} {what}: the index is damaged or of another file; "
            f"run: samtools index {self._reads}"
        )


def _tells_of(entries: Sequence[CraiEntry], container: Container) -> bool:
    """Whether entries tell of all slices of a container, and of their whole span."""
    if {entry.slice for entry in entries} != set(container.landmarks):
        return False
    if container.contig == CramFile.MANY_CONTIGS:
        return True
    start = min((entry.start for entry in entries), default=0)
    end = max((entry.end for entry in entries), default=0)
    is_right = all(entry.contig == container.contig for entry in entries)
    return is_right and start < container.start and end >= container.start - 1 + container.span
