"""Twin of kernels.candidates.tally: sums over the witnesses of a question."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

from pileup.codes import REF, UNINFORMATIVE
from pileup.sam import FPAIRED, FPROPER_PAIR, FREVERSE
from pileup.twins.alignment import Read, Site
from pileup.twins.draw import asked_alleles
from pileup.twins.observe import Observation

GROUPS = ("putative", "other", "ref", "unknown")


@dataclass(frozen=True, slots=True)
class Witness:
    """The counted read of a fragment, with its mismatches and soft-clipped bases."""

    read: Read
    allele: int
    quality: int
    delta: int
    mismatches: int
    clipped: int


@dataclass(frozen=True, slots=True)
class Question:
    """The asked ALTs (1, 2, ...) of a site, and the site's witnesses."""

    site: Site
    asked: tuple[int, ...]
    witnesses: tuple[Witness, ...]

    def showing(self, group: str) -> list[Witness]:
        """Return the witnesses of one of GROUPS."""
        return [w for w in self.witnesses if self.group(w.allele) == group]

    def group(self, allele: int) -> str:
        """Return which of GROUPS an allele belongs to."""
        if allele in self.asked:
            return "putative"
        return {REF: "ref", UNINFORMATIVE: "unknown"}.get(allele, "other")

    def to_end(self, witness: Witness) -> int:
        """Return how far the site lies from the nearer end of a read's alignment."""
        read = witness.read
        return min(self.site.start - read.start, read.end - self.site.start - 1)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the fragments of a group, in the order of the kernel's columns."""

    count: float
    forward: float
    quality: float
    mapq: float
    low_mapq: float
    to_end: float
    mismatches: float
    clipped: float
    improper: float


@dataclass(frozen=True, slots=True)
class Extras:
    """About the putative reads and the other ALTs, in the order of the kernel's columns."""

    near_end: float
    best_quality: float
    distinct_starts: float
    other_alts: float
    commonest_alt: float


def pose(
    site: Site,
    mask: int,
    reads: Sequence[Read],
    observations: Iterable[Observation],
    mismatches: Sequence[int],
    clipped: Sequence[int],
) -> Question:
    """Return the question of a bit mask of ALTs; mismatches and clipped bases are by read."""
    witnesses = tuple(
        Witness(reads[o.read], o.allele, o.quality, o.delta, mismatches[o.read], clipped[o.read])
        for o in observations
        if o.counts
    )
    return Question(site, asked_alleles(mask), witnesses)


def sums(question: Question, group: str) -> Sums:
    """Sum up the witnesses of one group."""
    shown = question.showing(group)
    return Sums(
        count=len(shown),
        forward=sum(not w.read.flag & FREVERSE for w in shown),
        quality=sum(w.quality for w in shown),
        mapq=sum(min(w.read.mapq, 60) for w in shown),
        low_mapq=sum(w.read.mapq < 20 for w in shown),
        to_end=sum(min(max(question.to_end(w), 0), 75) for w in shown),
        mismatches=sum(_other_mismatches(question.site, w) for w in shown),
        clipped=sum(w.clipped > 0 for w in shown),
        improper=sum(_is_improper(w.read.flag) for w in shown),
    )


def _is_improper(flag: int) -> bool:
    return bool(flag & FPAIRED) and not flag & FPROPER_PAIR


def _other_mismatches(site: Site, witness: Witness) -> int:
    """Return a read's mismatches and indels without those that are the allele itself."""
    own = 0
    if witness.allele > REF:
        own = 1 if site.is_indel else site.ref_length
    return min(max(witness.mismatches - own, 0), 20)


def extras(question: Question) -> Extras:
    """Sum up what is measured on the putative reads and the other ALTs only."""
    putative = question.showing("putative")
    shown = [witness.allele for witness in question.witnesses]
    return Extras(
        near_end=sum(question.to_end(w) < 6 for w in putative),
        best_quality=max((w.quality for w in putative), default=0),
        distinct_starts=len({w.read.start for w in putative}),
        other_alts=sum(w.allele > REF for w in question.showing("other")),
        commonest_alt=max(shown.count(n) for n in range(1, len(question.site.alts) + 1)),
    )


def log_likelihoods(question: Question, least_error: float) -> tuple[float, float, float]:
    """Return log P(witnesses | 0, 1, 2 copies of the asked alleles), up to a constant."""
    zero = one = two = 0.0
    for witness in question.witnesses:
        if witness.allele == UNINFORMATIVE:
            continue
        phreds = (witness.quality, witness.read.mapq)
        error = min(max(*(10 ** (-phred / 10) for phred in phreds), least_error), 0.75)
        spurious = error if question.site.is_indel else error / 3
        if witness.allele in question.asked:
            zero += log(spurious)
            one += log((1 - error) / 2 + spurious / 2)
            two += log(1 - error)
        else:
            zero += log(1 - spurious)
            one += log((1 - spurious) / 2 + error / 2)
            two += log(error)
    return zero, one, two
