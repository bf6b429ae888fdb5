"""Local reassembly of regions: find their haplotypes, and move the reads that fit one better."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.kernels.reassembly.align import (
    BAND,
    CLIPPED,
    READ_SCORES,
    align_gapped,
    place_haplotype,
)
from pileup.kernels.reassembly.assemble import MAX_PATHS, add_paths, assemble
from pileup.kernels.reassembly.combine import combine_indels, common_end, common_start
from pileup.kernels.reassembly.haplotypes import (
    MAX_LENGTH,
    empty_haplotypes,
    lay_segment,
    longest_free,
    merge_supported,
    reference_scores,
    spell_bridges,
    spell_reads,
    vote,
    with_flanks,
)
from pileup.kernels.reassembly.places import fill_places
from pileup.kernels.reassembly.segments import (
    MAX_SEGMENTS,
    collect_segments,
    find_anchors,
    longest_usable,
)
from pileup.kernels.spans import are_known, copy_into

# A read is unexplained where it scores this much less than a perfect one (more than two
# mismatches): two such reads call for the graph, and such a read is aligned with gaps.
UNEXPLAINED = 24
_NEVER = -(1 << 29)


@kernel
def reassemble(reads, reference, usable, rules, starts, ends, hards, places, moved):
    """Realign the reads of each region [starts, ends) on the contig.

    Parameters
    ----------
    places
        int32 [bases]: for a moved read the reference position of each base, INSERTED or CLIPPED.
    moved
        bool [n], zeroed; true for reads whose `places` are filled.

    Returns
    -------
    The number of regions with a haplotype other than the reference.
    """
    longest = longest_usable(reads, usable)
    changed = 0
    for region in range(len(starts)):
        start = starts[region]
        end = ends[region]
        if not _is_known(reference, start, end):
            continue
        anchors = find_anchors(reference, starts, ends, region)
        segments = collect_segments(reads, usable, longest, start, end, anchors, rules, reference)
        if len(segments.read) > MAX_SEGMENTS:
            continue
        haplotypes, chosen = find_haplotypes(
            segments, reads, reference, start, end, rules, hards[region]
        )
        if len(chosen) == 0:
            continue
        changed += 1
        _move_reads(segments, reads, reference, start, end, haplotypes, chosen, places, moved)
    return changed


@part
def _is_known(reference, start, end):
    low = start - reference.start
    high = end - reference.start
    if low < 0 or high > len(reference.codes):
        return False
    return are_known(reference.codes[low:high])


@part
def find_haplotypes(segments, reads, reference, start, end, rules, hard):
    """Return HaplotypeArrays, and which of them (int64) the reads of a region vote for."""
    voters = 0
    for index in range(len(segments.read)):
        voters += segments.chosen[index]
    support = max(rules.min_support, (voters * rules.min_share + 99) // 100)
    spellings = empty_haplotypes()
    events = empty_haplotypes()
    merged = empty_haplotypes()
    quality = rules.assembly_min_base_quality
    spell_reads(segments, reads, reference, start, end, quality, spellings, events)
    if hard < 1 and not _several_places(events, reference, start, end, support):
        return merged, np.empty(0, np.int64)
    merge_supported(spellings, support, merged)
    combine_indels(events, reference, start, end, support, merged)
    merge_supported(events, support, merged)
    flank = longest_free(segments) + 2 * BAND
    before = np.empty(len(segments.read), np.int64)
    reference_scores(segments, reference, start, end, flank, before)
    scores = np.empty(len(before), np.int64)
    copy_into(before, scores)
    chosen = vote(segments, reads, reference, start, end, flank, support, merged, scores)
    unexplained = 0
    for index in range(len(segments.read)):
        if segments.chosen[index] and reads.mapq[segments.read[index]] >= rules.min_mapq:
            unexplained += scores[index] + UNEXPLAINED <= segments.perfect[index]
    if unexplained >= support:
        paths = np.empty((MAX_PATHS, MAX_LENGTH), np.uint8)
        lengths = np.empty(MAX_PATHS, np.int64)
        found, path_start = assemble(
            segments, reads, reference, start, end, quality, paths, lengths
        )
        known = merged.size[0]
        bridges = empty_haplotypes()
        spell_bridges(segments, reads, reference, start, end, quality, bridges)
        merge_supported(bridges, np.int64(1), merged)
        add_paths(paths, lengths, found, path_start, start, end, reference, merged)
        if merged.size[0] > known:
            copy_into(before, scores)
            chosen = vote(segments, reads, reference, start, end, flank, support, merged, scores)
    return merged, chosen


@part
def _several_places(events, reference, start, end, support):
    """Return whether indels of several places, not of one repeat, are supported."""
    known = reference.codes[start - reference.start : end - reference.start]
    first = -1
    last = -1
    for index in range(events.size[0]):
        if events.reads[index] < support:
            continue
        # An indel can stand anywhere in its repeat: the ends of that stretch identify the repeat.
        shown = events.bases[index, : events.length[index]]
        before = common_start(shown, known)
        behind = common_end(shown, known)
        change = abs(len(shown) - len(known))
        if first < 0:
            first = before
            last = behind
        elif max(abs(before - first), abs(behind - last)) > 2 * change + 2:
            return True
    return False


@part
def _move_reads(segments, reads, reference, start, end, haplotypes, chosen, places, moved):
    """Give each read that fits a chosen haplotype better than the reference its place there."""
    flank = longest_free(segments) + 2 * BAND
    known = reference.codes[start - reference.start : end - reference.start]
    baseline = np.empty(len(segments.read), np.int64)
    reference_scores(segments, reference, start, end, flank, baseline)
    room = 0
    for index in range(len(segments.read)):
        room = max(room, segments.last[index] - segments.first[index])
    target = np.empty(room, np.int64)
    trial = np.empty(room, np.int64)
    longest = len(known)
    for rank in range(len(chosen)):
        longest = max(longest, haplotypes.length[chosen[rank]])
    length = flank * 2 + longest
    flanked = np.empty((len(chosen) + 1, length), np.uint8)
    sizes = np.empty(len(chosen) + 1, np.int64)
    place = np.empty((len(chosen), length), np.int64)
    for rank in range(len(chosen) + 1):
        bases = known
        if rank < len(chosen):
            bases = haplotypes.bases[chosen[rank], : haplotypes.length[chosen[rank]]]
            _place_flanked(bases, known, start, flank, place[rank])
        sizes[rank] = len(bases) + 2 * flank
        copy_into(with_flanks(bases, reference, start, end, flank), flanked[rank])
    for index in range(len(segments.read)):
        perfect = segments.perfect[index]
        if baseline[index] >= perfect:
            continue
        n = segments.last[index] - segments.first[index]
        best = baseline[index]
        winner = -1
        for rank in range(len(chosen)):
            score, first, last, at = lay_segment(
                segments, index, flanked[rank, : sizes[rank]], flank, end - start
            )
            if score > best:
                best = score
                winner = rank
                for filled in range(n):
                    target[filled] = CLIPPED
                for step in range(first, last):
                    target[step] = at + step
        if best + UNEXPLAINED <= perfect:
            # The reference comes first, so that it wins ties.
            for rank in range(-1, len(chosen)):
                own = len(chosen) if rank < 0 else rank
                score = _lay_gapped(
                    segments, index, flanked[own, : sizes[own]], flank, end - start, trial[:n]
                )
                if score > best:
                    best = score
                    winner = rank
                    copy_into(trial[:n], target)
        if winner >= 0:
            _write_places(segments, index, reads, target[:n], place[winner], places, moved)


@part
def _lay_gapped(segments, index, flanked, flank, reference_length, target):
    codes = segments.codes[segments.offset[index] : segments.offset[index + 1]]
    n = len(codes)
    left_free = segments.left_free[index]
    right_free = segments.right_free[index]
    change = len(flanked) - 2 * flank - reference_length
    low = flank
    high = len(flanked) - flank
    if left_free and right_free:
        low = flank + segments.near[index]
        high = flank + change + segments.far[index]
    elif left_free:
        low = high - n
    elif right_free:
        high = low + n
    return align_gapped(codes, flanked, low, high, left_free, right_free, BAND, READ_SCORES, target)


@part
def _place_flanked(bases, known, start, flank, place):
    """Fill the reference position of each base of a flanked haplotype, or INSERTED."""
    n = len(bases)
    middle = place[flank : flank + n]
    place_haplotype(bases, known, middle)
    for index in range(n):
        if middle[index] >= 0:
            middle[index] += start
    for step in range(flank):
        place[step] = start - flank + step
        place[flank + n + step] = start + len(known) + step


@part
def _write_places(segments, index, reads, target, place, places, moved):
    """Put the new places of a segment's bases into `places`."""
    read = segments.read[index]
    if not moved[read]:
        moved[read] = True
        fill_places(read, reads, places)
    first = segments.first[index]
    for step in range(len(target)):
        at = target[step]
        places[first + step] = place[at] if at >= 0 else at
