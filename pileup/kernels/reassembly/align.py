"""Align a read to a haplotype, and a haplotype to the reference: affine gaps, whole numbers."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import UNKNOWN_BASE

# DeepVariant's scores (realigner.py); a gap of n bases costs GAP_OPEN + (n - 1) * GAP_EXTEND.
MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND = 4, -6, -8, -2
READ_SCORES = (MATCH, MISMATCH, GAP_OPEN, GAP_EXTEND)
# The same for a haplotype on the reference, but with a higher cost to open a gap: three adjacent
# mismatches stay such, and two deletions of a base are not one of two and a mismatch. A unit of a
# repeat inserted here and deleted there are two gaps, as bwa mem has them: at -10 four gaps of a
# base, which pair four bases more, would score the same.
SPELLING_SCORES = (4, -6, -11, -2)
# An end is clipped where aligning it would cost more: two mismatches among the last bases, as bwa
# mem does (-B 4 -L 5).
CLIP = -10
# An unknown base of the read fits nothing; no read may lie on an unknown reference base.
UNKNOWN, OUTSIDE = -1, -30
# Gaps of a read against a haplotype may move it this far from the diagonal.
BAND = 16
# What `target` holds for bases that have no place on the haplotype.
INSERTED, CLIPPED = -1, -2
_NEVER = -(1 << 30)
# The same, for the alignment of a haplotype, which differs more.
HAPLOTYPE_BAND = 40


@part
def pair_score(base, other):
    """Return the score of a base of a read on one of a haplotype."""
    if other >= UNKNOWN_BASE:
        return OUTSIDE
    if base >= UNKNOWN_BASE:
        return UNKNOWN
    return MATCH if base == other else MISMATCH


@kernel
def align_ungapped(codes, haplotype, start, left_free, right_free):
    """Lay `codes` on `haplotype` from index `start` on.

    Returns
    -------
    The best score, and the stretch of `codes` that is aligned; a free end may be clipped.
    """
    n = len(codes)
    best = _NEVER
    best_first = 0
    best_last = 0
    score = 0
    first = 0
    for index in range(n):
        at = start + index
        step = pair_score(codes[index], haplotype[at]) if 0 <= at < len(haplotype) else OUTSIDE
        if left_free and index > 0 and score <= CLIP:
            score = CLIP
            first = index
        score += step
        if index == n - 1 or (right_free and score + CLIP > best):
            value = score if index == n - 1 else score + CLIP
            if value > best:
                best = value
                best_first = first
                best_last = index + 1
    if n == 0:
        return 0, 0, 0
    return best, best_first, best_last


@kernel
def align_gapped(codes, haplotype, start, end, left_free, right_free, band, scores, target):
    """Align `codes` to `haplotype` with affine gaps (Gotoh), within `band` of the diagonals.

    Parameters
    ----------
    scores
        READ_SCORES or SPELLING_SCORES.
    start, end
        Indices into `haplotype` where the alignment begins and ends; of a free side only a guess,
        as there the end of `codes` may lie anywhere, or be clipped.
    target
        int64 [len(codes)]; filled with the index into `haplotype` of each base, or INSERTED or
        CLIPPED. Gaps stand as far left as they can.

    Returns
    -------
    The score.
    """
    match_score, mismatch_score, gap_open, gap_extend = scores
    n = len(codes)
    low = min(start, end - n) - band
    width = max(start, end - n) + band - low + 1
    trace = np.zeros((n + 1, width), np.uint8)
    match = np.full(width, _NEVER, np.int64)
    insertion = np.full(width, _NEVER, np.int64)
    deletion = np.full(width, _NEVER, np.int64)
    if not left_free:
        match[start - low] = 0
        for column in range(start - low + 1, width):
            deletion[column] = gap_open + (column - (start - low) - 1) * gap_extend
    best = _NEVER
    best_row = 0
    best_column = 0
    for row in range(1, n + 1):
        base = codes[row - 1]
        left_match = _NEVER
        left_insertion = _NEVER
        left_deletion = _NEVER
        for column in range(width):
            at = row - 1 + low + column
            # Diagonal: the values of this column still are those of the row before.
            value = match[column]
            came = 0
            if deletion[column] > value:
                value, came = deletion[column], 2
            if insertion[column] > value:
                value, came = insertion[column], 1
            if left_free:
                fresh = 0 if row == 1 else CLIP
                if fresh >= value:
                    value, came = fresh, 3
            if 0 <= at < len(haplotype):
                other = haplotype[at]
                if max(base, other) >= UNKNOWN_BASE:
                    value += OUTSIDE if other >= UNKNOWN_BASE else UNKNOWN
                else:
                    value += match_score if base == other else mismatch_score
            else:
                value = _NEVER
            # Up: the next column of the row before.
            gap = _NEVER
            gap_came = 0
            if column + 1 < width:
                gap = match[column + 1] + gap_open
                if deletion[column + 1] + gap_open > gap:
                    gap, gap_came = deletion[column + 1] + gap_open, 2
                # Of two gaps the right one is the longer where that costs the same: so both begin
                # as far left as they can, and haplotypes of one repeat share what they have.
                if insertion[column + 1] + gap_extend >= gap:
                    gap, gap_came = insertion[column + 1] + gap_extend, 1
            skip = left_match + gap_open
            skip_came = 0
            if left_insertion + gap_open > skip:
                skip, skip_came = left_insertion + gap_open, 1
            if left_deletion + gap_extend >= skip:
                skip, skip_came = left_deletion + gap_extend, 2
            left_match = max(value, _NEVER)
            left_insertion = max(gap, _NEVER)
            left_deletion = max(skip, _NEVER)
            match[column] = left_match
            insertion[column] = left_insertion
            deletion[column] = left_deletion
            trace[row, column] = came | gap_came << 2 | skip_came << 4
            if right_free:
                final = value if row == n else value + CLIP
                if final > best:
                    best, best_row, best_column = final, row, column
    state = 0
    if not right_free:
        best_row = n
        best_column = end - n - low
        best = match[best_column]
        if deletion[best_column] > best:
            best, state = deletion[best_column], 2
        if insertion[best_column] > best:
            best, state = insertion[best_column], 1
    for filled in range(n):
        target[filled] = CLIPPED
    row = best_row
    column = best_column
    while row > 0 and best > _NEVER // 2:
        packed = trace[row, column]
        if state == 0:
            target[row - 1] = row - 1 + low + column
            state = packed & 3
            row -= 1
            if state == 3:
                break
        elif state == 1:
            target[row - 1] = INSERTED
            state = packed >> 2 & 3
            row -= 1
            column += 1
        else:
            state = packed >> 4 & 3
            column -= 1
    return best


@kernel
def place_haplotype(bases, reference, place):
    """Align a whole haplotype to the reference bases it replaces, as it would be written by hand.

    `place` (int64 [len(bases)]) is filled with the index into `reference` of each base, or
    INSERTED. What both end with, then what both begin with, is matched first; gaps then move left
    as far as they can.
    """
    n = len(bases)
    m = len(reference)
    after = 0
    while after < min(n, m) and bases[n - 1 - after] == reference[m - 1 - after]:
        after += 1
        place[n - after] = m - after
    before = 0
    while before < min(n, m) - after and bases[before] == reference[before]:
        place[before] = before
        before += 1
    inner = n - before - after
    outer = m - before - after
    if inner == 0 or outer == 0:
        for filled in range(before, n - after):
            place[filled] = INSERTED
        _move_gaps_left(bases, reference, place[:n])
        return
    middle = place[before : n - after]
    align_gapped(
        bases[before : n - after],
        reference[before : m - after],
        0,
        outer,
        False,
        False,
        HAPLOTYPE_BAND,
        SPELLING_SCORES,
        middle,
    )
    for index in range(inner):
        if middle[index] >= 0:
            middle[index] += before
    _move_gaps_left(bases, reference, place[:n])


@part
def _move_gaps_left(bases, reference, place):
    """Move each gap left while the alignment scores the same, the leftmost gap first."""
    n = len(place)
    index = 1
    while index < n:
        if place[index] < 0 and place[index - 1] >= 0:
            last = index
            while last + 1 < n and place[last + 1] < 0:
                last += 1
            resume = last + 1
            while index > 0 and place[index - 1] >= 0 and bases[index - 1] == bases[last]:
                # Only a matching pair may pass the gap, as a mismatch would become another.
                if bases[index - 1] != reference[place[index - 1]]:
                    break
                place[last] = place[index - 1]
                place[index - 1] = INSERTED
                index -= 1
                last -= 1
            index = resume
        elif place[index] > place[index - 1] + 1 and place[index - 1] >= 0:
            gap = place[index] - place[index - 1] - 1
            at = index - 1
            while at >= 0 and place[at] >= 0 and bases[at] == reference[place[at] + gap]:
                if bases[at] != reference[place[at]] or (at > 0 and place[at - 1] < place[at] - 1):
                    break
                place[at] += gap
                at -= 1
            index += 1
        else:
            index += 1
