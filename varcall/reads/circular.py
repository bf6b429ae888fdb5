"""Reads around the origin of a circular genome, which a linear reference cuts in two.

A read over the origin is aligned in two pieces, one at each end of the contig: the longer one has
the other clipped, the shorter one is a supplementary alignment, or there is none. Here the contig
goes on beyond both of its ends: coordinates below 0 are those of its last bases, coordinates from
its length on those of its first ones; a read over the origin is one alignment, which is there at
both ends. So a place beside the origin has the same reads as any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays, offsets_of
from pileup.codes import UNKNOWN_BASE
from pileup.sam import (
    ALIGNS,
    CDEL,
    CHARD_CLIP,
    CINS,
    CMATCH,
    CONSUMES_QUERY,
    CONSUMES_REFERENCE,
    CSOFT_CLIP,
    FPAIRED,
    FPROPER_PAIR,
    FREAD1,
    FREAD2,
    FREVERSE,
    FSUPPLEMENTARY,
)
from varcall.inputs.reference import Reference
from varcall.reads.batch import ReadBatch, ReadFilter
from varcall.reads.loader import RecordReads

# Bases beside the origin that a mapper may clip: fewer than it takes to outweigh a difference, or
# an indel in a repeat.
_NEAR = 50
# Of clipped bases without an alignment of their own, the share that may differ from those beyond
# the origin, besides one.
_MOST_DIFFERENT = 0.05
_CLIPS = (CSOFT_CLIP, CHARD_CLIP)

Operations = list[tuple[int, int]]
"""CIGAR operations and their lengths."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Aligned bases of a read: their reference start, the first one in the read, operations."""

    start: int
    first: int
    operations: Operations

    @property
    def end(self) -> int:
        """The reference base behind the last aligned one."""
        return self.start + _length(self.operations, CONSUMES_REFERENCE)

    @property
    def last(self) -> int:
        """The base of the read behind the last aligned one."""
        return self.first + _length(self.operations, CONSUMES_QUERY)

    def moved(self, by: int) -> "_Piece":
        """Return the piece at another place."""
        return replace(self, start=self.start + by)

    def behind(self, query: int) -> "_Piece":
        """Return the part of it that starts at a base of the read, or behind it."""
        start, first, operations = self.start, self.first, list(self.operations)
        while operations and (first < query or operations[0][0] not in ALIGNS):
            op, size = operations.pop(0)
            cut = min(size, query - first) if op in CONSUMES_QUERY and first < query else size
            first += cut if op in CONSUMES_QUERY else 0
            start += cut if op in CONSUMES_REFERENCE else 0
            if cut < size:
                operations.insert(0, (op, size - cut))
        return _Piece(start, first, operations)


def load_around(
    source: RecordReads,
    window: tuple[str, int, int],
    own: tuple[int, int],
    margin: int,
    read_filter: ReadFilter,
    read_groups: frozenset[str] | None,
    reference: Reference,
) -> ReadBatch:
    """Load the reads of a window of a circular contig and of its margins, around the origin.

    Parameters
    ----------
    window
        Contig, start and end, 0-based half-open.
    own
        The part of it whose reads are counted.
    margin
        Bases on both sides.

    Raises
    ------
    InputError
        As `RecordReads.load` does.
    """
    contig, start, end = window
    length = reference.length(contig)
    low, high = max(start - margin, -length), min(end + margin, 2 * length)

    def load(first: int, last: int, rules: ReadFilter, own: tuple[int, int]) -> ReadBatch:
        return source.load(contig, first, last, rules, read_groups, own)

    whole = load(max(low, 0), min(high, length), read_filter, own)
    batches = [(0, whole)]
    if low < 0:
        batches.append((-length, load(length + low, length, read_filter, (0, 0))))
    if high > length:
        batches.append((length, load(0, high - length, read_filter, (0, 0))))
    # Half of such a read may fit elsewhere as well, so its own mapping quality says little.
    rules = replace(
        read_filter, min_mapq=0, exclude_flags=read_filter.exclude_flags & ~FSUPPLEMENTARY
    )
    pieces: dict[tuple[int, int], list[_Piece]] = {}
    for first, last in ((0, _NEAR), (length - _NEAR, length)):
        for key, piece in _supplements(load(first, last, rules, (0, 0)).arrays):
            pieces.setdefault(key, []).append(piece)
    joiner = _Joiner(length, pieces, reference.fetch(contig, 0, length))
    parts = [_moved(joiner.joined(batch.arrays), by) for by, batch in batches]
    arrays = _paired(_put_together(parts), length, margin)
    return ReadBatch(contig, low, high, arrays, whole.counts, _left_out(batches, low, high))


def _left_out(
    batches: list[tuple[int, ReadBatch]], low: int, high: int
) -> NDArray[np.int32] | None:
    """Put together the depth that the cap left out: int32 [high - low]."""
    if all(batch.left_out is None for _, batch in batches):
        return None
    depth = np.zeros(high - low, np.int32)
    for by, batch in batches:
        if batch.left_out is not None:
            first = batch.start + by - low
            depth[first : first + len(batch.left_out)] = batch.left_out
    return depth


def _length(operations: Operations, consuming: tuple[int, ...]) -> int:
    return sum(size for op, size in operations if op in consuming)


def _operations(reads: ReadArrays, read: int) -> Operations:
    span = slice(int(reads.cigar_offset[read]), int(reads.cigar_offset[read + 1]))
    return list(zip(reads.cigar_op[span].tolist(), reads.cigar_length[span].tolist(), strict=True))


def _piece_of(reads: ReadArrays, read: int) -> _Piece:
    """Return the aligned part of an alignment; clips of both kinds are bases of the read."""
    operations = _operations(reads, read)
    first = 0
    while operations and operations[0][0] in _CLIPS:
        first += operations.pop(0)[1]
    while operations and operations[-1][0] in _CLIPS:
        operations.pop()
    return _Piece(int(reads.read_start[read]), first, operations)


def _key(reads: ReadArrays, read: int) -> tuple[int, int]:
    """Return what alignments of one read on one strand share."""
    flag = int(reads.flag[read])
    return int(reads.name_hash[read]), flag & (FREAD1 | FREAD2 | FREVERSE)


def _supplements(reads: ReadArrays) -> Iterator[tuple[tuple[int, int], _Piece]]:
    for read in np.flatnonzero(reads.flag & FSUPPLEMENTARY).tolist():
        yield _key(reads, read), _piece_of(reads, read)


class _Joiner:
    """Joins the pieces of reads over the origin of one contig.

    Parameters
    ----------
    length
        Of the contig.
    pieces
        Supplementary alignments beside the origin, by `_key`.
    codes
        uint8 [length], the contig.
    """

    def __init__(
        self, length: int, pieces: dict[tuple[int, int], list[_Piece]], codes: NDArray[np.uint8]
    ) -> None:
        self._length, self._pieces, self._codes = length, pieces, codes

    def joined(self, reads: ReadArrays) -> ReadArrays:
        """Return reads with those over the origin as one alignment beyond an end of the contig.

        Supplementary alignments are left out: those beside the origin are in it, others are no
        part of a molecule that lies here.
        """
        start, end = reads.read_start.copy(), reads.read_end.copy()
        changed: dict[int, Operations] = {}
        at_end = np.flatnonzero(end > self._length - _NEAR)
        at_start = np.flatnonzero(start < _NEAR)
        for read in np.union1d(at_start, at_end).tolist():
            piece = self._joined(reads, read)
            if piece is not None:
                start[read], end[read] = piece.start, piece.end
                n_bases = int(reads.base_offset[read + 1] - reads.base_offset[read])
                clips = (piece.first, n_bases - piece.last)
                before, behind = ([(CSOFT_CLIP, n)] if n else [] for n in clips)
                changed[read] = [*before, *piece.operations, *behind]
        reads = _with_operations(reads._replace(read_start=start, read_end=end), changed)
        return reads.take(np.flatnonzero(reads.flag & FSUPPLEMENTARY == 0))

    def _joined(self, reads: ReadArrays, read: int) -> _Piece | None:
        """Return the whole of a read that is clipped at the origin; None if it is not over it."""
        operations = _operations(reads, read)
        if reads.flag[read] & FSUPPLEMENTARY or any(op == CHARD_CLIP for op, _ in operations):
            return None
        own = _piece_of(reads, read)
        bases = reads.bases[reads.base_offset[read] : reads.base_offset[read + 1]]
        if own.end > self._length - _NEAR and own.last < len(bases):
            other = self._beyond(_key(reads, read), own, bases, is_behind=True)
            return None if other is None else _join(own, other)
        if own.start < _NEAR and own.first > 0:
            other = self._beyond(_key(reads, read), own, bases, is_behind=False)
            return None if other is None else _join(other, own)
        return None

    def _beyond(
        self, key: tuple[int, int], own: _Piece, bases: NDArray[np.uint8], *, is_behind: bool
    ) -> _Piece | None:
        """Return the piece of a read beyond the origin: as it was aligned, or without gaps."""
        for piece in self._pieces.get(key, ()):
            if is_behind and piece.start < _NEAR and piece.last > own.last:
                return piece.moved(self._length)
            if not is_behind and piece.end > self._length - _NEAR and piece.first < own.first:
                return piece.moved(-self._length)
        if is_behind:
            other = _Piece(own.end, own.last, [(CMATCH, len(bases) - own.last)])
        else:
            other = _Piece(own.start - own.first, 0, [(CMATCH, own.first)])
        places = np.arange(other.start, other.end) % self._length
        shown = bases[other.first : other.last]
        different = (shown != self._codes[places]) & (shown < UNKNOWN_BASE)
        # The first bases beside the origin are clipped because one of them differs.
        fits = np.count_nonzero(different) <= 1 + _MOST_DIFFERENT * len(shown)
        return other if fits and len(shown) <= self._length // 2 else None


def _join(left: _Piece, right: _Piece) -> _Piece | None:
    """Put two pieces of a read into one alignment; None where they do not follow each other."""
    right = right.behind(left.last)
    bases, places = right.first - left.last, right.start - left.end
    if not right.operations or places < 0:
        return None
    both = min(bases, places)
    between = [(CMATCH, both), (CINS, bases - both), (CDEL, places - both)]
    operations: Operations = []
    for op, size in (*left.operations, *between, *right.operations):
        if size and operations and operations[-1][0] == op:
            operations[-1] = op, operations[-1][1] + size
        elif size:
            operations.append((op, size))
    return _Piece(left.start, left.first, operations)


def _with_operations(reads: ReadArrays, changed: dict[int, Operations]) -> ReadArrays:
    """Return reads, some of them with another CIGAR."""
    if not changed:
        return reads
    spelled = [
        changed[read] if read in changed else _operations(reads, read)
        for read in range(len(reads.read_start))
    ]
    flat = [operation for operations in spelled for operation in operations]
    return reads._replace(
        cigar_offset=offsets_of(np.array([len(operations) for operations in spelled])),
        cigar_op=np.array([op for op, _ in flat], np.uint8),
        cigar_length=np.array([size for _, size in flat], np.int32),
    )


def _moved(reads: ReadArrays, by: int) -> ReadArrays:
    return reads._replace(
        read_start=(reads.read_start + by).astype(np.int32),
        read_end=(reads.read_end + by).astype(np.int32),
    )


def _put_together(parts: list[ReadArrays]) -> ReadArrays:
    """Return the reads of several parts, sorted by start, with fragment numbers of their own."""
    values: dict[str, NDArray[Any]] = {}
    for name in ReadArrays._fields:
        arrays = [getattr(part, name) for part in parts]
        if name.endswith("_offset"):
            values[name] = offsets_of(np.concatenate([np.diff(array) for array in arrays]))
        elif name == "fragment":
            sizes = [int(array.max()) + 1 if len(array) else 0 for array in arrays]
            before = np.cumsum([0, *sizes[:-1]])
            shifted = [array + add for array, add in zip(arrays, before, strict=True)]
            values[name] = np.concatenate(shifted).astype(np.int32)
        else:
            values[name] = np.concatenate(arrays)
    reads = ReadArrays(**values)
    return reads.take(np.argsort(reads.read_start, kind="stable"))


def _paired(reads: ReadArrays, length: int, farthest: int) -> ReadArrays:
    """Make mates on both sides of the origin one fragment, as elsewhere on the contig.

    They point to each other over the origin, at most `farthest` bases from end to end; the mapper
    saw them far apart, at both ends of the contig, and so does the number that they were given.
    """
    origins = np.array([0, length])
    near = (abs(reads.read_start[:, None] - origins) < farthest).any(axis=1)
    ahead: dict[int, list[int]] = {}
    back: dict[int, list[int]] = {}
    for read in np.flatnonzero(near & (reads.flag & FPAIRED > 0)).tolist():
        side = back if reads.flag[read] & FREVERSE else ahead
        side.setdefault(int(reads.name_hash[read]), []).append(read)
    fragment, flag = reads.fragment.copy(), reads.flag.copy()
    template = reads.template_length.copy()
    new = int(fragment.max(initial=-1)) + 1
    for name, firsts in ahead.items():
        for one, two in product(firsts, back.get(name, ())):
            low, high = int(reads.read_start[one]), int(reads.read_end[two])
            # What is clipped at the origin belongs to a read, too.
            is_over = any(low - _NEAR < origin < high + _NEAR for origin in (0, length))
            are_mates = bool((reads.flag[one] ^ reads.flag[two]) & FREAD1)
            if are_mates and is_over and high - low <= farthest:
                fragment[[one, two]] = new
                flag[[one, two]] |= FPROPER_PAIR
                template[one], template[two] = high - low, low - high
                new += 1
    numbers = np.unique(fragment, return_inverse=True)[1].astype(np.int32)
    return reads._replace(fragment=numbers, flag=flag, template_length=template)
