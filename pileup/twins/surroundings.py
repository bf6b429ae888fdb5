"""Twin of kernels.candidates.surroundings: other candidates nearby, and the reference around."""

from collections.abc import Iterable, Sequence

from pileup.codes import REF, UNINFORMATIVE, UNKNOWN_BASE, C, G
from pileup.kernels.candidates.surroundings import FAR, NEAR
from pileup.twins.alignment import Site, Stretch
from pileup.twins.observe import Observation


def fraction(observations: Iterable[Observation]) -> float:
    """Return the share of a site's informative fragments that do not show REF."""
    known = [o.allele for o in observations if o.counts and o.allele != UNINFORMATIVE]
    return sum(allele != REF for allele in known) / len(known) if known else 0.0


def look_around(
    index: int, sites: Sequence[Site], fractions: Sequence[float]
) -> tuple[float, float, int, int, float]:
    """Return the largest fraction near and far, sites far, the nearest, and a near indel's."""
    near: list[float] = []
    indels: list[float] = []
    far: list[float] = []
    nearest = FAR
    for other, site in enumerate(sites):
        distance = abs(site.start - sites[index].start)
        if other == index or distance > FAR or not site.is_shown:
            continue
        far.append(fractions[other])
        if distance <= NEAR:
            near.append(fractions[other])
            indels += [fractions[other]] if site.is_indel else []
        nearest = min(nearest, distance)
    return (
        max(near, default=0.0),
        max(far, default=0.0),
        len(far),
        nearest,
        max(indels, default=0.0),
    )


def gc_share(reference: Stretch, position: int) -> float:
    """Return the share of G and C among the 101 bases around a position."""
    around = reference.bases(position - 50, position + 51)
    known = [base for base in around if base != UNKNOWN_BASE]
    return sum(base in (C, G) for base in known) / len(known) if known else 0.5


def run_length(reference: Stretch, position: int) -> int:
    """Return the longest homopolymer that holds a position or the next one."""
    longest = 1
    for inside in (position, position + 1):
        base = reference.base(inside)
        if base == UNKNOWN_BASE:
            continue
        first = last = inside
        while reference.base(first - 1) == base:
            first -= 1
        while reference.base(last + 1) == base:
            last += 1
        longest = max(longest, last - first + 1)
    return longest
