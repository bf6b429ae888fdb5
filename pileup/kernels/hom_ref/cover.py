"""Count at every base the fragments that lie there, and those that show something else."""

import numpy as np

from pileup.accelerate import kernel, view_part
from pileup.kernels.reads.walk import count_fragments
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP, FREVERSE


@view_part
def _add_stretch(first, last, strand, weight, cover):
    """Count a fragment over the positions [first, last) of `cover`."""
    if last <= first:
        return
    cover.fragments[strand, first] += 1
    cover.begun[first] += weight
    if last < cover.fragments.shape[1]:
        cover.fragments[strand, last] -= 1
        cover.ended[last] += weight


@view_part
def _add_unlike(position, strand, weight, shown, cover):
    """Count a fragment that does not show REF, `shown` of its weight for another base."""
    cover.unlike[strand, position] += 1
    cover.other[position] += shown
    cover.lost[position] += weight - shown


@kernel
def cover_reads(reads, events, unlike, start, weight_by_mapq, weight_by_quality, cover):
    """Fill `cover` for the n positions from `start` on.

    Of a fragment whose reads overlap, the later read counts beyond the earlier one's end only.

    Parameters
    ----------
    events
        The left-aligned indels of the reads.
    unlike
        The bases of the reads that do not surely show the reference, which covers all n positions.
    weight_by_mapq, weight_by_quality
        int32 [256], thousandths of a sure fragment that one of this mapping quality, and a base
        of this quality, counts for; a base counts for the lower of the two.
    cover
        CoverArrays of n positions, zeroed.
    """
    length = cover.fragments.shape[1]
    # Where each fragment is counted up to.
    counted = np.full(count_fragments(reads), start, np.int64)
    for read in range(len(reads.read_start)):
        low = counted[reads.fragment[read]]
        weight = weight_by_mapq[reads.mapq[read]]
        strand = 1 if reads.flag[read] & FREVERSE else 0
        for event in range(events.offset[read], events.offset[read + 1]):
            anchor = events.anchor[event]
            if low <= anchor < start + length:
                cover.indels[anchor - start] += weight
        position = np.int64(reads.read_start[read])
        stretch = position
        query = 0
        listed, end_of_list = unlike.offset[read], unlike.offset[read + 1]
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            size = np.int64(reads.cigar_length[index])
            first = max(position, low)
            last = min(position + size, start + length)
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                while listed < end_of_list and unlike.base[listed] < query + size:
                    place = position + unlike.base[listed] - query
                    if first <= place < last:
                        quality, shown = unlike.quality[listed], 0
                        if quality >= 0:
                            shown = min(weight, weight_by_quality[quality])
                        _add_unlike(place - start, strand, weight, shown, cover)
                    listed += 1
                position += size
                query += size
            elif op == CDEL:
                for place in range(first, last):
                    _add_unlike(place - start, strand, weight, 0, cover)
                position += size
            elif op == CREF_SKIP:
                end = min(position, start + length) - start
                _add_stretch(max(stretch, low) - start, end, strand, weight, cover)
                position += size
                stretch = position
            elif op == CINS or op == CSOFT_CLIP:
                query += size
        end = min(position, start + length) - start
        _add_stretch(max(stretch, low) - start, end, strand, weight, cover)
        counted[reads.fragment[read]] = max(low, position)
    forward = reverse = np.int32(0)
    begun = ended = np.int64(0)
    for position in range(length):
        forward += cover.fragments[0, position]
        reverse += cover.fragments[1, position]
        begun += cover.begun[position]
        ended += cover.ended[position]
        cover.fragments[0, position] = forward
        cover.fragments[1, position] = reverse
        cover.begun[position] = begun
        cover.ended[position] = ended
