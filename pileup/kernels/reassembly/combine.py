"""Haplotypes of two indels that no read shows together."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.kernels.reassembly.haplotypes import (
    MAX_CANDIDATES,
    MAX_LENGTH,
    NO_FRAGMENT,
    add_spelling,
)
from pileup.kernels.spans import copy_into


@part
def common_start(bases, known):
    """Return how many first bases two sequences share."""
    same = 0
    shortest = min(len(bases), len(known))
    while same < shortest and bases[same] == known[same]:
        same += 1
    return same


@part
def common_end(bases, known):
    """Return how many last bases two sequences share."""
    same = 0
    shortest = min(len(bases), len(known))
    while same < shortest and bases[len(bases) - 1 - same] == known[len(known) - 1 - same]:
        same += 1
    return same


@part
def _is_one_indel(bases, known):
    """Return whether one gap explains all that differs."""
    return common_start(bases, known) + common_end(bases, known) >= min(len(bases), len(known))


@kernel
def combine_indels(events, reference, start, end, support, merged):
    """Add to `merged` the supported indels of `events` that lie apart, two by two.

    Where a repeat holds two indels, reads from either side reach one of them only, and explain the
    other by gaps that no haplotype has. Together they explain the reads of both sides.

    Parameters
    ----------
    events
        HaplotypeArrays: the reference of [start, end) with an indel or more, by `spell_reads`.
    """
    known = reference.codes[start - reference.start : end - reference.start]
    spelled = np.empty(MAX_LENGTH, np.uint8)
    for first in range(events.size[0]):
        left = events.bases[first, : events.length[first]]
        if events.reads[first] < support or not _is_one_indel(left, known):
            continue
        # As far right as the first one can stand, and as far left as the second can.
        same = common_start(left, known)
        left_end = same + max(len(left) - len(known), 0)
        left_reached = same + max(len(known) - len(left), 0)
        for second in range(events.size[0]):
            right = events.bases[second, : events.length[second]]
            if events.reads[second] < support or not _is_one_indel(right, known):
                continue
            behind = common_end(right, known) + max(len(right) - len(known), 0)
            right_start = len(right) - behind
            middle = right_start - left_reached
            size = left_end + middle + behind
            if middle < 1 or size > MAX_LENGTH or merged.size[0] >= MAX_CANDIDATES:
                continue
            copy_into(left[:left_end], spelled)
            copy_into(known[left_reached:right_start], spelled[left_end:])
            copy_into(right[right_start:], spelled[left_end + middle :])
            add_spelling(merged, spelled[:size], NO_FRAGMENT)
