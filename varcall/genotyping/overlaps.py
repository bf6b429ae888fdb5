"""Sites whose alleles overlap are genotyped together, from the haplotypes that the reads show.

A question asks how many copies of one site's alleles there are. Where the other haplotype carries
an allele of another site across the same bases, no read shows REF, so two sites can both be
answered with two copies: four copies of one base. Here the fragments of such sites are read across
all of them: what one fragment shows at each site is a haplotype, and the pair of haplotypes that
explains the fragments best gives every site its genotype, and the phase between them. One haplotype
spells one sequence, so no base has more copies than the sample.

A haplotype on which the first base of a site's REF is deleted by another site's allele has neither
REF nor ALT there, but `*` (VCF 4.3, section 1.6.1.5).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import SiteArrays
from pileup.codes import INDEL, OTHER, REF
from varcall.evidence.window import KNOWN_BEYOND, Evidence
from varcall.genotyping.genotype import SPANNED, GenotypeCall, SiteEvidence, call_genotypes
from varcall.genotyping.haplotype_pairs import (
    Pairs,
    Signature,
    as_shown,
    fragments_at,
    pairs_of,
    rank_pairs,
    shown_haplotypes,
)

MAX_SITE_EXTENT = 128
"""Bases of a site that count as its own: a longer repeat is cut there."""

PHASING_DISTANCE = 20
"""Heterozygous sites this near to overlapping ones are phased with them."""

MAX_EXTENT = KNOWN_BEYOND - MAX_SITE_EXTENT - PHASING_DISTANCE
"""Bases from the first to the last of sites that are genotyped together.

Most fragments of short reads span them; and what is known KNOWN_BEYOND a window tells every window
the same: whether a chain of sites ends within these bases, and where.
"""

MIN_QUAL = 3.0
"""A site that the model calls with a lower QUAL is no reason to doubt another one."""

# The model saw few overlapping alleles in training: none of its answers weighs more than this.
_LEAST_ANSWER = 1e-3
# Nor is a genotype that the fragments rule out less likely than this.
_LEAST_SHARE = 1e-3
_MIN_PHASING_VOTES, _MIN_PHASING_SHARE = 2, 0.75

# The allele of a haplotype whose base is deleted, among the numbers of alleles (0 REF, 1.. ALTs).
_DELETED = -1


class CalledSite(NamedTuple):
    """A site with a called ALT: its call, and the answers that gave it, float [questions, 3]."""

    number: int
    call: GenotypeCall
    answers: NDArray[np.floating]

    @property
    def n_alts(self) -> int:
        """ALTs of the site: n of them are asked about in n (n + 1) / 2 questions."""
        return (int(np.sqrt(8 * len(self.answers) + 1)) - 1) // 2

    @property
    def ploidy(self) -> int:
        """1 or 2."""
        return len(self.call.alleles)


@dataclass(frozen=True, slots=True)
class JointCall:
    """What the sites around tell of a site.

    Attributes
    ----------
    phase
        The allele on each haplotype (0 REF, 1.. the ALTs, `*` after them); None where the site is
        homozygous.
    phase_set
        0-based start of the first of the sites that are phased together.
    answers
        float64 [questions, 3] as `call_genotypes` takes them, about the ALTs and, if `is_spanned`,
        `*`; None leaves the call as it is.
    is_spanned
        Whether one haplotype has the site's first base deleted.
    ref_counts, star_counts
        Fragments by strand (forward, reverse) that show an allele of another site, and so REF or
        `*` here.
    """

    phase: tuple[int, ...] | None
    phase_set: int
    answers: NDArray[np.float64] | None = None
    is_spanned: bool = False
    ref_counts: tuple[int, int] = (0, 0)
    star_counts: tuple[int, int] = (0, 0)

    def applied(
        self, site: SiteEvidence, call: GenotypeCall, *, depth_factor: float
    ) -> tuple[SiteEvidence, GenotypeCall]:
        """Return a site and its call with what the sites around tell.

        Parameters
        ----------
        depth_factor
            Reads at the site for each one that the cap on the depth kept.
        """
        alts = site.alts
        by_strand = [[*site.adf], [*site.adr]]
        for strand, counts in enumerate(by_strand):
            counts[0] += round(depth_factor * self.ref_counts[strand])
            if self.is_spanned:
                counts.append(round(depth_factor * self.star_counts[strand]))
        if self.is_spanned:
            alts = (*alts, SPANNED)
        if self.answers is not None:
            ploidy = len(call.alleles)
            (call,) = call_genotypes(self.answers[None], len(alts), ploidy=ploidy)
        forward, reverse = map(tuple, by_strand)
        both = tuple([one + two for one, two in zip(forward, reverse, strict=True)])
        site = site._replace(
            alts=alts,
            dp=max(site.dp, sum(both)),
            ad=both,
            adf=forward,
            adr=reverse,
            phase=self.phase,
            phase_set=self.phase_set,
        )
        return site, call


def genotype_overlaps(evidence: Evidence, called: Sequence[CalledSite]) -> dict[int, JointCall]:
    """Return what the overlapping ones among called sites tell of one another, by site.

    Parameters
    ----------
    evidence
        The reads and what they show.
    called
        All sites with a called ALT of a window and of KNOWN_BEYOND around it, by start. Those of
        different ploidy are not genotyped together.
    """
    found: dict[int, JointCall] = {}
    sure = [site for site in called if site.call.qual >= MIN_QUAL]
    for sites in _chains(evidence.sites, sure):
        group = _Group(evidence, sites)
        if group.pairs:
            found |= group.calls()
            found |= group.phase([site for site in sure if site.number not in found])
    return found


def _extent(sites: SiteArrays, site: int) -> tuple[int, int]:
    """Return the reference bases (0-based half-open) that a site's alleles may change."""
    start = int(sites.start[site])
    return start, min(int(sites.repeat_end[site]), start + MAX_SITE_EXTENT)


def _chains(sites: SiteArrays, called: Sequence[CalledSite]) -> list[tuple[CalledSite, ...]]:
    """Chain touching sites of one ploidy; one alone makes a chain if both its ALTs are called."""
    chains: list[list[CalledSite]] = []
    starts: list[int] = []
    ends: list[int] = []
    for site in called:
        start, end = _extent(sites, site.number)
        if chains and start <= ends[-1] and site.ploidy == chains[-1][-1].ploidy:
            chains[-1].append(site)
            ends[-1] = max(ends[-1], end)
        else:
            chains.append([site])
            starts.append(start)
            ends.append(end)
    return [
        tuple(chain)
        for chain, start, end in zip(chains, starts, ends, strict=True)
        if end - start <= MAX_EXTENT and (len(chain) > 1 or len({*chain[0].call.alleles} - {0}) > 1)
    ]


def _masks(n_alts: int) -> list[tuple[int, ...]]:
    """List the ALTs (1-based) of each question about a site, in the order of `call_genotypes`."""
    alts = range(1, n_alts + 1)
    return [*combinations(alts, 1), *combinations(alts, 2)]


def _other_allele(call: GenotypeCall, allele: int) -> tuple[int, ...]:
    """Return the allele of a diploid call beside a given one; nothing where that is not called."""
    low, high = call.alleles
    if allele == low:
        return (high,)
    return (low,) if allele == high else ()


class _Group:
    """Called sites that overlap, by start, and the pairs of haplotypes that fragments show."""

    def __init__(self, evidence: Evidence, sites: tuple[CalledSite, ...]) -> None:
        self._evidence, self._sites = evidence, sites
        self._start = int(evidence.sites.start[sites[0].number])
        self._end = max(_extent(evidence.sites, site.number)[1] for site in sites)
        self._fragments = fragments_at(evidence, [site.number for site in sites])
        ploidy = sites[0].ploidy
        pairs = pairs_of(shown_haplotypes(self._fragments), ploidy)
        if pairs:
            # Few fragments may tell all the sites, so none of those pairs may have the called
            # alleles. And of a site alone the model has seen all that the fragments show.
            own = self._own_pairs(ploidy)
            pairs = own if len(sites) == 1 else pairs + own
        self.pairs = rank_pairs(self._fragments, pairs, self._log_answers)

    def _own_pairs(self, ploidy: int) -> Pairs:
        """Return pairs that have the genotypes that the model gave each site alone.

        Where a fragment shows one haplotype, the other one has the other allele of every call,
        whether a fragment shows it whole or not; but not an allele whose first base it has deleted.
        """
        if ploidy == 1:
            own = as_shown([site.call.alleles[0] for site in self._sites], self._fragments)
            return [(own, own)]
        pairs = []
        for shown in shown_haplotypes(self._fragments, least=1):
            others = [
                other
                for allele, site in zip(shown, self._sites, strict=True)
                for other in _other_allele(site.call, max(allele, REF))
            ]
            if len(others) == len(self._sites):
                rest = [max(allele, REF) for allele in self._alleles(tuple(others))]
                pairs.append((shown, as_shown(rest, self._fragments)))
        return pairs

    def _alleles(self, haplotype: Signature) -> tuple[int, ...]:
        """Return the allele of a haplotype at each site: 0 REF, 1.. an ALT, or _DELETED."""
        sites = self._evidence.sites
        alleles: list[int] = []
        deleted_to = -1
        for site, shown in zip(self._sites, haplotype, strict=True):
            start = int(sites.start[site.number])
            alleles.append(_DELETED if start < deleted_to else max(shown, 0))
            if alleles[-1] > 0 and sites.kind[site.number] == INDEL:
                alt = int(sites.alt_offset[site.number]) + shown - 1
                deleted_to = max(deleted_to, start + 1 + int(sites.alt_deleted[alt]))
        return tuple(alleles)

    def _log_answers(self, *haplotypes: Signature) -> float:
        """Return log10 of the model's answers about all sites, pooled as `call_genotypes` does."""
        total = 0.0
        alleles = zip(*map(self._alleles, haplotypes), strict=True)
        for site, pair in zip(self._sites, alleles, strict=True):
            for mask, answer in zip(_masks(site.n_alts), site.answers, strict=True):
                share = float(answer[sum(allele in mask for allele in pair)])
                total += float(np.log10(max(share, _LEAST_ANSWER))) / site.n_alts
        return total

    @cached_property
    def _haplotypes(self) -> tuple[Signature, Signature]:
        """The best pair, in the order in which its first heterozygous site has 0 before 1."""
        first, second = sorted(
            self.pairs[0][:2], key=lambda one: [max(a, 0) for a in self._alleles(one)]
        )
        return first, second

    @cached_property
    def _genotypes(self) -> list[tuple[int, ...]]:
        """The alleles of the best pair at each site."""
        return list(zip(*map(self._alleles, self._haplotypes), strict=True))

    @cached_property
    def _sides(self) -> dict[int, int]:
        """Which haplotype each fragment comes from, 0 or 1, where the reads show it."""
        first, second = self._haplotypes
        sides = {}
        for number, fragment in self._fragments.items():
            one, two = fragment.likelihood(first), fragment.likelihood(second)
            if one != two or first == second:
                sides[number] = int(two > one)
        return sides

    def calls(self) -> dict[int, JointCall]:
        """Return the joint call of every site of the group, by site.

        Where the pair has the genotypes that the model gave each site alone, those calls stay.
        """
        agree = all(
            sorted(own)[: len(site.call.alleles)] == list(site.call.alleles)
            for own, site in zip(self._genotypes, self._sites, strict=True)
        )
        return {
            site.number: self._call(column, site, keep=agree)
            for column, site in enumerate(self._sites)
        }

    def _call(self, column: int, site: CalledSite, *, keep: bool) -> JointCall:
        own = self._genotypes[column]
        is_spanned = _DELETED in own and max(own) > 0
        star = site.n_alts + 1 if is_spanned else 0
        phase = tuple([star if allele == _DELETED else allele for allele in own])
        counts = {0: [0, 0], _DELETED: [0, 0]}
        for number, side in self._sides.items():
            fragment = self._fragments[number]
            if fragment.shown[column] == OTHER and own[side] <= 0:
                counts[own[side]][fragment.strand] += 1
        return JointCall(
            phase=phase if len({*phase}) > 1 else None,
            phase_set=self._start,
            answers=None if keep else self._answers(column, site.n_alts + is_spanned),
            is_spanned=is_spanned,
            ref_counts=(counts[0][0], counts[0][1]),
            star_counts=(counts[_DELETED][0], counts[_DELETED][1]),
        )

    def _answers(self, column: int, n_alts: int) -> NDArray[np.float64]:
        """Return P of 0, 1, 2 copies for each question: of the best pair that has so many.

        The last of `n_alts` is `*` where the site has fewer of its own.
        """
        masks = _masks(n_alts)
        answers = np.full((len(masks), 3), _LEAST_SHARE)
        for pair in self.pairs:
            share = 10.0 ** (pair.score - self.pairs[0].score)
            own = [self._alleles(haplotype)[column] for haplotype in (pair.first, pair.second)]
            own = [n_alts if allele == _DELETED else allele for allele in own]
            for mask, row in zip(masks, answers, strict=True):
                copies = sum(allele in mask for allele in own)
                row[copies] = max(row[copies], share)
        total: NDArray[np.float64] = answers.sum(axis=1, keepdims=True)
        return np.asarray(answers / total)

    def phase(self, others: Sequence[CalledSite]) -> dict[int, JointCall]:
        """Phase heterozygous sites near the group with it, where the fragments agree."""
        if self._haplotypes[0] == self._haplotypes[1]:
            return {}
        found = {}
        for site in others:
            start, end = _extent(self._evidence.sites, site.number)
            distance = max(start - self._end, self._start - end)
            if distance > PHASING_DISTANCE or len({*site.call.alleles}) == 1:
                continue
            votes = Counter(
                (self._sides[number], fragment.shown[0])
                for number, fragment in fragments_at(self._evidence, [site.number]).items()
                if number in self._sides
            )
            low, high = site.call.alleles
            straight, crossed = (
                votes[0, one] + votes[1, two] for one, two in ((low, high), (high, low))
            )
            most = max(straight, crossed)
            if most >= max(_MIN_PHASING_VOTES, _MIN_PHASING_SHARE * (straight + crossed)):
                phase = (low, high) if straight == most else (high, low)
                found[site.number] = JointCall(phase, self._start)
        return found
