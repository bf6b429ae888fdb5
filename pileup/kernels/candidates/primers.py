"""Bases of an amplicon's primers: what was synthesised tells nothing of the sample."""

import numpy as np

from pileup.accelerate import kernel
from pileup.codes import UNINFORMATIVE
from pileup.kernels.reads.walk import count_fragments
from pileup.sam import FREVERSE

PRIMER = 30
"""Bases at the ends of an amplicon that may be of its primers; few primers are longer."""

MIN_STACK, MIN_STACK_PERCENT = 10, 5
"""So many fragments of a site, and so many of 100, that begin or end at one base are a stack."""

AMPLICON_PERCENT = 80
"""Where so many of 100 fragments of a site are of stacks, they are of amplicons."""

LEAST_LEFT = 10
"""Informative fragments without which a site keeps those that show it by their primers."""

NOWHERE = -1


@kernel
def leave_out_primers(reads, sites, shown):
    """Let fragments of amplicons not count at sites that they show by their primers.

    A fragment's ends are where its reads begin: the start of a forward read, the end of a reverse
    one. `shown.counts` becomes false.
    """
    ends = np.full((2, count_fragments(reads)), NOWHERE, np.int64)
    for read in range(len(reads.fragment)):
        is_reverse = reads.flag[read] & FREVERSE > 0
        end = reads.read_end[read] if is_reverse else reads.read_start[read]
        ends[int(is_reverse), reads.fragment[read]] = end
    for site in range(len(sites.start)):
        first, last = shown.offset[site], shown.offset[site + 1]
        witnesses = np.empty(last - first, np.int64)
        n = 0
        for index in range(first, last):
            if shown.counts[index]:
                witnesses[n] = index
                n += 1
        if n < MIN_STACK + LEAST_LEFT:
            continue
        here = np.empty((2, n), np.int64)
        for number in range(n):
            here[:, number] = ends[:, reads.fragment[shown.read[witnesses[number]]]]
        least = max(MIN_STACK, -(-MIN_STACK_PERCENT * n // 100))
        ordered = np.sort(here[0]), np.sort(here[1])
        stacked = 0
        for number in range(n):
            for side in range(2):
                end = here[side, number]
                of_stack = np.searchsorted(ordered[side], end + 1)
                of_stack -= np.searchsorted(ordered[side], end)
                if end != NOWHERE and of_stack >= least:
                    stacked += 1
                    break
        if 100 * stacked < AMPLICON_PERCENT * n:
            continue
        is_primer = np.zeros(n, np.bool_)
        left = 0
        for number in range(n):
            start, end = here[0, number], here[1, number]
            at_start = start != NOWHERE and sites.start[site] < start + PRIMER
            at_end = end != NOWHERE and sites.repeat_end[site] > end - PRIMER
            is_primer[number] = at_start or at_end
            known = shown.allele[witnesses[number]] != UNINFORMATIVE
            left += int(known and not is_primer[number])
        if left >= LEAST_LEFT:
            for number in range(n):
                if is_primer[number]:
                    shown.counts[witnesses[number]] = False
