"""The parts of reads that lie in one region, and what the mapper made of them."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import UNKNOWN_BASE
from pileup.kernels.reads.walk import first_overlapping, query_index
from pileup.kernels.reassembly.align import CLIP, GAP_EXTEND, GAP_OPEN, MATCH, pair_score
from pileup.kernels.reassembly.arrays import SegmentArrays
from pileup.kernels.spans import order_of
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CSOFT_CLIP

# A read that ends at most this far beyond a region may have been pulled there by a wrong diagonal.
SLACK = 12
# Bases of a read below this quality are taken as unknown.
MIN_KNOWN_QUALITY = 10
# So many reads of a region, those of the smallest name hashes, spell haplotypes and vote.
MAX_CHOSEN = 250
# Reads that end near a region are looked at, but a region deeper than this is left alone.
MAX_SEGMENTS = 20_000


@kernel
def longest_usable(reads, usable):
    """Return the longest reference span of the usable reads."""
    longest = 0
    for read in range(len(usable)):
        if usable[read]:
            longest = max(longest, reads.read_end[read] - reads.read_start[read])
    return longest


@kernel
def find_anchors(reference, starts, ends, region):
    """Return (before, after): a read that begins after one or ends before the other has a free end.

    A repeat over a region's border looks the same a unit further on. So a read that ends in what
    goes on of it may be off by the units that its haplotype has more or less, and is anchored only
    by what lies beyond. A read that reaches another region is that one's to place.
    """
    start = starts[region]
    end = ends[region]
    low = start - reference.start
    high = end - reference.start
    left = 0
    right = 0
    for unit in range(1, end - start + 1):
        left = max(left, _goes_on(reference.codes, low - 1, -1, unit))
        right = max(right, _goes_on(reference.codes, high, 1, unit))
    before = start - SLACK - left
    after = end + SLACK + right
    if region > 0:
        before = max(before, ends[region - 1] - 1)
    if region + 1 < len(starts):
        after = min(after, starts[region + 1] + 1)
    return before, after


@part
def _goes_on(codes, column, step, unit):
    """Return how many bases from `column` on, in direction `step`, equal those a unit back."""
    same = 0
    while 0 <= column < len(codes) and codes[column] == codes[column - step * unit]:
        if codes[column] >= UNKNOWN_BASE:
            break
        same += 1
        column += step
    return same


@kernel
def collect_segments(reads, usable, longest, start, end, anchors, rules, reference):
    """Return the SegmentArrays of the region [start, end), whose `anchors` `find_anchors` found."""
    before, after = anchors
    first_read = first_overlapping(reads, longest, start)
    after_read = first_read
    while after_read < len(usable) and reads.read_start[after_read] < end:
        after_read += 1
    room = after_read - first_read
    segments = SegmentArrays(
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.bool_),
        np.empty(room, np.bool_),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.zeros(room, np.bool_),
        np.zeros(room + 1, np.int64),
        np.empty(0, np.uint8),
    )
    count = 0
    for read in range(first_read, after_read):
        if not usable[read] or reads.read_end[read] <= start:
            continue
        left_free = reads.read_start[read] > before
        right_free = reads.read_end[read] < after
        first = reads.base_offset[read] if left_free else query_index(read, start, reads)
        last = reads.base_offset[read + 1]
        if not right_free:
            last = np.int64(query_index(read, end - 1, reads) + 1)
        # A read with a gap of its own at the border is left alone.
        if first < 0 or last <= first:
            continue
        segments.read[count] = read
        segments.first[count] = first
        segments.last[count] = last
        segments.left_free[count] = left_free
        segments.right_free[count] = right_free
        segments.offset[count + 1] = segments.offset[count] + last - first
        count += 1
    codes = np.empty(segments.offset[count], np.uint8)
    segments = SegmentArrays(
        segments.read[:count],
        segments.first[:count],
        segments.last[:count],
        segments.left_free[:count],
        segments.right_free[:count],
        segments.near[:count],
        segments.far[:count],
        segments.score[:count],
        segments.perfect[:count],
        segments.chosen[:count],
        segments.offset[: count + 1],
        codes,
    )
    for index in range(count):
        _look_at(index, segments, reads, reference, start)
    _choose(segments, reads, rules)
    return segments


@part
def _look_at(index, segments, reads, reference, start):
    """Fill the codes and the scores of one segment."""
    read = segments.read[index]
    first = segments.first[index]
    last = segments.last[index]
    codes = segments.codes[segments.offset[index] : segments.offset[index + 1]]
    known = 0
    for query in range(first, last):
        base = reads.bases[query]
        if reads.qualities[query] < MIN_KNOWN_QUALITY:
            base = np.uint8(UNKNOWN_BASE)
        codes[query - first] = base
        known += base < UNKNOWN_BASE
    segments.perfect[index] = known * MATCH
    position = np.int64(reads.read_start[read])
    query = reads.base_offset[read]
    score = 0
    near = np.int64(0)
    far = np.int64(0)
    aligned = False
    for at in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        op = reads.cigar_op[at]
        size = np.int64(reads.cigar_length[at])
        if op == CMATCH or op == CEQUAL or op == CDIFF:
            for step in range(max(first - query, 0), min(last - query, size)):
                if not aligned:
                    near = position + step - start - (query + step - first)
                    aligned = True
                far = position + step - start + (last - query - step)
                column = position + step - reference.start
                known_base = np.uint8(UNKNOWN_BASE)
                if 0 <= column < len(reference.codes):
                    known_base = reference.codes[column]
                score += pair_score(codes[query + step - first], known_base)
            position += size
            query += size
        elif op == CINS or op == CDEL:
            if first < query < last:
                score += GAP_OPEN + (size - 1) * GAP_EXTEND
            if op == CINS:
                query += size
            else:
                position += size
        elif op == CSOFT_CLIP:
            if max(first, query) < min(last, query + size):
                score += CLIP
            query += size
    segments.near[index] = near
    segments.far[index] = far
    segments.score[index] = score


@part
def _choose(segments, reads, rules):
    """Choose the reads that spell haplotypes and vote: by mapping quality, then by name hash."""
    count = len(segments.read)
    hashes = np.empty(count, np.uint64)
    fit = 0
    for index in range(count):
        read = segments.read[index]
        if reads.mapq[read] >= rules.assembly_min_mapq:
            hashes[fit] = reads.name_hash[read]
            fit += 1
    limit = np.uint64(0xFFFFFFFFFFFFFFFF)
    if fit > MAX_CHOSEN:
        limit = hashes[order_of(hashes[:fit])[MAX_CHOSEN]]
    for index in range(count):
        read = segments.read[index]
        segments.chosen[index] = (
            reads.mapq[read] >= rules.assembly_min_mapq and reads.name_hash[read] <= limit
        )
