"""Reference blocks as lines of a gVCF: f-strings would cost ten times as much."""

import numpy as np

from pileup.accelerate import kernel, view_part
from pileup.kernels.hom_ref.runs import BASE, END, GQ, MIN_DP, PL, PLOIDY, START

LONGEST_NUMBER = 11
N_NUMBERS = 7
_LETTERS = np.frombuffer(b"ACGTN", np.uint8)


@view_part
def _put(pieces, offset, piece, text, at):
    for index in range(offset[piece], offset[piece + 1]):
        text[at] = pieces[index]
        at += 1
    return at


@view_part
def _put_number(number, text, at):
    size = 1
    least = 10
    while number >= least:
        size += 1
        least *= 10
    rest = np.uint32(number)
    for index in range(size):
        text[at + size - 1 - index] = 48 + rest % np.uint32(10)
        rest //= np.uint32(10)
    return at + size


@kernel
def write_rows(rows, pieces, offset, text, ends):
    """Fill `text` (uint8) with a line for each row, and `ends` (int64 [n]) with where each ends.

    Parameters
    ----------
    rows
        int32 [n, N_COLUMNS] of `pileup.kernels.hom_ref.runs`.
    pieces
        uint8, what stands between the numbers, one piece after the other: the contig up to POS,
        from POS to REF, from REF to END, from END on to GT; GT and what follows it up to GQ of the
        ploidies 1 and 2, each uncalled and called.
    offset
        int64 [9], where each piece begins, and the end.
    """
    at = 0
    for index in range(len(rows)):
        row = rows[index]
        at = _put(pieces, offset, 0, text, at)
        at = _put_number(row[START] + 1, text, at)
        at = _put(pieces, offset, 1, text, at)
        text[at] = _LETTERS[row[BASE]]
        at = _put(pieces, offset, 2, text, at + 1)
        at = _put_number(row[END], text, at)
        at = _put(pieces, offset, 3, text, at)
        genotype = 4 + 2 * (row[PLOIDY] - 1) + (1 if row[GQ] > 0 else 0)
        at = _put(pieces, offset, genotype, text, at)
        at = _put_number(row[GQ], text, at)
        text[at] = 58  # colon
        at = _put_number(row[MIN_DP], text, at + 1)
        text[at] = 58
        at += 1
        for copies in range(row[PLOIDY] + 1):
            if copies > 0:
                text[at] = 44  # comma
                at += 1
            at = _put_number(row[PL + copies], text, at)
        text[at] = 10
        at += 1
        ends[index] = at
