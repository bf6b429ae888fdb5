"""The candidate that is meant by a position."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from varcall.errors import InputError, UsageError
from varcall.genotyping.questions import Questions
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region, split_region_list
from varcall.show.viewer import distances, questions_of

logger = logging.getLogger(__name__)

# A candidate this near is meant: callers anchor the same indel at different bases.
SEARCH_DISTANCE = 20


def single_position(inputs: Inputs, text: str) -> Region:
    """Return the one base that is meant by `contig:pos`.

    Raises
    ------
    UsageError
        Where the text is a range.
    """
    region = inputs.regions[0]
    is_open = region.end == inputs.contigs[region.contig]
    if len(split_region_list(text)) > 1 or not (is_open or len(region) == 1):
        raise UsageError(f"-r {text} is a range: give one position, contig:pos")
    return Region(region.contig, region.start, region.start + 1)


def search_window(*places: Region) -> Region:
    """Return where the candidates that places mean are looked for; the places are of one contig."""
    low, high = min(p.start for p in places), max(p.end for p in places)
    return Region(places[0].contig, max(0, low - SEARCH_DISTANCE), high + SEARCH_DISTANCE)


def questions_at(
    questions: Questions, place: Region, reads: Path, alt: str | None = None
) -> NDArray[np.int64]:
    """Return which questions are about the nearest candidate, or about what --alt names.

    Parameters
    ----------
    place
        One base.
    reads
        The file of the reads, for messages.
    alt
        The ALT, or two with a comma; None returns the questions of all.

    Raises
    ------
    InputError
        No candidate within SEARCH_DISTANCE, or none with such an ALT.
    """
    evidence = questions.evidence
    sites = np.unique(questions.site)
    if not len(sites):
        covering = (evidence.reads.read_start <= place.start) & (
            evidence.reads.read_end > place.start
        )
        raise InputError(
            f"there is no candidate within {SEARCH_DISTANCE} bp of "
            f"{place.contig}:{place.start + 1} in {reads} ({int(covering.sum())} "
            f"usable reads cover it): give the POS of an allele that at least two reads show"
        )
    distance = distances(evidence, sites, place.start)
    if distance.min() > 0:
        nearest = evidence.sites.start[sites[distance.argmin()]]
        logger.info("the nearest candidate is at %s:%d", place.contig, nearest + 1)
    nearest_ones = questions_of(questions, sites[distance == distance.min()])
    if alt is None:
        return nearest_ones
    wanted = set(alt.upper().split(","))
    alts = [questions.alleles(index).site_alts for index in nearest_ones.tolist()]
    named = [set(site_alts) == wanted for site_alts in alts]
    if not any(named):
        known = dict.fromkeys(alt for site_alts in alts for alt in site_alts)
        raise InputError(
            f"no candidate at {place.contig}:{place.start + 1} has the ALT {alt}: "
            f"choose one of, or two of one site of, {', '.join(known)}"
        )
    return nearest_ones[named]
