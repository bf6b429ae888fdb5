"""The records of a BAM, without htslib: its blocks inflated one after another.

The index only says where to begin; from there on the blocks follow each other.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import RecordSpan
from varcall.errors import InputError
from varcall.formats.bai_csi import BinnedIndex, load_binned
from varcall.formats.bgzf import MAX_BLOCK, BlockError, inflate_block
from varcall.reads.byte_buffer import ByteBuffer

READ_AHEAD = 1 << 19  # bytes of the file
BLOCKS_AT_ONCE = 4  # inflated between two looks at the records: 2 too many on average
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


class BamRecords:
    """The records of a BAM as a `RecordSource`; belongs to one process, as it holds an open file.

    Raises
    ------
    InputError
        The file or its index cannot be opened.
    """

    def __init__(self, path: Path, index: Path) -> None:
        self.buffer = ByteBuffer()
        self._path = path
        try:
            self._index = load_binned(index)
            self._file = path.open("rb", buffering=0)
        except (OSError, EOFError, ValueError, zlib.error, struct.error) as error:
            raise InputError(f"cannot open {path} with its index {index}: {error}") from error
        self._size = os.fstat(self._file.fileno()).st_size
        self._entries: IndexEntries | None = None
        self._next_offset = 0  # in the file, of the block that follows
        self._ahead, self._ahead_offset = memoryview(b""), 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def goes_on_to(self, span: RecordSpan) -> bool:
        """Tell whether the index begins the span no later than with the next block."""
        offset = self._entries_of(span.contig).before(span.first)
        return offset is not None and offset >> 16 <= self._next_offset

    def seek(self, span: RecordSpan) -> int | None:
        """Start over where the index says; return the byte, None where the contig has no reads."""
        offset = self._entries_of(span.contig).before(span.first)
        if offset is None:
            return None
        self.buffer.clear()
        self._next_offset = offset >> 16
        inside = offset & 0xFFFF
        if not self._inflate(1) or inside > self.buffer.filled:
            raise BlockError("the index points outside the file")
        return inside

    def extend(self) -> bool:
        """Append the next blocks; whether there were any."""
        return self._inflate(BLOCKS_AT_ONCE)

    def _entries_of(self, contig: int) -> IndexEntries:
        if self._entries is None or self._entries.number != contig:
            if contig >= len(self._index.offsets):
                raise ValueError("the index lacks the contig")
            self._entries = IndexEntries.of(self._index, contig)
        return self._entries

    def _inflate(self, count: int) -> bool:
        if self._next_offset >= self._size:
            return False
        for _ in range(count):
            if self._next_offset < self._size:
                content, size = inflate_block(self._raw(), self._next_offset, self._path)
                self.buffer.append(content)
                self._next_offset += size
        return True

    def _raw(self) -> memoryview:
        """Bytes of the file from the next block on, all of that block among them."""
        at = self._next_offset - self._ahead_offset
        if not 0 <= at <= len(self._ahead) - MAX_BLOCK:
            # At the end of the file there are no more bytes to be had than these.
            raw = os.pread(self._file.fileno(), READ_AHEAD, self._next_offset)
            self._ahead, self._ahead_offset, at = memoryview(raw), self._next_offset, 0
        return self._ahead[at : at + MAX_BLOCK]
