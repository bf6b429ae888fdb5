"""Twin of kernels.candidates.primers: fragments of amplicons that show a site by their primers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pileup.codes import UNINFORMATIVE
from pileup.kernels.candidates.primers import (
    AMPLICON_PERCENT,
    LEAST_LEFT,
    MIN_STACK,
    MIN_STACK_PERCENT,
    PRIMER,
)
from pileup.sam import FREVERSE
from pileup.twins.alignment import Read, Site
from pileup.twins.observe import Observation

Ends = dict[tuple[int, bool], int]
"""Where fragments end, by their number and the strand of the read that begins there."""


def ends_of(reads: Sequence[Read]) -> Ends:
    """Return the ends of all fragments."""
    ends: Ends = {}
    for read in reads:
        is_reverse = bool(read.flag & FREVERSE)
        ends[read.fragment, is_reverse] = read.end if is_reverse else read.start
    return ends


def without_primers(
    site: Site, observations: Sequence[Observation], reads: Sequence[Read]
) -> list[Observation]:
    """Return the observations of a site; those of primers do not count."""
    ends = ends_of(reads)
    witnesses = [o for o in observations if o.counts]
    fragments = {reads[o.read].fragment for o in witnesses}
    stacks = Counter(
        (end, strand) for (fragment, strand), end in ends.items() if fragment in fragments
    )

    def is_stacked(fragment: int) -> bool:
        sizes = (
            stacks[ends[fragment, strand], strand]
            for strand in (False, True)
            if (fragment, strand) in ends
        )
        biggest = max(sizes)
        return biggest >= MIN_STACK and 100 * biggest >= MIN_STACK_PERCENT * len(witnesses)

    def is_primer(observation: Observation) -> bool:
        fragment = reads[observation.read].fragment
        start, end = ends.get((fragment, False)), ends.get((fragment, True))
        return (start is not None and site.start < start + PRIMER) or (
            end is not None and site.repeat_end > end - PRIMER
        )

    stacked = sum(map(is_stacked, fragments))
    left = sum(o.allele != UNINFORMATIVE and not is_primer(o) for o in witnesses)
    if 100 * stacked < AMPLICON_PERCENT * len(witnesses) or left < LEAST_LEFT:
        return list(observations)
    return [replace(o, counts=o.counts and not is_primer(o)) for o in observations]
