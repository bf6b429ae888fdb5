"""Active positions: where the mapper was unsure, and local reassembly looks."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT, shift_deletion, shift_insertion
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CPAD, CREF_SKIP, CSOFT_CLIP

# Differences of one read at most this far apart are one cluster.
CLUSTER_REACH = 12
# A mismatch this near to the end of a read and to an indel of others may be that indel.
END_REACH, INDEL_REACH = 12, 10
# Shorter clips are trimming or chance; clips of one cause are seen a few bases apart.
MIN_CLIP, CLIP_SPREAD = 4, 3
# Clips that face one another over at most this distance may be the two ends of a deletion.
BRIDGE = 110
# Active positions this near are one region, which gets PAD quiet bases on both sides.
MERGE, PAD = 35, 10
# Longer regions are left alone.
MAX_ACTIVE = 250
# A region must keep this distance from the border of what was fetched for its active positions,
# and those that would have made it longer, to be fully known.
BORDER = BRIDGE + CLIP_SPREAD + MERGE + PAD


@kernel
def find_usable(reads, rules, usable):
    """Fill `usable` (bool [n]): whether a read can be realigned.

    Not so are long reads, and alignments with skips (N) or padding (P).
    """
    for read in range(len(reads.read_start)):
        length = reads.base_offset[read + 1] - reads.base_offset[read]
        span = reads.read_end[read] - reads.read_start[read]
        simple = 0 < span <= 2 * rules.max_read_length and length <= rules.max_read_length
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            if op == CREF_SKIP or op == CPAD:
                simple = False
        usable[read] = simple


@part
def right_shift(reference, start, bases, query, inserted, deleted):
    """Return how far right an indel before contig position `start` can move."""
    codes = reference.codes
    column = start - reference.start
    shift = 0
    while shift < MAX_SHIFT and column + shift + deleted < len(codes):
        arriving = codes[column + shift + deleted]
        if deleted > 0 or shift >= inserted:
            leaving = codes[column + shift - inserted]
        else:
            leaving = bases[query + shift]
        if arriving >= UNKNOWN_BASE or arriving != leaving:
            break
        shift += 1
    return shift


@part
def _mark(activity, read, low, high, is_hard):
    """Count a read at the positions [low, high), once each."""
    for at in range(max(low, 0), min(high, len(activity.reads))):
        if activity.stamp[at] != read + 1:
            activity.stamp[at] = read + 1
            activity.reads[at] += 1
        if is_hard:
            activity.hard[at] += 1


@part
def _mark_clip(activity, read, at, clips):
    """Count a clip at a position and CLIP_SPREAD around it."""
    _mark(activity, read, at - CLIP_SPREAD, at + CLIP_SPREAD, True)
    for near in range(max(at - CLIP_SPREAD, 0), min(at + CLIP_SPREAD, len(clips))):
        clips[near] += 1


@part
def next_mismatch(bases, qualities, codes, query, column, low, high, min_base_quality):
    """Return the first step of [low, high) with a good mismatch, else `high`.

    Bases are compared from index `query`, reference codes from index `column` on. It takes plain
    arrays: a call with the tuple of a window's reads for every base would cost a hundred times as
    much as the comparison.
    """
    for step in range(low, high):
        base = bases[query + step]
        if base == codes[column + step]:
            continue
        is_known = base < UNKNOWN_BASE and codes[column + step] < UNKNOWN_BASE
        if is_known and qualities[query + step] >= min_base_quality:
            return step
    return high


@kernel
def mark_activity(reads, reference, usable, rules, origin, activity):
    """Fill `activity` (zeroed; its first position is `origin` on the contig).

    What is marked lies inside the read that shows it, or at most CLIP_SPREAD bases from it.
    """
    for read in range(len(reads.read_start)):
        if not usable[read] or reads.mapq[read] < rules.min_mapq:
            continue
        begin = np.int64(reads.read_start[read])
        end = np.int64(reads.read_end[read])
        if end > origin and begin - origin < len(activity.depth):
            activity.depth[max(begin - origin, 0)] += 1
            if end - origin < len(activity.depth):
                activity.depth[end - origin] -= 1
        position = begin
        query = reads.base_offset[read]
        last_event = begin - 2 * CLUSTER_REACH
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            size = np.int64(reads.cigar_length[index])
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                column = position - reference.start
                high = min(size, len(reference.codes) - column)
                step = max(np.int64(0), -column)
                while True:
                    step = next_mismatch(
                        reads.bases,
                        reads.qualities,
                        reference.codes,
                        query,
                        column,
                        step,
                        high,
                        rules.min_base_quality,
                    )
                    if step >= high:
                        break
                    here = position + step
                    if here - last_event <= CLUSTER_REACH:
                        _mark(activity, read, last_event - origin, here + 1 - origin, True)
                    last_event = here
                    step += 1
                position += size
                query += size
            elif op == CINS or op == CDEL:
                if op == CINS:
                    inserted, deleted = size, np.int64(0)
                    left = shift_insertion(reference, position, reads.bases, query, size)
                else:
                    inserted, deleted = np.int64(0), size
                    left = shift_deletion(reference, position, size)
                right = right_shift(reference, position, reads.bases, query, inserted, deleted)
                low = max(begin, position - left - 1) - origin
                high = min(end, position + deleted + right + 1) - origin
                _mark(activity, read, low, high, False)
                for at in range(max(low, 0), min(high, len(activity.indels))):
                    activity.indels[at] += 1
                if position - last_event <= CLUSTER_REACH:
                    _mark(activity, read, last_event - origin, position + 1 - origin, True)
                position += deleted
                query += inserted
                last_event = position
            elif op == CSOFT_CLIP:
                good = 0
                for step in range(size):
                    good += reads.qualities[query + step] >= rules.min_base_quality
                if good >= MIN_CLIP and position == begin:
                    _mark_clip(activity, read, begin - origin, activity.left_clips)
                elif good >= MIN_CLIP:
                    _mark_clip(activity, read, end - origin, activity.right_clips)
                query += size
    for at in range(1, len(activity.depth)):
        activity.depth[at] += activity.depth[at - 1]
    _mark_ends(reads, reference, usable, rules, origin, activity)


@part
def _mark_ends(reads, reference, usable, rules, origin, activity):
    """Mark mismatches at the ends of reads that lie next to an indel of several others."""
    for read in range(len(reads.read_start)):
        if not usable[read] or reads.mapq[read] < rules.min_mapq:
            continue
        position = np.int64(reads.read_start[read])
        query = reads.base_offset[read]
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[index]
            size = np.int64(reads.cigar_length[index])
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                column = position - reference.start
                high = min(size, len(reference.codes) - column)
                step = max(np.int64(0), -column)
                inner = np.int64(reads.read_start[read]) + END_REACH - position
                outer = np.int64(reads.read_end[read]) - END_REACH - position
                while step < high:
                    # Only the bases near either end of the read are looked at.
                    if inner <= step < outer:
                        step = outer
                        continue
                    limit = min(high, inner) if step < inner else high
                    step = next_mismatch(
                        reads.bases,
                        reads.qualities,
                        reference.codes,
                        query,
                        column,
                        step,
                        limit,
                        rules.min_base_quality,
                    )
                    if step < limit:
                        at = position + step - origin
                        if _near_indel(activity.indels, at, rules.min_support):
                            if 0 <= at < len(activity.reads):
                                activity.reads[at] += 1
                                activity.hard[at] += 1
                        step += 1
                position += size
                query += size
            elif op == CDEL:
                position += size
            elif op == CINS or op == CSOFT_CLIP:
                query += size


@part
def _near_indel(indels, at, min_support):
    for near in range(max(at - INDEL_REACH, 0), min(at + INDEL_REACH + 1, len(indels))):
        if indels[near] >= min_support:
            return True
    return False


@kernel
def find_active(activity, rules, active):
    """Fill `active` (bool [length]): enough reads are active there, or clips face each other."""
    enough = np.empty(len(active), np.int64)
    for at in range(len(active)):
        enough[at] = max(rules.min_support, (activity.depth[at] * rules.min_share + 99) // 100)
        active[at] = activity.reads[at] >= enough[at]
    for at in range(len(active)):
        if activity.right_clips[at] < enough[at]:
            continue
        for other in range(min(at + BRIDGE, len(active) - 1), at, -1):
            if activity.left_clips[other] >= enough[other]:
                for filled in range(at, other + 1):
                    active[filled] = True
                break


@kernel
def cut_regions(active, hard, starts, ends, hards):
    """List the regions (from `origin` on, half-open) with their largest `hard`; return how many.

    `starts`, `ends`, `hards` (int64) have room for one region every MERGE positions. Regions that
    are too long, or too near to the border to be known wholly, are left out.
    """
    found = 0
    first = -1
    last = -1
    length = len(active)
    for at in range(length + MERGE + 1):
        if at < length and active[at]:
            if first < 0:
                first = at
            last = at
        elif first >= 0 and at - last > MERGE:
            inside = first >= BORDER and last < length - BORDER
            if inside and last + 1 - first <= MAX_ACTIVE:
                starts[found] = first - PAD
                ends[found] = last + 1 + PAD
                hards[found] = hard[first]
                for index in range(first + 1, last + 1):
                    hards[found] = max(hards[found], hard[index])
                found += 1
            first = -1
    return found
