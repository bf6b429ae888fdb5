"""The blocks of a BAM in one buffer, and where an index says that those of a place begin."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from varcall.bgzf import MAX_BLOCK, BlockError, inflate_block
from varcall.binned_index import BinnedIndex

READ_AHEAD = 1 << 19  # bytes of the file
_FIRST_BUFFER = 1 << 22  # bytes
_LINEAR_SHIFT = 14  # a BAI's linear index has an entry for each 16,384 bases


@dataclass(frozen=True, slots=True)
class IndexEntries:
    """What an index says of where to begin reading one contig.

    Attributes
    ----------
    begin
        Virtual offset of the contig's first record, None where it has none.
    place, offset
        Records that reach place[k] or beyond lie at the virtual offset offset[k] or behind it;
        int64 and uint64, both sorted where the index is sound.
    """

    number: int
    begin: int | None
    place: NDArray[np.int64]
    offset: NDArray[np.uint64]

    @classmethod
    def of(cls, index: BinnedIndex, number: int) -> "IndexEntries":
        """Collect the entries of a contig; an offset of 0 says nothing."""
        bins = index.contig(number)
        begin = min((int(chunks["begin"].min()) for chunks in bins.chunks.values()), default=None)
        if index.is_csi:
            spans = [(index.binning.span(n)[0], offset) for n, offset in bins.starts.items()]
            spans = sorted(entry for entry in spans if entry[1])
            place = np.array([entry[0] for entry in spans], np.int64)
            offset = np.array([entry[1] for entry in spans], np.uint64)
            return cls(number, begin, place, offset)
        known = np.flatnonzero(bins.linear)
        return cls(number, begin, known << _LINEAR_SHIFT, bins.linear[known])

    def before(self, position: int) -> int | None:
        """Virtual offset before all records that reach a position; None without records.

        The entry before the one that is due is asked too: where either of them is damaged, the
        other is still early enough.
        """
        found = int(np.searchsorted(self.place, position, side="right")) - 1
        if found < 1 or self.begin is None:
            return self.begin
        return max(self.begin, int(self.offset[found - 1 : found + 1].min()))


class BlockBuffer:
    """Blocks of a file that follow each other, inflated into one array of bytes.

    Attributes
    ----------
    data, filled
        uint8, and how much of it holds data.
    next_offset
        Of the block in the file that follows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self._ahead, self._ahead_offset = memoryview(b""), 0
        self.data = np.empty(_FIRST_BUFFER, np.uint8)
        self.filled = 0
        self.next_offset = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def seek(self, virtual_offset: int) -> int:
        """Begin anew at a virtual offset; return the byte of the buffer that it means."""
        self.filled, self.next_offset = 0, virtual_offset >> 16
        inside = virtual_offset & 0xFFFF
        if not self.extend(1) or inside > self.filled:
            raise BlockError("the index points outside the file")
        return inside

    def drop(self, byte: int) -> None:
        """Forget what lies before a byte."""
        rest = self.filled - byte
        self.data[:rest] = self.data[byte : self.filled]
        self.filled = rest

    def extend(self, count: int) -> bool:
        """Inflate the next blocks; whether there were any."""
        if self.next_offset >= self._size:
            return False
        room = self.filled + count * MAX_BLOCK
        if room > len(self.data):
            larger = np.empty(max(room, 2 * len(self.data)), np.uint8)
            larger[: self.filled] = self.data[: self.filled]
            self.data = larger
        for _ in range(count):
            if self.next_offset < self._size:
                content, size = inflate_block(self._raw(), self.next_offset, self._path)
                end = self.filled + len(content)
                self.data[self.filled : end] = np.frombuffer(content, np.uint8)
                self.filled = end
                self.next_offset += size
        return True

    def _raw(self) -> memoryview:
        """Bytes of the file from the next block on, all of that block among them."""
        at = self.next_offset - self._ahead_offset
        if not 0 <= at <= len(self._ahead) - MAX_BLOCK:
            # At the end of the file there are no more bytes to be had than these.
            raw = os.pread(self._file.fileno(), READ_AHEAD, self.next_offset)
            self._ahead, self._ahead_offset, at = memoryview(raw), self.next_offset, 0
        return self._ahead[at : at + MAX_BLOCK]
