"""Runs of bases that are as in the reference about equally surely, as rows of numbers."""

from pileup.accelerate import kernel, view_part

# Columns of a row: the span (0-based half-open), the code of its first base, the ploidy; GQ of its
# least sure base, the lowest depth; PL of that base with 0, 1, 2 copies (a haploid's: 0 and 1).
START, END, BASE, PLOIDY, GQ, MIN_DP, PL, N_COLUMNS = 0, 1, 2, 3, 4, 5, 6, 9
MAX_GQ = 99


@view_part
def _rate(one, two, ploidy, most, row):
    """Fill GQ and PL of a row from PL of one and of two copies; GQ is at most `most`."""
    row[PL] = 0
    row[PL + 1] = one
    row[PL + 2] = two
    if ploidy == 1:
        row[PL + 1] = two
        row[PL + 2] = 0
    last = PL + ploidy
    least = row[PL + 1]
    for column in range(PL + 2, last + 1):
        least = min(least, row[column])
    if least < 0:
        for column in range(PL, last + 1):
            row[column] -= least
    row[GQ] = min(max(least, 0), MAX_GQ)
    if row[GQ] > most:
        row[GQ] = most
        for column in range(PL + 1, last + 1):
            if row[column] == least:
                row[column] = most


@view_part
def _copy(source, target):
    for column in range(N_COLUMNS):
        target[column] = source[column]


@view_part
def _join(row, after):
    """Lengthen a row by the one that follows it."""
    if after[GQ] < row[GQ]:
        row[GQ] = after[GQ]
        for column in range(PL, N_COLUMNS):
            row[column] = after[column]
    row[MIN_DP] = min(row[MIN_DP], after[MIN_DP])
    row[END] = after[END]


@kernel
def cut_blocks(start, apart, codes, depth, pl, label, top, is_covered, ploidy, rows):
    """Fill `rows` (int32 [n, N_COLUMNS]) with the blocks of n bases from `start`; return how many.

    Parameters
    ----------
    apart
        The first `apart` bases make a block each.
    codes, depth, pl
        uint8 [n], int32 [n] and int32 [n, 2], of each base.
    label
        uint8 [n]; bases of one block have the same.
    top
        int64, the most that GQ may be, by label; it is lowered to that.
    is_covered
        bool [n], what belongs to no block.
    ploidy
        int8 [n], 1 or 2; bases of one block have the same.
    """
    found = 0
    index = 0
    while index < len(codes):
        if is_covered[index]:
            index += 1
            continue
        first = least_sure = index
        copies, own = ploidy[first], label[first]
        # Of bases that are all surer than GQ can say the first one tells.
        least = min(top[own], MAX_GQ)
        lowest = depth[first]
        while True:
            one, two = pl[index, 0], pl[index, 1]
            sure = max(two if copies == 1 else min(one, two), 0)
            if sure < least:
                least, least_sure = sure, index
            lowest = min(lowest, depth[index])
            index += 1
            if (
                first < apart
                or index == len(codes)
                or is_covered[index]
                or label[index] != own
                or ploidy[index] != copies
            ):
                break
        row = rows[found]
        row[START] = start + first
        row[END] = start + index
        row[BASE] = codes[first]
        row[PLOIDY] = copies
        row[MIN_DP] = lowest
        _rate(pl[least_sure, 0], pl[least_sure, 1], copies, top[own], row)
        found += 1
    return found


@kernel
def join_blocks(rows, band_of_gq, apart):
    """Join neighbouring rows of one band, in place; return how many are left.

    Parameters
    ----------
    rows
        int32 [n, N_COLUMNS], sorted, on one contig.
    band_of_gq
        int64 [MAX_GQ + 1].
    apart
        Rows that start before are left as they are.
    """
    left = 0
    for index in range(len(rows)):
        row = rows[index]
        last = rows[max(left - 1, 0)]
        if (
            left > 0
            and row[START] > apart
            and last[END] == row[START]
            and last[PLOIDY] == row[PLOIDY]
            and band_of_gq[last[GQ]] == band_of_gq[row[GQ]]
        ):
            _join(last, row)
        else:
            if left != index:
                _copy(row, rows[left])
            left += 1
    return left
