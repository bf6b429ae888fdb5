"""Aligned bases of a chunk of reads, and the errors among them: for the realism report."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays, ReferenceArrays
from pileup.codes import N_BASES, UNKNOWN_BASE, T
from pileup.sam import ALIGNS, CIGAR_MASK, CONSUMES_QUERY, CONSUMES_REFERENCE, FREVERSE

#: A position where so many reads, and this share of them, show one wrong base is taken for a
#: variant, not for errors (as in `varcall.simulate.learning`).
VARIANT_COUNT, VARIANT_FRACTION = 2, 0.15
_TAKES_REFERENCE = np.isin(np.arange(CIGAR_MASK + 1), CONSUMES_REFERENCE)
_TAKES_QUERY = np.isin(np.arange(CIGAR_MASK + 1), CONSUMES_QUERY)


class AlignedBases(NamedTuple):
    """Bases of reads that stand opposite a reference base, m in number.

    Attributes
    ----------
    read
        int64 [m], index of the read.
    position
        int64 [m], 0-based on the contig.
    base, quality
        uint8 [m], code and Phred quality.
    cycle
        float64 [m], how far into the read, in the order of the machine: 0 to 1.
    reverse
        bool [m], whether the read is from the reverse strand.
    """

    read: NDArray[np.int64]
    position: NDArray[np.int64]
    base: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    cycle: NDArray[np.float64]
    reverse: NDArray[np.bool_]

    def subset(self, chosen: NDArray[np.bool_]) -> AlignedBases:
        """Return the bases where `chosen` (bool [m]) is true."""
        return AlignedBases(
            self.read[chosen],
            self.position[chosen],
            self.base[chosen],
            self.quality[chosen],
            self.cycle[chosen],
            self.reverse[chosen],
        )


def operation_positions(reads: ReadArrays) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the read and the reference position of each CIGAR operation: int64 [operations]."""
    owner = np.repeat(np.arange(len(reads.read_start)), np.diff(reads.cigar_offset))
    return owner, reads.read_start[owner] + _before(reads, owner, _TAKES_REFERENCE)


def _before(
    reads: ReadArrays, owner: NDArray[np.int64], taking: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Bases that a read's earlier operations take, of those kinds that are `taking` (bool [16])."""
    sums = np.cumsum(np.where(taking[reads.cigar_op], reads.cigar_length.astype(np.int64), 0))
    before = np.concatenate([[0], sums])
    return np.asarray(before[:-1] - before[reads.cigar_offset[:-1]][owner])


def aligned_bases(reads: ReadArrays, used: NDArray[np.bool_], start: int, end: int) -> AlignedBases:
    """Lay out the bases of the `used` (bool [n]) reads that are aligned to [start, end)."""
    owner, position = operation_positions(reads)
    query = reads.base_offset[owner] + _before(reads, owner, _TAKES_QUERY)
    length = reads.cigar_length.astype(np.int64)
    kept = np.isin(reads.cigar_op, ALIGNS) & used[owner]
    size = length[kept]
    step = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    position, query = np.repeat(position[kept], size) + step, np.repeat(query[kept], size) + step
    read = np.repeat(owner[kept], size)
    inside = (position >= start) & (position < end)
    read, position, query = read[inside], position[inside], query[inside]
    read_length = np.diff(reads.base_offset)[read]
    reverse = (reads.flag[read] & FREVERSE) > 0
    at = query - reads.base_offset[read]
    cycle = np.where(reverse, read_length - 1 - at, at) / read_length
    return AlignedBases(read, position, reads.bases[query], reads.qualities[query], cycle, reverse)


def variant_positions(bases: AlignedBases, reference: ReferenceArrays) -> NDArray[np.bool_]:
    """Mark the positions of `reference` that look variant: bool [length]."""
    counts = mismatch_counts(bases, reference)
    depth = np.bincount(bases.position - reference.start, minlength=len(reference.codes))
    commonest = counts.max(axis=1)
    return np.asarray((commonest >= VARIANT_COUNT) & (commonest >= VARIANT_FRACTION * depth))


def mismatch_counts(bases: AlignedBases, reference: ReferenceArrays) -> NDArray[np.int64]:
    """Count the wrong bases at each position of `reference`: int64 [length, 4]."""
    column = bases.position - reference.start
    wrong = (bases.base < UNKNOWN_BASE) & (reference.codes[column] < UNKNOWN_BASE)
    wrong &= bases.base != reference.codes[column]
    shape = (len(reference.codes), N_BASES)
    flat = column[wrong] * N_BASES + bases.base[wrong]
    return np.bincount(flat, minlength=shape[0] * N_BASES).reshape(shape)


class Context(NamedTuple):
    """What a machine had read just before each aligned base, on the strand of the read.

    `true_base`, `previous`, `before_previous` are codes (uint8 [m]); `run` is the length of the
    homopolymer that ends just before (int64 [m]).
    """

    true_base: NDArray[np.uint8]
    previous: NDArray[np.uint8]
    before_previous: NDArray[np.uint8]
    run: NDArray[np.int64]


def context_of(bases: AlignedBases, reference: ReferenceArrays) -> Context:
    """Look up the reference around each aligned base (which must lie 2 bases inside it)."""
    codes = reference.codes
    column = bases.position - reference.start
    step = np.where(bases.reverse, 1, -1)

    def stranded(offset: NDArray[np.int64]) -> NDArray[np.uint8]:
        code = codes[column + offset]
        return np.asarray(np.where(bases.reverse & (code < UNKNOWN_BASE), T - code, code), np.uint8)

    left, right = _run_lengths(codes), _run_lengths(codes[::-1])[::-1]
    run = np.where(bases.reverse, right[column + 1], left[column - 1])
    return Context(stranded(0 * step), stranded(step), stranded(2 * step), run)


def _run_lengths(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Length of the homopolymer that each base ends, read from the left."""
    index = np.arange(len(codes))
    is_first = np.concatenate([[True], codes[1:] != codes[:-1]])
    return np.asarray(index - np.maximum.accumulate(np.where(is_first, index, 0)) + 1)
