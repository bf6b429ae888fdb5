"""Twin of kernels.phasing.tags: which haplotype each read of a site is of."""

from collections.abc import Sequence
from itertools import combinations

from pileup.codes import UNINFORMATIVE
from pileup.kernels.phasing.tags import APART, MAX_HETS, MIN_LINKS
from pileup.twins.alignment import Read, Site
from pileup.twins.hets import Het
from pileup.twins.observe import Observation


def nearby(site: Site, hets: Sequence[Het], reach: int) -> list[Het]:
    """Return the hets that may say something of a site, by position."""
    first = site.start - APART
    last = max(site.repeat_end, site.start + site.ref_length) + APART
    beside = [
        het
        for het in hets
        if not first <= het.position < last and abs(het.position - site.start) <= reach
    ]
    nearest = sorted(beside, key=lambda het: (abs(het.position - site.start), het.position))
    return sorted(nearest[:MAX_HETS], key=lambda het: het.position)


def agreement(one: Het, other: Het) -> int:
    """Return 1 where fragments over both pair their alleles alike, -1 if not, 0 if too few."""
    shared = one.votes.keys() & other.votes.keys()
    if len(shared) < MIN_LINKS:
        return 0
    same = sum(one.votes[fragment] == other.votes[fragment] for fragment in shared)
    return 1 if 4 * max(same, len(shared) - same) >= 3 * len(shared) else -1


def blocks_of(hets: Sequence[Het]) -> list[list[tuple[Het, bool]]]:
    """Phase hets from left to right; with each, whether its larger allele is on haplotype 1."""
    balance = {het.position: 0 for het in hets}
    for one, other in combinations(hets, 2):
        balance[one.position] += agreement(one, other)
        balance[other.position] += agreement(one, other)
    blocks: list[list[tuple[Het, bool]]] = [[]]
    for het in hets:
        if balance[het.position] < 0:
            continue
        scores = {
            fragment: score for fragment, (score, _) in scores_of(blocks[-1]).items() if score
        }
        linked = het.votes.keys() & scores.keys()
        kept = sum((scores[fragment] > 0) == (het.votes[fragment] == 1) for fragment in linked)
        if len(linked) < MIN_LINKS:
            blocks.append([(het, False)])
        elif 4 * max(kept, len(linked) - kept) >= 3 * len(linked):
            blocks[-1].append((het, 2 * kept < len(linked)))
    return blocks


def scores_of(block: Sequence[tuple[Het, bool]]) -> dict[int, tuple[int, int]]:
    """Return by fragment how many votes are for haplotype 2 beyond those for 1, and all votes."""
    scores: dict[int, tuple[int, int]] = {}
    for het, is_swapped in block:
        for fragment, allele in het.votes.items():
            score, votes = scores.get(fragment, (0, 0))
            scores[fragment] = (score + (1 if (allele == 1) != is_swapped else -1), votes + 1)
    return scores


def tag(
    site: Site,
    observations: Sequence[Observation],
    reads: Sequence[Read],
    hets: Sequence[Het],
    reach: int,
) -> list[int]:
    """Return the haplotype (0 not known) of each observation of a site."""
    best, most = [0] * len(observations), 0
    for block in blocks_of(nearby(site, hets, reach)):
        scores = scores_of(block)
        tags = [_tag_of(*scores.get(reads[o.read].fragment, (0, 0))) for o in observations]
        tagged = sum(o.counts and one > 0 for o, one in zip(observations, tags, strict=True))
        if tagged > most:
            best, most = tags, tagged
    return best


def _tag_of(score: int, votes: int) -> int:
    if score == 0 or 2 * abs(score) < votes:
        return 0
    return 1 if score < 0 else 2


def tally(
    observations: Sequence[Observation], asked: Sequence[int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Count the tagged, informative fragments by haplotype, without and with an asked ALT."""
    counted = [
        (o.haplotype, o.allele in asked)
        for o in observations
        if o.counts and o.allele != UNINFORMATIVE
    ]
    first, second = (
        (counted.count((haplotype, False)), counted.count((haplotype, True)))
        for haplotype in (1, 2)
    )
    return first, second
