"""Copies and orders of short arrays, in loops.

Numba's own slice assignment, `sort` and `argsort` do the same, but each use of them adds a second
or more to what the first call of a fresh install compiles.
"""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import UNKNOWN_BASE


@part
def copy_into(source, target):
    """Copy `source` to the start of `target`."""
    for index in range(len(source)):
        target[index] = source[index]


@part
def are_known(codes):
    """Return whether all codes are A, C, G or T."""
    for code in codes:
        if code >= UNKNOWN_BASE:
            return False
    return True


@kernel
def order_of(keys):
    """Return the indices (int64) that sort `keys`, equal ones in their order (a merge sort)."""
    n = len(keys)
    order = np.empty(n, np.int64)
    for index in range(n):
        order[index] = index
    other = np.empty(n, np.int64)
    width = 1
    while width < n:
        for first in range(0, n, 2 * width):
            middle = min(first + width, n)
            last = min(first + 2 * width, n)
            left = first
            right = middle
            for at in range(first, last):
                if left < middle and (right == last or keys[order[left]] <= keys[order[right]]):
                    other[at] = order[left]
                    left += 1
                else:
                    other[at] = order[right]
                    right += 1
        order, other = other, order
        width *= 2
    return order


@kernel
def reorder(values, offset, order, moved_offset, reordered):
    """Copy the parts of `values` (from `offset` on) into `reordered`, in another order."""
    for rank in range(len(order)):
        first = offset[order[rank]]
        size = moved_offset[rank + 1] - moved_offset[rank]
        at = moved_offset[rank]
        copy_into(values[first : first + size], reordered[at:])
