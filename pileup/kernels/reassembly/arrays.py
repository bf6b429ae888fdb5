"""The tuples that the kernels of local reassembly exchange; see pileup.arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class AssemblyRules(NamedTuple):
    """What counts as evidence; varcall.evidence.realign says why each value is what it is.

    Attributes
    ----------
    min_mapq, min_base_quality
        Of reads and mismatches that can make a position active.
    assembly_min_mapq, assembly_min_base_quality
        Of reads and bases that may spell a haplotype.
    min_support, min_share
        Least number of reads, and least percentage of them, that support an active position or a
        haplotype.
    max_read_length
        Longer reads are left alone.
    """

    min_mapq: int
    min_base_quality: int
    assembly_min_mapq: int
    assembly_min_base_quality: int
    min_support: int
    min_share: int
    max_read_length: int


class ActivityArrays(NamedTuple):
    """What makes each position of a stretch of contig active, int32 [length] each.

    Attributes
    ----------
    reads
        Reads with an indel that may lie there, a clip there or a cluster of mismatches over it;
        and, once more, those with a mismatch there that is near their end and next to indels.
    indels
        Those with an indel.
    hard
        Clips, clusters of differences and, next to indels, mismatches at the ends of reads.
    left_clips, right_clips
        Clips before the first and after the last aligned base.
    depth
        Reads over the position.
    stamp
        The read that was last counted in `reads`, plus one.
    """

    reads: NDArray[np.int32]
    indels: NDArray[np.int32]
    hard: NDArray[np.int32]
    left_clips: NDArray[np.int32]
    right_clips: NDArray[np.int32]
    depth: NDArray[np.int32]
    stamp: NDArray[np.int32]


class SegmentArrays(NamedTuple):
    """The parts of reads that lie in one region, m in number.

    Attributes
    ----------
    read
        int64 [m], index of the read.
    first, last
        int64 [m], index into the reads' `bases` of the part's first base, and end.
    left_free, right_free
        bool [m], whether the read begins or ends in the region; else the part's first base lies
        on the region's first, its last base on the region's last.
    near, far
        int64 [m], where on the reference, counted from the region's start, the part's first base
        would lie if it followed the read's first aligned base, and the same of its end.
    score
        int64 [m], of the mapper's alignment.
    perfect
        int64 [m], the score were every known base to match.
    chosen
        bool [m], whether it may spell haplotypes and votes on them.
    offset
        int64 [m + 1] into `codes`.
    codes
        uint8, the bases; those of poor quality are UNKNOWN_BASE.
    """

    read: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    left_free: NDArray[np.bool_]
    right_free: NDArray[np.bool_]
    near: NDArray[np.int64]
    far: NDArray[np.int64]
    score: NDArray[np.int64]
    perfect: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    offset: NDArray[np.int64]
    codes: NDArray[np.uint8]


class HaplotypeArrays(NamedTuple):
    """Spellings of one region: room for `len(length)` of them, `size[0]` in use.

    Attributes
    ----------
    bases
        uint8 [room, longest].
    length
        int32 [room].
    hash
        uint64 [room], of the bases.
    reads
        int32 [room], reads that spell it.
    fragment
        int32 [room], fragment of the last of these.
    size
        int64 [1].
    """

    bases: NDArray[np.uint8]
    length: NDArray[np.int32]
    hash: NDArray[np.uint64]
    reads: NDArray[np.int32]
    fragment: NDArray[np.int32]
    size: NDArray[np.int64]
