"""BAI and CSI in memory: what they say of the whole file, and the bins of a contig when asked.

Formats: SAM specification 5.2 (BAI), CSIv1 specification. Offsets are BGZF virtual offsets, spans
0-based half-open.
"""

import gzip
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from varcall.formats.bgzf import GZIP_MAGIC

BAI_MAGIC, CSI_MAGIC = b"BAI\1", b"CSI\1"
CHUNK = np.dtype([("begin", "<u8"), ("end", "<u8")])


@dataclass(frozen=True, slots=True)
class Binning:
    """The smallest bins have 1 << min_shift bases, those of each level up 8 times more."""

    min_shift: int
    depth: int

    @property
    def meta(self) -> int:
        """Number of the pseudo-bin that holds read counts."""
        return self.first(self.depth + 1) + 1

    def first(self, level: int) -> int:
        """Number of the first bin of a level; level 0 is the whole contig."""
        return ((1 << 3 * level) - 1) // 7

    def level(self, number: int) -> int:
        """Level of a bin."""
        return ((7 * number + 1).bit_length() - 1) // 3

    def shift(self, level: int) -> int:
        """Bases of a bin of a level, as a power of two."""
        return self.min_shift + 3 * (self.depth - level)

    def span(self, number: int) -> tuple[int, int]:
        """Start and end of a bin."""
        level = self.level(number)
        start = (number - self.first(level)) << self.shift(level)
        return start, start + (1 << self.shift(level))


@dataclass(frozen=True, slots=True)
class ContigBins:
    """What an index says of one contig.

    Attributes
    ----------
    chunks
        Begin and end of the chunks of each bin, in the order of the index.
    starts
        Offset of the first record that overlaps a bin, by bin (CSI only).
    linear
        The same by 16,384 bases, 0 where nothing is said, uint64 (BAI only).
    mapped
        Mapped reads; None where the index does not say.
    """

    chunks: dict[int, NDArray[np.void]]
    starts: dict[int, int]
    linear: NDArray[np.uint64]
    mapped: int | None

    def all_chunks(self) -> NDArray[np.void]:
        """Chunks of all bins, in no order."""
        return np.concatenate([np.empty(0, CHUNK), *self.chunks.values()])


_NO_BINS = ContigBins({}, {}, np.empty(0, np.uint64), 0)


@dataclass(frozen=True, slots=True)
class BinnedIndex:
    """A BAI or CSI, its contigs found but not yet unpacked.

    Attributes
    ----------
    offsets
        Where the bins of each contig begin in `data`.
    """

    data: bytes = field(repr=False)
    is_csi: bool
    binning: Binning
    offsets: tuple[int, ...]
    _unpacked: dict[int, ContigBins] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """BAI or CSI."""
        return "CSI" if self.is_csi else "BAI"

    def contig(self, number: int) -> ContigBins:
        """Unpack one contig, and keep it.

        Raises
        ------
        ValueError
            Its offsets are not in order.
        """
        if number not in self._unpacked:
            self._unpacked[number] = self.unpack(number)
        return self._unpacked[number]

    def unpack(self, number: int) -> ContigBins:
        """Unpack one contig, as `contig` does, but do not keep it."""
        n_bins = _int(self.data, self.offsets[number])
        position = self.offsets[number] + 4
        if n_bins == 0 and (self.is_csi or _int(self.data, position) == 0):
            return _NO_BINS
        chunks: dict[int, NDArray[np.void]] = {}
        starts: dict[int, int] = {}
        mapped = None if n_bins else 0
        for bin_number, start, position, count in _bins(self.data, self.offsets[number], self):
            found = np.frombuffer(self.data, CHUNK, count, position)
            if bin_number == self.binning.meta:
                mapped = int(found[1]["begin"]) if count == 2 else None
            elif count:
                chunks[bin_number] = found
                starts[bin_number] = start
            position += 16 * count
        linear = np.empty(0, np.uint64)
        if not self.is_csi:
            size = _int(self.data, position)
            linear = np.frombuffer(self.data, "<u8", size, position + 4)
            starts = {}
        _check_order(self.binning, starts, linear)
        return ContigBins(chunks, starts, linear, mapped)


def _check_order(binning: Binning, starts: dict[int, int], linear: NDArray[np.uint64]) -> None:
    """Refuse offsets of first records that go back; 0 says nothing."""
    ordered = sorted((binning.span(number)[0], offset) for number, offset in starts.items())
    offsets = np.concatenate([linear, np.array([offset for _, offset in ordered], np.uint64)])
    offsets = offsets[offsets > 0]
    if (offsets[1:] < offsets[:-1]).any():
        raise ValueError("its offsets are not in order")


def _int(data: bytes, position: int) -> int:
    return int(struct.unpack_from("<i", data, position)[0])


def _bins(data: bytes, position: int, index: BinnedIndex) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, CSI start, position of the chunks and their count, of the bins of a contig."""
    header = struct.Struct("<IQi" if index.is_csi else "<Ii")
    n_bins = _int(data, position)
    if n_bins < 0:
        raise ValueError("a negative number of bins")
    position += 4
    for _ in range(n_bins):
        fields = header.unpack_from(data, position)
        position += header.size
        yield fields[0], fields[1] if index.is_csi else 0, position, fields[-1]
        position += 16 * fields[-1]


def parse_binned(data: bytes) -> BinnedIndex:
    """Find the contigs of an index, all of it being sound.

    Raises
    ------
    ValueError, struct.error
        It is cut short or malformed.
    """
    is_csi = data[:4] == CSI_MAGIC
    binning, position = Binning(14, 5), 4
    if is_csi:
        min_shift, depth, auxiliary = struct.unpack_from("<iii", data, 4)
        if not (0 < min_shift < 40 and 0 <= depth < 12 and auxiliary >= 0):
            raise ValueError("bins of no possible size")
        binning, position = Binning(min_shift, depth), 16 + auxiliary
    n_contigs = _int(data, position)
    position += 4
    index = BinnedIndex(data, is_csi, binning, ())
    offsets: list[int] = []
    for _ in range(n_contigs):
        offsets.append(position)
        position = _end_of_contig(index, position)
    # What may follow is the number of unplaced reads.
    if len(data) - position not in (0, 8):
        raise ValueError("more or less in it than it says")
    return BinnedIndex(data, is_csi, binning, tuple(offsets))


def _end_of_contig(index: BinnedIndex, offset: int) -> int:
    """Walk over the bins of a contig that begin at an offset."""
    data, meta = index.data, index.binning.meta
    seen: set[int] = set()
    position = offset + 4
    for number, _, position, count in _bins(data, offset, index):
        if count < 0 or position + 16 * count > len(data):
            raise ValueError("cut short")
        if number > meta or number in seen:
            raise ValueError(f"bin {number} cannot be there")
        seen.add(number)
        position += 16 * count
    if index.is_csi:
        return position
    size = _int(data, position)
    position += 4 + 8 * size
    if size < 0 or position > len(data):
        raise ValueError("cut short")
    return position


def unpacked(path: Path) -> bytes:
    """Read an index, decompressed where it is.

    Raises
    ------
    OSError, EOFError, zlib.error
        It cannot be read or is cut short.
    """
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == GZIP_MAGIC else raw


def load_binned(path: Path) -> BinnedIndex:
    """Read a BAI or CSI; kept in this process while the file stays the same.

    Raises
    ------
    OSError, EOFError, zlib.error, ValueError, struct.error
        It cannot be read, is cut short or malformed.
    """
    status = path.stat()
    return _load(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2)
def _load(path: Path, size: int, mtime: int) -> BinnedIndex:
    del size, mtime  # part of the cache key
    return parse_binned(unpacked(path))
