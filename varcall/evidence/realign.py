"""Local reassembly: better alignments where the mapper was unsure.

A mapper sees one read at a time, so a read that ends in an insertion is clipped, and one that ends
just after a deletion shows mismatches. Here the reads of such a place are looked at together: they
spell the haplotypes that may lie there, first by their own alignments, then, where that leaves
reads unexplained, by the paths of a de Bruijn graph. A read moves to a haplotype that fits it
better than the reference does, and takes over how that haplotype aligns to the reference.

Adapters, and what reads show beyond them, have no part in this: they are clipped first.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays, ReferenceArrays, offsets_of
from pileup.kernels.reassembly.activity import (
    BORDER,
    MAX_ACTIVE,
    MERGE,
    cut_regions,
    find_active,
    find_usable,
    mark_activity,
)
from pileup.kernels.reassembly.align import CLIPPED
from pileup.kernels.reassembly.arrays import ActivityArrays, AssemblyRules
from pileup.kernels.reassembly.foreign import clip_foreign, find_foreign, shorten_clips
from pileup.kernels.reassembly.reassemble import reassemble
from pileup.kernels.reassembly.respell import respell, trim_places
from varcall.reads.batch import ReadBatch

MAX_READ_LENGTH = 500
# Within this distance of the border of what was fetched, reads may be realigned otherwise than
# with more reads known: a region that is not wholly known is left alone, but its reads reach out
# of it.
REACH = BORDER + MERGE + MAX_ACTIVE + MAX_READ_LENGTH


@dataclass(frozen=True, slots=True)
class RealignOptions:
    """When reads are looked at again.

    The first four and the read length are DeepVariant's (realigner.py: window selector and graph).

    Attributes
    ----------
    min_mapq, min_base_quality
        Of reads and mismatches that can make a position active.
    assembly_min_mapq, assembly_min_base_quality
        Of reads and bases that may spell a haplotype.
    min_support, min_share
        Least reads, and percentage of them, behind an active position and behind a haplotype.
    max_read_length
        Longer reads are left alone; at most MAX_READ_LENGTH.
    """

    min_mapq: int = 20
    min_base_quality: int = 20
    assembly_min_mapq: int = 14
    assembly_min_base_quality: int = 15
    min_support: int = 2
    min_share: int = 5
    max_read_length: int = MAX_READ_LENGTH

    def rules(self) -> AssemblyRules:
        """Return what the kernels take."""
        return AssemblyRules(
            self.min_mapq,
            self.min_base_quality,
            self.assembly_min_mapq,
            self.assembly_min_base_quality,
            self.min_support,
            self.min_share,
            self.max_read_length,
        )


def realign(
    batch: ReadBatch, reference: ReferenceArrays, options: RealignOptions | None = None
) -> ReadBatch:
    """Return the same reads with better starts, ends and CIGARs, sorted by their new starts.

    Reads that only an adapter placed are left out.

    Parameters
    ----------
    batch
        Reads with at least REACH bases beyond what is to be the same in every window.
    reference
        Wide enough for every read, and some hundred bases more.
    """
    rules = (options or RealignOptions()).rules()
    reads, usable = batch.arrays, _usable(batch.arrays, rules)
    batch, foreign = _clip_foreign(batch, reference, usable)
    if foreign is not None:
        reads = foreign.taken_off(batch.arrays)
        usable = _usable(reads, rules)
    starts, ends, hards = _regions(reads, batch, reference, usable, rules)
    if not len(starts):
        return batch
    places = np.empty(len(reads.bases), np.int32)
    moved = np.zeros(len(batch), np.bool_)
    reassemble(reads, reference, usable, rules, starts, ends, hards, places, moved)
    if not moved.any():
        return batch
    if foreign is not None:
        places = foreign.put_back(places)
    arrays, _ = _respelled(batch.arrays, places, moved)
    return replace(batch, arrays=arrays)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """The foreign bases of some reads, which are clipped: int32 [n] each, at either end."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    own: NDArray[np.bool_]
    """Bool [bases], those that are the sample's."""

    def taken_off(self, reads: ReadArrays) -> ReadArrays:
        """Return the reads as if they had been sequenced without their foreign bases."""
        cigar_length = reads.cigar_length.copy()
        shorten_clips(reads, self.left, self.right, cigar_length)
        return reads._replace(
            base_offset=offsets_of(np.diff(reads.base_offset) - self.left - self.right),
            bases=reads.bases[self.own],
            qualities=reads.qualities[self.own],
            cigar_length=cigar_length,
        )

    def put_back(self, places: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the places of all bases, given those of the sample's."""
        whole = np.full(len(self.own), CLIPPED, np.int32)
        whole[self.own] = places
        return whole


def _usable(reads: ReadArrays, rules: AssemblyRules) -> NDArray[np.bool_]:
    """Return which reads can be realigned, bool [n]."""
    usable = np.zeros(len(reads.read_start), np.bool_)
    find_usable(reads, rules, usable)
    return usable


def _clip_foreign(
    batch: ReadBatch, reference: ReferenceArrays, usable: NDArray[np.bool_]
) -> tuple[ReadBatch, _Foreign | None]:
    """Clip bases that are not the sample's, and leave out reads that have no others."""
    left, right = np.zeros(len(batch), np.int32), np.zeros(len(batch), np.int32)
    find_foreign(batch.arrays, reference, usable, left, right)
    if not (left.any() or right.any()):
        return batch, None
    keep = left + right < np.diff(batch.arrays.base_offset)
    batch, left, right = batch.subset(keep), left[keep], right[keep]
    reads = batch.arrays
    places = np.empty(len(reads.bases), np.int32)
    moved = np.zeros(len(batch), np.bool_)
    clip_foreign(reads, left, right, places, moved)
    arrays, order = _respelled(reads, places, moved)
    left, right = left[order], right[order]
    lengths = np.diff(arrays.base_offset)
    step = np.arange(len(arrays.bases)) - np.repeat(arrays.base_offset[:-1], lengths)
    own = (step >= np.repeat(left, lengths)) & (step < np.repeat(lengths - right, lengths))
    return replace(batch, arrays=arrays), _Foreign(left, right, own)


def _regions(
    reads: ReadArrays,
    batch: ReadBatch,
    reference: ReferenceArrays,
    usable: np.ndarray,
    rules: AssemblyRules,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    length = batch.end - batch.start
    activity = ActivityArrays(*(np.zeros(length, np.int32) for _ in ActivityArrays._fields))
    mark_activity(reads, reference, usable, rules, batch.start, activity)
    active = np.zeros(length, np.bool_)
    find_active(activity, rules, active)
    bounds = np.zeros((3, length // MERGE + 2), np.int64)
    found = cut_regions(active, activity.hard, *bounds)
    return bounds[0, :found] + batch.start, bounds[1, :found] + batch.start, bounds[2, :found]


def _respelled(
    reads: ReadArrays, places: np.ndarray, moved: np.ndarray
) -> tuple[ReadArrays, NDArray[np.int64]]:
    """Return the reads sorted by their new starts, and the numbers that they had."""
    read_start, read_end = reads.read_start.copy(), reads.read_end.copy()
    trim_places(reads, places, moved, read_start, read_end)
    order = np.argsort(read_start, kind="stable")
    cigar_offset = np.zeros(len(order) + 1, np.int64)
    none = np.zeros(0, np.uint8), np.zeros(0, np.int32)
    respell(reads, places, moved, order, cigar_offset, *none, write=False)
    n_ops = int(cigar_offset[-1])
    cigar_op, cigar_length = np.zeros(n_ops, np.uint8), np.zeros(n_ops, np.int32)
    respell(reads, places, moved, order, cigar_offset, cigar_op, cigar_length, write=True)
    arrays = reads.take(order)._replace(
        read_start=read_start[order],
        read_end=read_end[order],
        cigar_offset=cigar_offset,
        cigar_op=cigar_op,
        cigar_length=cigar_length,
    )
    return arrays, order
