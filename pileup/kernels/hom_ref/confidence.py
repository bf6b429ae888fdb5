"""How likely one or two copies of any other allele are at every base, against none."""

import numpy as np

from pileup.accelerate import kernel, view_part
from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT

LONGEST_UNIT = 6
"""Bases of the unit of a short tandem repeat."""
SHORTEST_REPEAT = 6
"""Bases of a repeat that counts as one: in shorter ones reads hardly slip."""
# Bases looked at together.
_CHUNK = 32
# A weight of one fragment.
UNIT = 1000


@view_part
def _is_any(flags, position):
    """Tell whether one of the next _CHUNK flags is set."""
    is_any = False
    for flag in flags[position : position + _CHUNK]:
        is_any |= flag
    return is_any


@kernel
def mark_repeats(codes, repeat):
    """Fill `repeat` (int32 [2, n], zeroed) at the base before each short tandem repeat.

    `codes` are n bases and LONGEST_UNIT more. Row 0 is the repeat's length, at most MAX_SHIFT, row
    1 that of the homopolymer that slips alike: half of it for units of two and more bases. Where
    repeats of several units begin, the longest of each counts.
    """
    length = repeat.shape[1]
    # Whether the base comes again a unit later, and so it is with those after it.
    again = np.zeros(length + 1, np.bool_)
    for unit in range(1, LONGEST_UNIT + 1):
        least = max(unit, SHORTEST_REPEAT - unit)
        for position in range(length):
            again[position] = codes[position] == codes[position + unit]
            again[position] &= codes[position] < UNKNOWN_BASE
        for _ in range(least - 1):
            for position in range(length):
                again[position] &= again[position + 1]
        position = 0
        while position < length:
            if position + _CHUNK <= length and not _is_any(again, position):
                position += _CHUNK
                continue
            if not again[position]:
                position += 1
                continue
            first, last = position, position + least
            while last < length and codes[last] == codes[last + unit] < UNKNOWN_BASE:
                last += 1
            if first > 0:
                found = min(last - first + unit, MAX_SHIFT)
                slips_as = found if unit == 1 else found // 2
                repeat[0, first - 1] = max(repeat[0, first - 1], found)
                repeat[1, first - 1] = max(repeat[1, first - 1], slips_as)
            position = last - least + 1


@view_part
def _phred(table, n, k):
    """Return how unlikely one copy and two copies are against none, phred, of k among n."""
    none = table[0, 0, k] + table[0, 1, n - k] - table[0, 2, n]
    one = table[1, 0, k] + table[1, 1, n - k] - table[1, 2, n]
    two = table[2, 0, k] + table[2, 1, n - k] - table[2, 2, n]
    return (none - one + 500) // 1000, (none - two + 500) // 1000


@view_part
def _counts(weight, other, most):
    """Return fragments and those among them that show another allele, both at most `most`."""
    n = max((weight + UNIT // 2) // UNIT, 0)
    k = min((other + UNIT // 2) // UNIT, n)
    if n > most:
        k = k * most // n
        n = most
    return n, k


@kernel
def rate_counts(tables, table, n, k, pl):
    """Fill `pl` (int32 [m, 2]) for counts given by themselves: k of n fragments, int64 [m] each.

    `table` int64 [m] says by which of the tables each is rated.
    """
    most = tables.shape[3] - 1
    for index in range(len(n)):
        total, other = _counts(n[index] * UNIT, k[index] * UNIT, most)
        pl[index, 0], pl[index, 1] = _phred(tables[table[index]], total, other)


@kernel
def rate_bases(cover, codes, repeat, tables, table_of_run, pl):
    """Fill `pl` (int32 [m, 2]) for the first m positions of `cover`.

    Phred of one copy, and of two, of the other allele that explains the reads best, against none:
    another base, or an indel after the base. An indel before a repeat shows in the fragments that
    reach beyond it only. What is no A, C, G or T, is 0, as is what nothing lies on.

    Parameters
    ----------
    codes, repeat
        Bases of all positions of `cover`, and of `mark_repeats`.
    tables
        int32 [t, 3, 3, most + 1], thousandths of phred: of 0, 1 and 2 copies, the terms of k
        fragments that show the other allele, of those that do not, and of all. The first table is
        that of another base.
    table_of_run
        int64 [r], the table of an indel by the length of the homopolymer that slips alike; the
        last one is that of all longer ones.
    """
    last = cover.fragments.shape[1] - 1
    most = tables.shape[3] - 1
    longest = len(table_of_run) - 1
    short = tables[table_of_run[0]]
    half = UNIT // 2
    # What is plain comes from here: nothing but REF among so many fragments.
    plain = np.zeros((2, most + 1, 2), np.int32)
    for n in range(most + 1):
        plain[0, n, 0], plain[0, n, 1] = _phred(tables[0], n, 0)
        plain[1, n, 0], plain[1, n, 1] = _phred(short, n, 0)
    for position in range(len(pl)):
        if codes[position] >= UNKNOWN_BASE:
            continue
        begun, length = cover.begun[position], repeat[0, position]
        weight = begun - cover.ended[position] - cover.lost[position]
        spanning = begun - cover.ended[min(position + 1 + length, last)]
        other, indels = cover.other[position], cover.indels[position]
        is_plain = max(other, indels) < half and length == 0
        if is_plain and max(weight, spanning) < most * UNIT:
            # 32 bits are divided in half the time.
            n = np.uint32(max(weight, 0) + half) // np.uint32(UNIT)
            m = np.uint32(max(spanning, 0) + half) // np.uint32(UNIT)
            pl[position, 0] = min(plain[0, n, 0], plain[1, m, 0])
            pl[position, 1] = min(plain[0, n, 1], plain[1, m, 1])
            continue
        n, k = _counts(weight, other, most)
        one, two = _phred(tables[0], n, k)
        n, k = _counts(spanning, indels, most)
        run = min(repeat[1, position], longest)
        indel_one, indel_two = _phred(tables[table_of_run[run]], n, k)
        pl[position, 0] = min(one, indel_one)
        pl[position, 1] = min(two, indel_two)
