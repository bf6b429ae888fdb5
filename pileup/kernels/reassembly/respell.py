"""Turn the places of a read's bases back into start, end and CIGAR."""

import numpy as np

from pileup.accelerate import kernel
from pileup.kernels.reassembly.align import CLIPPED, INSERTED
from pileup.kernels.spans import copy_into
from pileup.sam import CDEL, CHARD_CLIP, CINS, CMATCH, CSOFT_CLIP


@kernel
def trim_places(reads, places, moved, read_start, read_end):
    """Soft-clip the bases outside the outermost aligned ones; fill the moved reads' spans.

    A read without any aligned base is no longer `moved`.
    """
    for read in range(len(moved)):
        if not moved[read]:
            continue
        low = reads.base_offset[read]
        high = reads.base_offset[read + 1]
        while low < high and places[low] < 0:
            low += 1
        while high > low and places[high - 1] < 0:
            high -= 1
        if low == high:
            moved[read] = False
            continue
        for filled in range(reads.base_offset[read], low):
            places[filled] = CLIPPED
        for filled in range(high, reads.base_offset[read + 1]):
            places[filled] = CLIPPED
        read_start[read] = places[low]
        read_end[read] = places[high - 1] + 1


@kernel
def respell(reads, places, moved, order, cigar_offset, cigar_op, cigar_length, *, write):
    """Spell the CIGARs of the reads in `order` (int64 [n]).

    `cigar_offset` (int64 [n + 1]) is filled; `cigar_op` and `cigar_length` where `write` says so.
    Unmoved reads keep theirs; moved ones get M, I, D and S, between the hard clips they had.
    """
    total = 0
    for rank in range(len(order)):
        read = order[rank]
        cigar_offset[rank] = total
        first = reads.cigar_offset[read]
        last = reads.cigar_offset[read + 1]
        if not moved[read]:
            if write:
                copy_into(reads.cigar_op[first:last], cigar_op[total:])
                copy_into(reads.cigar_length[first:last], cigar_length[total:])
            total += last - first
            continue
        if reads.cigar_op[first] == CHARD_CLIP:
            if write:
                cigar_op[total] = CHARD_CLIP
                cigar_length[total] = reads.cigar_length[first]
            total += 1
        own = -1
        before = -1
        for query in range(reads.base_offset[read], reads.base_offset[read + 1]):
            place = np.int64(places[query])
            op = CMATCH if place >= 0 else (CINS if place == INSERTED else CSOFT_CLIP)
            if op == CMATCH:
                gap = place - before - 1 if before >= 0 else 0
                if gap > 0:
                    if write:
                        cigar_op[total] = CDEL
                        cigar_length[total] = gap
                    total += 1
                    own = CDEL
                before = place
            if op != own:
                if write:
                    cigar_op[total] = op
                    cigar_length[total] = 0
                total += 1
                own = op
            if write:
                cigar_length[total - 1] += 1
        if last - first > 1 and reads.cigar_op[last - 1] == CHARD_CLIP:
            if write:
                cigar_op[total] = CHARD_CLIP
                cigar_length[total] = reads.cigar_length[last - 1]
            total += 1
    cigar_offset[len(order)] = total
