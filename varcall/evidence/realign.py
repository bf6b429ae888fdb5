"""Local reassembly: better alignments where the mapper was unsure.

A mapper sees one read at a time, so a read that ends in an insertion is clipped, and one that ends
just after a deletion shows mismatches. Here the reads of such a place are looked at together: they
spell the haplotypes that may lie there, first by their own alignments, then, where that leaves
reads unexplained, by the paths of a de Bruijn graph. A read moves to a haplotype that fits it
better than the reference does, and takes over how that haplotype aligns to the reference.
"""

from dataclasses import dataclass, replace

import numpy as np

from pileup.arrays import ReadArrays, ReferenceArrays
from pileup.kernels.reassembly.activity import (
    BORDER,
    MAX_ACTIVE,
    MERGE,
    cut_regions,
    find_active,
    find_usable,
    mark_activity,
)
from pileup.kernels.reassembly.arrays import ActivityArrays, AssemblyRules
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

    Parameters
    ----------
    batch
        Reads with at least REACH bases beyond what is to be the same in every window.
    reference
        Wide enough for every read, and some hundred bases more.
    """
    reads = batch.arrays
    rules = (options or RealignOptions()).rules()
    usable = np.zeros(len(batch), np.bool_)
    find_usable(reads, rules, usable)
    starts, ends, hards = _regions(batch, reference, usable, rules)
    if not len(starts):
        return batch
    places = np.empty(len(reads.bases), np.int32)
    moved = np.zeros(len(batch), np.bool_)
    reassemble(reads, reference, usable, rules, starts, ends, hards, places, moved)
    if not moved.any():
        return batch
    return replace(batch, arrays=_respelled(reads, places, moved))


def _regions(
    batch: ReadBatch, reference: ReferenceArrays, usable: np.ndarray, rules: AssemblyRules
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    length = batch.end - batch.start
    activity = ActivityArrays(*(np.zeros(length, np.int32) for _ in ActivityArrays._fields))
    mark_activity(batch.arrays, reference, usable, rules, batch.start, activity)
    active = np.zeros(length, np.bool_)
    find_active(activity, rules, active)
    bounds = np.zeros((3, length // MERGE + 2), np.int64)
    found = cut_regions(active, activity.hard, *bounds)
    return bounds[0, :found] + batch.start, bounds[1, :found] + batch.start, bounds[2, :found]


def _respelled(reads: ReadArrays, places: np.ndarray, moved: np.ndarray) -> ReadArrays:
    read_start, read_end = reads.read_start.copy(), reads.read_end.copy()
    trim_places(reads, places, moved, read_start, read_end)
    order = np.argsort(read_start, kind="stable")
    cigar_offset = np.zeros(len(order) + 1, np.int64)
    none = np.zeros(0, np.uint8), np.zeros(0, np.int32)
    respell(reads, places, moved, order, cigar_offset, *none, write=False)
    n_ops = int(cigar_offset[-1])
    cigar_op, cigar_length = np.zeros(n_ops, np.uint8), np.zeros(n_ops, np.int32)
    respell(reads, places, moved, order, cigar_offset, cigar_op, cigar_length, write=True)
    return reads.take(order)._replace(
        read_start=read_start[order],
        read_end=read_end[order],
        cigar_offset=cigar_offset,
        cigar_op=cigar_op,
        cigar_length=cigar_length,
    )
