"""The haplotypes of a region: spelled by reads, then voted for."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import hash_sequence
from pileup.kernels.reassembly.align import align_ungapped, place_haplotype
from pileup.kernels.reassembly.arrays import HaplotypeArrays
from pileup.kernels.spans import copy_into
from pileup.sam import CDEL, CDIFF, CEQUAL, CHARD_CLIP, CINS, CMATCH, CSOFT_CLIP

# Room for the spellings of a region, and for the bases of one.
MAX_SPELLINGS, MAX_LENGTH = 256, 512
# So many of them, the commonest, are voted on; so many win at most.
MAX_CANDIDATES, MAX_KEPT = 32, 8
# A read votes for a haplotype that fits it better by more than half a mismatch, and well: with at
# most two mismatches.
MIN_GAIN, MAX_LOSS = 6, 20
# A haplotype differs from the reference in places that at least MIN_APART bases, which both share,
# lie between. Reads that span a place have this many aligned bases on both sides of it: so many
# are seldom there by chance (one in 65,536).
MIN_APART, MIN_BESIDE = 8, 8
# So many bases at the far end of a clip must fit the reference in exactly one place, at most
# ANCHOR_REACH from the region, for the read to bridge it.
ANCHOR, ANCHOR_REACH = 16, 60
# Fragment of a spelling that no read spells.
NO_FRAGMENT = np.int32(-2)
# Where the anchor may lie: at the end of the read or so many steps before it.
ANCHOR_STEPS, ANCHOR_STEP = 4, 6


@kernel
def empty_haplotypes():
    """Return HaplotypeArrays without any."""
    return HaplotypeArrays(
        np.empty((MAX_SPELLINGS, MAX_LENGTH), np.uint8),
        np.zeros(MAX_SPELLINGS, np.int32),
        np.zeros(MAX_SPELLINGS, np.uint64),
        np.zeros(MAX_SPELLINGS, np.int32),
        np.full(MAX_SPELLINGS, -1, np.int32),
        np.zeros(1, np.int64),
    )


@part
def add_spelling(spellings, bases, fragment):
    """Count a spelling once more, or for the first time; return its index, or -1 without room."""
    length = len(bases)
    if length == 0 or length > MAX_LENGTH:
        return -1
    # As whole numbers: of literals Numba would compile a second hash.
    value = hash_sequence(bases, np.int64(0), length, np.int64(0))
    for index in range(spellings.size[0]):
        if spellings.hash[index] == value and spellings.length[index] == length:
            if spellings.fragment[index] != fragment:
                spellings.reads[index] += 1
                spellings.fragment[index] = fragment
            return index
    index = spellings.size[0]
    if index == MAX_SPELLINGS:
        return -1
    spellings.size[0] = index + 1
    copy_into(bases, spellings.bases[index])
    spellings.length[index] = length
    spellings.hash[index] = value
    spellings.reads[index] = 1
    spellings.fragment[index] = fragment
    return index


@kernel
def spell_reads(segments, reads, reference, start, end, min_base_quality, spellings, events):
    """Spell the region [start, end) as each chosen read shows it.

    `spellings` get the reference with all of a read's differences (but those of poor bases),
    `events` the reference with one indel of a read, and with all of its indels. An indel is the
    same wherever the mapper put it, as the spelling is.
    """
    known = reference.codes[start - reference.start : end - reference.start]
    whole = np.empty(MAX_LENGTH, np.uint8)
    plain = np.empty(MAX_LENGTH, np.uint8)
    single = np.empty(MAX_LENGTH, np.uint8)
    for index in range(len(segments.read)):
        if not segments.chosen[index]:
            continue
        read = segments.read[index]
        position = np.int64(reads.read_start[read])
        query = reads.base_offset[read]
        size_whole = 0
        done = start  # reference before this is spelled
        fits = True
        differs = False
        indels = 0
        for at in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            op = reads.cigar_op[at]
            size = np.int64(reads.cigar_length[at])
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                for step in range(max(start - position, 0), min(end - position, size)):
                    while done < position + step and size_whole < MAX_LENGTH:
                        whole[size_whole] = known[done - start]
                        plain[size_whole] = known[done - start]
                        size_whole += 1
                        done += 1
                    if size_whole >= MAX_LENGTH:
                        fits = False
                        break
                    base = reads.bases[query + step]
                    expected = known[position + step - start]
                    if base >= UNKNOWN_BASE or reads.qualities[query + step] < min_base_quality:
                        base = expected
                    differs = differs or base != expected
                    whole[size_whole] = base
                    plain[size_whole] = expected
                    size_whole += 1
                    done += 1
                position += size
                query += size
            elif op == CINS:
                # Insertions at the region's border belong to another region, or to none.
                if start < position < end:
                    differs = True
                    indels += 1
                    if size_whole + size > MAX_LENGTH:
                        fits = False
                    elif done == position:
                        for step in range(size):
                            fits = fits and reads.bases[query + step] < UNKNOWN_BASE
                            whole[size_whole] = reads.bases[query + step]
                            plain[size_whole] = reads.bases[query + step]
                            size_whole += 1
                    before = position - start
                    if end - start + size <= MAX_LENGTH and fits:
                        copy_into(known[:before], single)
                        copy_into(reads.bases[query : query + size], single[before:])
                        copy_into(known[before : end - start], single[before + size :])
                        add_spelling(events, single[: end - start + size], reads.fragment[read])
                query += size
            elif op == CDEL:
                if start < position and position + size < end:
                    differs = True
                    indels += 1
                    while done < position and size_whole < MAX_LENGTH:
                        whole[size_whole] = known[done - start]
                        plain[size_whole] = known[done - start]
                        size_whole += 1
                        done += 1
                    done = position + size
                    before = position - start
                    left = end - start - size
                    if left <= MAX_LENGTH:
                        copy_into(known[:before], single)
                        copy_into(known[before + size : end - start], single[before:])
                        add_spelling(events, single[:left], reads.fragment[read])
                elif position < end and position + size > start:
                    fits = False
                position += size
            elif op == CSOFT_CLIP:
                query += size
        while done < end and size_whole < MAX_LENGTH:
            whole[size_whole] = known[done - start]
            plain[size_whole] = known[done - start]
            size_whole += 1
            done += 1
        if fits and differs and done >= end:
            add_spelling(spellings, whole[:size_whole], reads.fragment[read])
            if indels > 1:
                add_spelling(events, plain[:size_whole], reads.fragment[read])


@part
def _only_place(bases, codes):
    """Return the only index in `codes` where `bases` occur, or -1."""
    n = len(bases)
    only = -1
    for index in range(len(codes) - n + 1):
        step = 0
        while step < n and codes[index + step] == bases[step]:
            step += 1
        if step == n:
            if only >= 0:
                return -1
            only = index
    return only


@part
def spell_bridges(segments, reads, reference, start, end, min_base_quality, bridges):
    """Spell the region as reads show it whose clipped end fits the reference beyond the region.

    So a read that holds a whole insertion, or both ends of a deletion, spells it, though the
    mapper could place only one side of it, and though repeats put cycles into every graph.
    """
    first_column = max(start - ANCHOR_REACH - reference.start, 0)
    codes = reference.codes[first_column : end + ANCHOR_REACH - reference.start]
    low = start - reference.start - first_column
    high = end - reference.start - first_column
    spelled = np.empty(MAX_LENGTH, np.uint8)
    for index in range(len(segments.read)):
        read = segments.read[index]
        if not segments.chosen[index] or segments.left_free[index] == segments.right_free[index]:
            continue
        leftward = segments.left_free[index]
        clip = _clip_length(reads, read, leftward)
        bases = reads.bases[segments.first[index] : segments.last[index]]
        qualities = reads.qualities[segments.first[index] : segments.last[index]]
        n = len(bases)
        for step in range(ANCHOR_STEPS):
            shift = step * ANCHOR_STEP
            if shift + ANCHOR > min(clip, n):
                break
            begin = shift if leftward else n - shift - ANCHOR
            anchor = bases[begin : begin + ANCHOR]
            lowest = qualities[begin]
            for base in range(begin, begin + ANCHOR):
                lowest = min(lowest, qualities[base])
            if lowest < min_base_quality:
                continue
            place = _only_place(anchor, codes)
            if place < 0:
                continue
            # From the anchor into the region the read spells; what is between the region's other
            # end and the anchor is reference.
            if leftward:
                own = begin + max(low - place, 0)
                lead = max(place - low, 0)
                size = lead + n - own
                if own <= begin + ANCHOR and 0 < size <= MAX_LENGTH:
                    copy_into(codes[low : low + lead], spelled)
                    copy_into(bases[own:], spelled[lead:])
                    add_spelling(bridges, spelled[:size], reads.fragment[read])
            else:
                after = place + ANCHOR
                own = begin + ANCHOR - max(after - high, 0)
                trail = max(high - after, 0)
                size = own + trail
                if own >= begin and 0 < size <= MAX_LENGTH:
                    copy_into(bases[:own], spelled)
                    copy_into(codes[high - trail : high], spelled[own:])
                    add_spelling(bridges, spelled[:size], reads.fragment[read])
            break


@part
def _is_clip(op):
    return op == CSOFT_CLIP or op == CHARD_CLIP


@part
def _clip_length(reads, read, leftward):
    """Return how many bases are soft-clipped at one end of a read."""
    first = reads.cigar_offset[read]
    last = reads.cigar_offset[read + 1]
    clipped = 0
    if leftward:
        at = first
        while at < last and _is_clip(reads.cigar_op[at]):
            clipped += reads.cigar_length[at] if reads.cigar_op[at] == CSOFT_CLIP else 0
            at += 1
    else:
        at = last - 1
        while at >= first and _is_clip(reads.cigar_op[at]):
            clipped += reads.cigar_length[at] if reads.cigar_op[at] == CSOFT_CLIP else 0
            at -= 1
    return clipped


@kernel
def merge_supported(spellings, support, merged):
    """Add to `merged` the commonest of the spellings that at least `support` reads show."""
    while merged.size[0] < MAX_CANDIDATES:
        best = -1
        for index in range(spellings.size[0]):
            enough = spellings.reads[index] >= support
            if enough and (best < 0 or spellings.reads[index] > spellings.reads[best]):
                best = index
        if best < 0:
            break
        add_spelling(merged, spellings.bases[best, : spellings.length[best]], NO_FRAGMENT)
        spellings.reads[best] = 0


@kernel
def with_flanks(bases, reference, start, end, flank):
    """Return a haplotype of [start, end) with `flank` bases of reference on both sides."""
    n = len(bases)
    spelled = np.full(n + 2 * flank, UNKNOWN_BASE, np.uint8)
    copy_into(bases, spelled[flank:])
    for step in range(flank):
        before = start - flank + step - reference.start
        if 0 <= before < len(reference.codes):
            spelled[step] = reference.codes[before]
        after = end + step - reference.start
        if 0 <= after < len(reference.codes):
            spelled[flank + n + step] = reference.codes[after]
    return spelled


@kernel
def lay_segment(segments, index, flanked, flank, reference_length):
    """Lay a segment on a flanked haplotype without gaps.

    Returns
    -------
    The score, the first and last code that is aligned, and the index that the first code of the
    segment has on `flanked`.
    """
    codes = segments.codes[segments.offset[index] : segments.offset[index + 1]]
    n = len(codes)
    left_free = segments.left_free[index]
    right_free = segments.right_free[index]
    change = len(flanked) - 2 * flank - reference_length
    if not left_free:
        from_left = flank
    else:
        from_left = flank + segments.near[index]
    if not right_free:
        from_right = len(flanked) - flank - n
    else:
        from_right = flank + change + segments.far[index] - n
    if not left_free and not right_free and from_left != from_right:
        return -(1 << 30), 0, 0, 0
    # A side that is anchored is certain; where none is, both guesses are tried.
    if right_free and not left_free:
        from_right = from_left
    elif left_free and not right_free:
        from_left = from_right
    score, first, last = align_ungapped(codes, flanked, from_left, left_free, right_free)
    if from_right != from_left:
        other, other_first, other_last = align_ungapped(
            codes, flanked, from_right, left_free, right_free
        )
        if other > score:
            return other, other_first, other_last, from_right
    return score, first, last, from_left


@kernel
def longest_free(segments):
    """Return how much flank the haplotypes of a region need."""
    longest = 0
    for index in range(len(segments.read)):
        if segments.left_free[index] or segments.right_free[index]:
            longest = max(longest, segments.last[index] - segments.first[index])
    return longest


@kernel
def reference_scores(segments, reference, start, end, flank, scores):
    """Fill `scores` (int64 [m]): the better of the mapper's alignment and none with gaps."""
    known = reference.codes[start - reference.start : end - reference.start]
    flanked = with_flanks(known, reference, start, end, flank)
    for index in range(len(segments.read)):
        score, _, _, _ = lay_segment(segments, index, flanked, flank, end - start)
        scores[index] = max(score, segments.score[index])


@kernel
def vote(segments, reads, reference, start, end, flank, support, candidates, scores):
    """Choose the haplotypes that explain the reads, one after the other.

    Parameters
    ----------
    scores
        int64 [m], what each segment scores on the reference; raised to its score on the chosen.

    Returns
    -------
    int64, indices into `candidates`: the haplotype that gains most goes first, and each must be
    gained from by `support` reads of two fragments, and spanned.
    """
    n = candidates.size[0]
    m = len(segments.read)
    table = np.empty((n, m), np.int64)
    for candidate in range(n):
        bases = candidates.bases[candidate, : candidates.length[candidate]]
        flanked = with_flanks(bases, reference, start, end, flank)
        for index in range(m):
            if segments.chosen[index] and scores[index] + MIN_GAIN <= segments.perfect[index]:
                table[candidate, index] = lay_segment(segments, index, flanked, flank, end - start)[
                    0
                ]
            else:
                table[candidate, index] = scores[index]
    chosen = np.empty(MAX_KEPT, np.int64)
    before = np.empty(m, np.int64)
    copy_into(scores, before)
    refused = np.zeros(n, np.bool_)
    kept = 0
    while kept < MAX_KEPT:
        best = -1
        best_gain = 0
        for candidate in range(n):
            if refused[candidate]:
                continue
            gain = 0
            voters = 0
            fragment = -1
            several = False
            for index in range(m):
                step = table[candidate, index] - scores[index]
                fits = table[candidate, index] + MAX_LOSS >= segments.perfect[index]
                if step >= MIN_GAIN and fits:
                    gain += step
                    voters += 1
                    own = reads.fragment[segments.read[index]]
                    several = several or (fragment >= 0 and own != fragment)
                    fragment = own
            if several and voters >= support and gain > best_gain:
                best = candidate
                best_gain = gain
        if best < 0:
            break
        bases = candidates.bases[best, : candidates.length[best]]
        if not is_spanned(segments, reads, reference, start, end, flank, bases, before):
            refused[best] = True
            continue
        chosen[kept] = best
        kept += 1
        for index in range(m):
            scores[index] = max(scores[index], table[best, index])
    return chosen[:kept]


@kernel
def find_differences(bases, known, lows, highs):
    """List where a haplotype differs from the reference bases that it replaces.

    Parameters
    ----------
    lows, highs
        int64 [len(bases) + 1]; filled with the spans of `bases` that differ. An empty one lies
        before the base that follows a deletion.

    Returns
    -------
    Their number.
    """
    n = len(bases)
    place = np.empty(n, np.int64)
    place_haplotype(bases, known, place)
    found = 0
    expected = 0
    for index in range(n + 1):
        at = place[index] if index < n else len(known)
        differs = at < 0 or at > expected or (index < n and bases[index] != known[at])
        high = index + 1 if index < n and (at < 0 or bases[index] != known[at]) else index
        if differs:
            if found > 0 and index < highs[found - 1] + MIN_APART:
                highs[found - 1] = high
            else:
                lows[found] = index
                highs[found] = high
                found += 1
        if at >= 0:
            expected = at + 1
    return found


@kernel
def is_spanned(segments, reads, reference, start, end, flank, bases, before):
    """Return whether reads of two fragments, not of one span, show each place where it differs.

    Reads that are clipped within a place have seen one end of it only: an insertion and any
    sequence that is not of the sample look the same to them. Two fragments of one span may be
    copies of one molecule.

    Parameters
    ----------
    bases
        uint8, a haplotype of [start, end).
    before
        int64 [m], what each segment scores on the reference.
    """
    known = reference.codes[start - reference.start : end - reference.start]
    lows = np.empty(len(bases) + 1, np.int64)
    highs = np.empty(len(bases) + 1, np.int64)
    found = find_differences(bases, known, lows, highs)
    flanked = with_flanks(bases, reference, start, end, flank)
    first_witness = np.full(found, -1, np.int64)
    shown = np.zeros(found, np.bool_)
    for index in range(len(segments.read)):
        perfect = segments.perfect[index]
        if not segments.chosen[index] or before[index] + MIN_GAIN > perfect:
            continue
        score, first, last, at = lay_segment(segments, index, flanked, flank, end - start)
        if score < before[index] + MIN_GAIN or score + MAX_LOSS < perfect:
            continue
        low = at + first - flank if segments.left_free[index] else -MIN_BESIDE
        high = at + last - flank if segments.right_free[index] else len(bases) + MIN_BESIDE
        read = segments.read[index]
        for place in range(found):
            if low > lows[place] - MIN_BESIDE or high < highs[place] + MIN_BESIDE:
                continue
            other = first_witness[place]
            if other < 0:
                first_witness[place] = read
            elif reads.fragment[other] != reads.fragment[read]:
                same = reads.read_start[other] == reads.read_start[read]
                same = same and reads.read_end[other] == reads.read_end[read]
                shown[place] = shown[place] or not same
    for place in range(found):
        if not shown[place]:
            return False
    return True
