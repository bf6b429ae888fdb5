"""Twin of kernels.reassembly.align: best score of an alignment, score of a given one."""

from collections.abc import Sequence
from functools import cache

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.reassembly.align import CLIP, CLIPPED, INSERTED, OUTSIDE, READ_SCORES, UNKNOWN

Scores = tuple[int, int, int, int]
_NEVER = -(10**9)


def pair_score(base: int, other: int, scores: Scores = READ_SCORES) -> int:
    """Return the score of a base of a read on one of a haplotype."""
    if other >= UNKNOWN_BASE:
        return OUTSIDE
    if base >= UNKNOWN_BASE:
        return UNKNOWN
    return scores[0] if base == other else scores[1]


def ungapped_score(
    codes: Sequence[int], haplotype: Sequence[int], start: int, *, left_free: bool, right_free: bool
) -> int:
    """Return the best score of any stretch of `codes`; what is left of it is clipped."""
    n = len(codes)
    steps = [
        pair_score(code, haplotype[at] if 0 <= at < len(haplotype) else UNKNOWN_BASE)
        for at, code in enumerate(codes, start)
    ]
    return max(
        sum(steps[low:high]) + CLIP * ((low > 0) + (high < n))
        for low in range(n if left_free else 1)
        for high in range(low + 1 if right_free else n, n + 1)
    )


def gapped_score(
    codes: Sequence[int],
    haplotype: Sequence[int],
    start: int,
    end: int,
    *,
    left_free: bool,
    right_free: bool,
    band: int,
    scores: Scores = READ_SCORES,
) -> int:
    """Return the best score with affine gaps, by plain recursion over how an alignment ends."""
    n = len(codes)
    low = min(start, end - n) - band
    high = max(start, end - n) + band
    _, _, gap_open, gap_extend = scores

    def first(index: int, at: int) -> int:
        if left_free:
            return 0 if index == 0 else CLIP
        return 0 if (index, at) == (0, start) else _NEVER

    @cache
    def best(index: int, at: int, state: str) -> int:
        # The score of codes[:index] against haplotype[:at], the last column being of `state`.
        if not (low <= at - index <= high and index >= 0):
            return _NEVER
        if state == "M":
            if index == 0 or not 0 < at <= len(haplotype):
                return _NEVER
            before = max(first(index - 1, at - 1), *(best(index - 1, at - 1, s) for s in "MID"))
            return max(before + pair_score(codes[index - 1], haplotype[at - 1], scores), _NEVER)
        index, at = (index - 1, at) if state == "I" else (index, at - 1)
        opened = [best(index, at, other) for other in "MID" if other != state]
        if not left_free:
            opened.append(first(index, at))
        return max(*(score + gap_open for score in opened), best(index, at, state) + gap_extend)

    if not right_free:
        return max(best(n, end, state) for state in "MID")
    return max(
        best(index, at, "M") + (0 if index == n else CLIP)
        for index in range(1, n + 1)
        for at in range(index + low, index + high + 1)
    )


def score_of(
    codes: Sequence[int],
    haplotype: Sequence[int],
    target: Sequence[int],
    scores: Scores = READ_SCORES,
) -> int:
    """Return the score of an alignment given as the place of each base."""
    aligned = [index for index, at in enumerate(target) if at != CLIPPED]
    total = CLIP * ((aligned[0] > 0) + (aligned[-1] < len(codes) - 1))
    previous, inside = None, False
    for index in aligned:
        if target[index] == INSERTED:
            total += scores[3] if inside else scores[2]
            inside = True
            continue
        if previous is not None and target[index] > previous + 1:
            total += scores[2] + (target[index] - previous - 2) * scores[3]
        total += pair_score(codes[index], haplotype[target[index]], scores)
        previous, inside = target[index], False
    return total
