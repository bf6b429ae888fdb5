"""What fragments show across several sites, and which pair of haplotypes explains them best."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from pileup.codes import INDEL, OTHER, REF, UNINFORMATIVE
from pileup.sam import FREVERSE
from varcall.evidence.window import Evidence

Signature = tuple[int, ...]
"""What a haplotype or a fragment shows at each site: 0 REF, 1.. an ALT, OTHER, UNINFORMATIVE."""

Pairs = list[tuple[Signature, Signature]]
"""Two haplotypes each, the same twice where all sites are homozygous."""

LEAST_FRAGMENTS = 2
"""Fragments that show a haplotype which the sites' own calls do not have."""

_MAX_HAPLOTYPES = 8
# A fragment shows another allele than its haplotype's at least this often: a miscalled base, and an
# indel that slipped or was aligned otherwise.
_BASE_ERROR, _INDEL_ERROR = 0.01, 0.03
_MOST_ERROR = 0.5


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a fragment shows at some sites, how likely each of it is wrong, and its strand.

    `strand` is 0 for forward and 1 for reverse, of the read that is the witness at the last site.
    `are_indels` tells which sites are of insertions and deletions.
    """

    shown: Signature
    errors: tuple[float, ...]
    strand: int
    are_indels: tuple[bool, ...]

    def likelihood(self, haplotype: Signature) -> float:
        """Return P(what the fragment shows | haplotype), up to a constant.

        A read that slipped has its bases beside it aligned otherwise: where it shows a wrong
        insertion or deletion, a base that is no allele of its site is no second error.
        """
        result, displaced, has_slipped = 1.0, 1.0, False
        sites = zip(self.shown, haplotype, self.errors, self.are_indels, strict=True)
        for seen, there, error, is_indel in sites:
            if seen == UNINFORMATIVE:
                continue
            if seen == there:
                result *= 1.0 - error
            elif seen == OTHER and not is_indel:
                displaced *= error
            else:
                result *= error
                has_slipped |= is_indel
        return result if has_slipped else result * displaced


class HaplotypePair(NamedTuple):
    """Two haplotypes, the same twice where all sites are homozygous, and log10 of their score."""

    first: Signature
    second: Signature
    score: float


def fragments_at(evidence: Evidence, sites: Sequence[int]) -> dict[int, Fragment]:
    """Return what each fragment shows at the given sites, by its number."""
    shown, reads = evidence.observations, evidence.reads
    are_indels = tuple([bool(evidence.sites.kind[site] == INDEL) for site in sites])
    least = [_INDEL_ERROR if is_indel else _BASE_ERROR for is_indel in are_indels]
    alleles: dict[int, list[int]] = {}
    errors: dict[int, list[float]] = {}
    strands: dict[int, int] = {}
    for column, site in enumerate(sites):
        for index in range(int(shown.offset[site]), int(shown.offset[site + 1])):
            if not shown.counts[index]:
                continue
            read, allele = int(shown.read[index]), int(shown.allele[index])
            fragment = int(reads.fragment[read])
            alleles.setdefault(fragment, [UNINFORMATIVE] * len(sites))[column] = allele
            error = errors.setdefault(fragment, list(least))
            if allele >= REF:  # what is deleted has no quality
                stated = 10.0 ** (-float(shown.quality[index]) / 10.0)
                error[column] = min(max(least[column], stated), _MOST_ERROR)
            strands[fragment] = int(bool(reads.flag[read] & FREVERSE))
    return {
        number: Fragment(tuple(alleles[number]), tuple(errors[number]), strands[number], are_indels)
        for number in sorted(alleles)
    }


def pairs_of(haplotypes: Sequence[Signature], ploidy: int) -> Pairs:
    """Return the pairs that haplotypes make; a ploidy of 1 takes the same one twice."""
    if ploidy == 1:
        return [(haplotype, haplotype) for haplotype in haplotypes]
    return list(combinations_with_replacement(haplotypes, 2))


def rank_pairs(
    fragments: Mapping[int, Fragment],
    pairs: Pairs,
    log_prior: Callable[[Signature, Signature], float],
) -> list[HaplotypePair]:
    """Return pairs of haplotypes, the one that explains the fragments best first.

    Parameters
    ----------
    log_prior
        log10 of what is known of a pair beside the fragments.
    """
    likelihood = {
        haplotype: np.array([fragment.likelihood(haplotype) for fragment in fragments.values()])
        for haplotype in {haplotype for pair in pairs for haplotype in pair}
    }
    ranked = []
    for first, second in {(min(pair), max(pair)) for pair in pairs}:
        of_reads = float(np.log10((likelihood[first] + likelihood[second]) / 2).sum())
        # Rounded, so that ties do not hang on the last bit; they go to the smaller signatures.
        score = round(of_reads + log_prior(first, second), 6)
        ranked.append(HaplotypePair(first, second, score))
    return sorted(ranked, key=lambda pair: (-pair.score, pair.first, pair.second))


def shown_haplotypes(
    fragments: Mapping[int, Fragment], least: int = LEAST_FRAGMENTS
) -> list[Signature]:
    """Return what at least so many fragments that tell all the sites show, the commonest first."""
    whole = Counter(f.shown for f in fragments.values() if UNINFORMATIVE not in f.shown)
    ranked = sorted(whole.items(), key=lambda item: (-item[1], item[0]))
    return [shown for shown, count in ranked if count >= least][:_MAX_HAPLOTYPES]


def as_shown(alleles: Sequence[int], fragments: Mapping[int, Fragment]) -> Signature:
    """Return what fragments of a haplotype with the given alleles show at each site.

    Where it has REF that may be OTHER: most fragments of it say which.
    """
    alike = [
        fragment.shown
        for fragment in fragments.values()
        if all(
            seen == UNINFORMATIVE or max(seen, REF) == allele
            for seen, allele in zip(fragment.shown, alleles, strict=True)
        )
    ]
    seen_at = [[shown[column] for shown in alike] for column in range(len(alleles))]
    return tuple(
        [
            OTHER if allele == REF and seen.count(OTHER) > seen.count(REF) else allele
            for allele, seen in zip(alleles, seen_at, strict=True)
        ]
    )
