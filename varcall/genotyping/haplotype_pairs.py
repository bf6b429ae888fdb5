"""What fragments show across several sites, and which pair of haplotypes explains them best."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from pileup.codes import INDEL, REF, UNINFORMATIVE
from pileup.sam import FREVERSE
from varcall.evidence.window import Evidence

Signature = tuple[int, ...]
"""What a haplotype or a fragment shows at each site: 0 REF, 1.. an ALT, OTHER, UNINFORMATIVE."""

_MAX_HAPLOTYPES = 8
_LEAST_FRAGMENTS = 2  # that show a haplotype
# A fragment shows another allele than its haplotype's at least this often: a miscalled base, and an
# indel that slipped or was aligned otherwise.
_BASE_ERROR, _INDEL_ERROR = 0.01, 0.03
_MOST_ERROR = 0.5


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a fragment shows at some sites, how likely each of it is wrong, and its strand.

    `strand` is 0 for forward and 1 for reverse, of the read that is the witness at the last site.
    """

    shown: Signature
    errors: tuple[float, ...]
    strand: int

    def likelihood(self, haplotype: Signature) -> float:
        """Return P(what the fragment shows | haplotype), up to a constant."""
        result = 1.0
        for seen, there, error in zip(self.shown, haplotype, self.errors, strict=True):
            if seen != UNINFORMATIVE:
                result *= 1.0 - error if seen == there else error
        return result


class HaplotypePair(NamedTuple):
    """Two haplotypes, the same twice where all sites are homozygous, and log10 of their score."""

    first: Signature
    second: Signature
    score: float


def fragments_at(evidence: Evidence, sites: Sequence[int]) -> dict[int, Fragment]:
    """Return what each fragment shows at the given sites, by its number."""
    shown, reads = evidence.observations, evidence.reads
    least = [_INDEL_ERROR if evidence.sites.kind[site] == INDEL else _BASE_ERROR for site in sites]
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
        number: Fragment(tuple(alleles[number]), tuple(errors[number]), strands[number])
        for number in sorted(alleles)
    }


def rank_pairs(
    fragments: Mapping[int, Fragment],
    ploidy: int,
    log_prior: Callable[[Signature, Signature], float],
) -> list[HaplotypePair]:
    """Return the pairs of haplotypes that fragments show, the best first; none where none is whole.

    Parameters
    ----------
    fragments
        Those that tell all the sites say which haplotypes there may be; all say which there are.
    ploidy
        1 takes the same haplotype twice.
    log_prior
        log10 of what is known of a pair beside the fragments.
    """
    haplotypes = _haplotypes(fragments)
    likelihood = {
        haplotype: np.array([fragment.likelihood(haplotype) for fragment in fragments.values()])
        for haplotype in haplotypes
    }
    ranked = []
    for first, second in combinations_with_replacement(haplotypes, 2):
        if ploidy == 1 and first != second:
            continue
        of_reads = float(np.log10((likelihood[first] + likelihood[second]) / 2).sum())
        # Rounded, so that ties do not hang on the last bit; they go to the smaller signatures.
        score = round(of_reads + log_prior(first, second), 6)
        ranked.append(HaplotypePair(min(first, second), max(first, second), score))
    return sorted(ranked, key=lambda pair: (-pair.score, pair.first, pair.second))


def _haplotypes(fragments: Mapping[int, Fragment]) -> list[Signature]:
    """Return what fragments that tell all the sites show, the commonest first."""
    whole = Counter(f.shown for f in fragments.values() if UNINFORMATIVE not in f.shown)
    ranked = sorted(whole.items(), key=lambda item: (-item[1], item[0]))
    return [shown for shown, count in ranked if count >= _LEAST_FRAGMENTS][:_MAX_HAPLOTYPES]
