"""Twin of kernels.candidates.observe: which allele each read shows at each site."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pileup.codes import NOT_SPANNING, OTHER, REF, UNINFORMATIVE, UNKNOWN_BASE
from pileup.kernels.reads.walk import DELETED, OUTSIDE
from pileup.twins.alignment import Read, Site, Stretch
from pileup.twins.scan import Event


@dataclass(frozen=True, slots=True)
class Observation:
    """What one read shows at one site; `counts` is false for the lesser of two mates.

    `haplotype` is 1 or 2 where the read's other alleles tell, else 0.
    """

    read: int
    allele: int
    quality: int
    delta: int = NOT_SPANNING
    counts: bool = True
    haplotype: int = 0


def observe(
    reads: Sequence[Read],
    events: Sequence[Sequence[Event]],
    sites: Sequence[Site],
    reference: Stretch,
    min_base_quality: int,
) -> list[list[Observation]]:
    """Return the observations of each site, in read order."""
    observations = []
    for site in sites:
        shown = []
        for index, read in enumerate(reads):
            if read.start >= site.repeat_end or read.end <= site.start:
                continue
            if site.is_indel and site.alts[0].replaces:
                shown.append(_replaced(index, read, site, reference, min_base_quality))
            elif site.is_indel:
                shown.append(_indel(index, read, events[index], site))
            else:
                shown.append(_substitution(index, read, site, reference, min_base_quality))
        observations.append(_one_witness_per_fragment(shown, reads))
    return observations


def _substitution(
    index: int, read: Read, site: Site, reference: Stretch, min_base_quality: int
) -> Observation:
    span = range(site.start, site.start + site.ref_length)
    places = [read.index_at(position) for position in span]
    for place in places:
        # The first position without a base decides: a deletion is another allele.
        if place == DELETED:
            return Observation(index, OTHER, 0)
        if place == OUTSIDE or read.bases[place] == UNKNOWN_BASE:
            return Observation(index, UNINFORMATIVE, 0)
    bases = tuple(read.bases[place] for place in places)
    quality = min(read.qualities[place] for place in places)
    alleles = [reference.bases(span.start, span.stop), *(alt.bases for alt in site.alts)]
    if quality < min_base_quality:
        allele = UNINFORMATIVE
    else:
        allele = alleles.index(bases) if bases in alleles else OTHER
    return Observation(index, allele, quality)


def _indel(index: int, read: Read, events: Sequence[Event], site: Site) -> Observation:
    touching = [
        event
        for event in events
        if event.anchor < site.repeat_end and site.start <= event.anchor + event.deleted
    ]
    allele, quality = UNINFORMATIVE, 0
    for event in touching:
        for number, alt in enumerate(site.alts, 1):
            known = (site.start, alt.deleted, alt.bases)
            if (event.anchor, event.deleted, event.inserted) == known:
                allele, quality = number, event.quality
    before, (after, reached) = read.index_at(site.start), read.first_base_from(site.repeat_end)
    if before < 0 or after < 0:
        if touching and allele == UNINFORMATIVE:
            allele = OTHER
        return Observation(index, allele, quality, NOT_SPANNING)
    # The read spans the repeat: it shows its length, and whether it is REF.
    delta = (after - before) - (reached - site.start)
    if allele == UNINFORMATIVE:
        allele = OTHER if touching or delta else REF
        quality = min(read.qualities[before], read.qualities[after])
    return Observation(index, allele, quality, delta)


def _replaced(
    index: int, read: Read, site: Site, reference: Stretch, min_base_quality: int
) -> Observation:
    before, (after, reached) = read.index_at(site.start), read.first_base_from(site.repeat_end)
    if before < 0 or after < 0:
        return Observation(index, UNINFORMATIVE, 0, NOT_SPANNING)
    delta = (after - before) - (reached - site.start)
    between = read.bases[before + 1 : after]
    if UNKNOWN_BASE in between:
        return Observation(index, UNINFORMATIVE, 0, delta)
    quality = min(read.qualities[before : after + 1])
    if quality < min_base_quality:
        return Observation(index, UNINFORMATIVE, quality, delta)
    if reached == site.repeat_end and between == site.alts[0].bases:
        return Observation(index, 1, quality, delta)
    is_ref = delta == 0 and between == reference.bases(site.start + 1, reached)
    return Observation(index, REF if is_ref else OTHER, quality, delta)


def _one_witness_per_fragment(
    shown: Sequence[Observation], reads: Sequence[Read]
) -> list[Observation]:
    """Let the informative and better of overlapping mates count; the earlier one on a tie."""
    best: dict[int, Observation] = {}
    for observation in shown:
        fragment = reads[observation.read].fragment
        rival = best.get(fragment)
        if rival is None or _weight(observation) > _weight(rival):
            best[fragment] = observation
    return [
        replace(observation, counts=best[reads[observation.read].fragment] is observation)
        for observation in shown
    ]


def _weight(observation: Observation) -> tuple[bool, int]:
    known = observation.allele != UNINFORMATIVE
    return known, observation.quality if known else 0
