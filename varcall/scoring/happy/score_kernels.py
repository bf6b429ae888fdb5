"""Order of observations by score, with ties as hap.py leaves them.

hap.py's counts at a level of the score include the first observation of that level and no other, so
they depend on the order of ties, which is that of ``std::sort`` (GNU libstdc++: introsort with the
median of three, then insertion sort).
"""

import numpy as np
import numpy.typing as npt

from pileup.accelerate import inlined_part, kernel, part

Scores = npt.NDArray[np.float64]
Order = npt.NDArray[np.int64]

INSERTION_LIMIT = 16


@inlined_part
def _swap(scores: Scores, order: Order, i: int, j: int) -> None:
    scores[i], scores[j] = scores[j], scores[i]
    order[i], order[j] = order[j], order[i]


@inlined_part
def _median_to_first(scores: Scores, order: Order, result: int, a: int, b: int, c: int) -> None:
    x, y, z = scores[a], scores[b], scores[c]
    if x < y:
        chosen = b if y < z else c if x < z else a
    else:
        chosen = a if x < z else c if y < z else b
    _swap(scores, order, result, chosen)


@inlined_part
def _partition(scores: Scores, order: Order, first: int, last: int) -> int:
    middle = first + (last - first) // 2
    _median_to_first(scores, order, first, first + 1, middle, last - 1)
    pivot = scores[first]
    i, j = first + 1, last
    while True:
        while scores[i] < pivot:
            i += 1
        j -= 1
        while pivot < scores[j]:
            j -= 1
        if i >= j:
            return i
        _swap(scores, order, i, j)
        i += 1


@part
def _introsort(scores: Scores, order: Order, depth: int) -> None:
    """Partition down to short stretches.

    With a stack, since a cached function of Numba must not call itself (it crashes when loaded).
    """
    stack = np.empty((2 * depth + 2, 3), np.int64)
    stack[0] = (0, order.shape[0], depth)
    waiting = 1
    while waiting > 0:
        waiting -= 1
        first, last, left = stack[waiting]
        while last - first > INSERTION_LIMIT and left > 0:
            left -= 1
            cut = _partition(scores, order, first, last)
            stack[waiting] = (cut, last, left)
            waiting += 1
            last = cut


@inlined_part
def _insertion_sort(scores: Scores, order: Order) -> None:
    for i in range(1, order.shape[0]):
        item, score = order[i], scores[i]
        if i < INSERTION_LIMIT and score < scores[0]:
            j = 0
        else:
            j = i
            while j > 0 and score < scores[j - 1]:
                j -= 1
        for k in range(i, j, -1):
            order[k] = order[k - 1]
            scores[k] = scores[k - 1]
        order[j] = item
        scores[j] = score


@kernel
def sort_order(scores: Scores, order: Order) -> None:
    """Sort ``order`` (indices into ``scores``) in place, ascending."""
    n = order.shape[0]
    depth = 0
    while (n >> (depth + 1)) > 0:
        depth += 1
    # in the order at hand, so that neighbours are compared with neighbours in memory
    own = scores[order]
    _introsort(own, order, 2 * depth)
    _insertion_sort(own, order)


@kernel
def spaced(scores: Scores, spacing: float) -> Order:
    """Indices of sorted scores that lie more than ``spacing`` above the last one taken."""
    found = np.empty(scores.shape[0], np.int64)
    n = 0
    for i in range(scores.shape[0]):
        if n == 0 or abs(scores[i] - scores[found[n - 1]]) > spacing:
            found[n] = i
            n += 1
    return found[:n]
