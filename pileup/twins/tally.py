"""Twin of kernels.candidates.tally: sums over the witnesses of a question."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pileup.codes import REF, UNINFORMATIVE
from pileup.sam import FPAIRED, FPROPER_PAIR, FREVERSE, UNKNOWN_MAPQ, UNKNOWN_QUALITY
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
        return max(0, min(self.site.start - read.start, read.end - self.site.start - 1))


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual in the library: MAPQ of a sure read, mismatches of an aligned base."""

    mapq: float
    mismatch_rate: float


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the fragments of a group, in the order of the kernel's columns."""

    count: float
    forward: float
    known_quality: float
    quality: float
    mapq: float
    low_mapq: float
    length: float
    to_end: float
    mismatches: float
    clipped: float
    paired: float
    improper: float


@dataclass(frozen=True, slots=True)
class Extras:
    """About the putative reads, the other ALTs and all, in the order of the kernel's columns."""

    near_end: float
    expected_near_end: float
    best_quality: float
    other_alts: float
    commonest_alt: float
    clipped_here: float


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


def sums(question: Question, group: str, usual: Usual) -> Sums:
    """Sum up the witnesses of one group."""
    shown = question.showing(group)
    known = [w.quality for w in shown if w.quality != UNKNOWN_QUALITY]
    return Sums(
        count=len(shown),
        forward=sum(not w.read.flag & FREVERSE for w in shown),
        known_quality=len(known),
        quality=sum(min(quality, 60) for quality in known),
        mapq=sum(_sureness(w, usual) for w in shown),
        low_mapq=sum(_sureness(w, usual) < 1 / 3 for w in shown),
        length=sum(_length(w) for w in shown),
        to_end=sum(question.to_end(w) / max(_length(w), 1) for w in shown),
        mismatches=sum(_other_mismatches(question.site, w, usual) for w in shown),
        clipped=sum(w.clipped > 0 for w in shown),
        paired=sum(w.read.flag & FPAIRED > 0 for w in shown),
        improper=sum(_is_improper(w.read.flag) for w in shown),
    )


def _length(witness: Witness) -> int:
    return witness.read.end - witness.read.start


def _sureness(witness: Witness, usual: Usual) -> float:
    mapq = witness.read.mapq
    return 1.0 if mapq == UNKNOWN_MAPQ else min(1.0, mapq / usual.mapq)


def _is_improper(flag: int) -> bool:
    return bool(flag & FPAIRED) and not flag & FPROPER_PAIR


def _other_mismatches(site: Site, witness: Witness, usual: Usual) -> float:
    """Return a read's mismatches and indels without those that are the allele itself."""
    own = 0
    if witness.allele > REF:
        own = 1 if site.is_indel else site.ref_length
    most = 10 + 5 * usual.mismatch_rate * _length(witness)
    return min(max(witness.mismatches - own, 0), most)


def stacks(question: Question, group: str) -> tuple[int, int]:
    """Return the different starts of a group, and most reads that start, or end, at one base."""
    shown = question.showing(group)
    starts = Counter(w.read.start for w in shown)
    ends = Counter(w.read.end for w in shown)
    return len(starts), max((starts | ends).values(), default=0)


def extras(question: Question) -> Extras:
    """Sum up what is measured on the putative reads, on the other ALTs, and on all reads."""
    putative = question.showing("putative")
    shown = [witness.allele for witness in question.witnesses]
    known = [w.quality for w in putative if w.quality != UNKNOWN_QUALITY]
    return Extras(
        near_end=sum(question.to_end(w) < 6 for w in putative),
        expected_near_end=sum(min(1.0, 12 / max(_length(w), 1)) for w in putative),
        best_quality=min(max(known, default=0), 60),
        other_alts=sum(w.allele > REF for w in question.showing("other")),
        commonest_alt=max(shown.count(n) for n in range(1, len(question.site.alts) + 1)),
        clipped_here=sum(_is_clipped_near(question.site, w.read) for w in question.witnesses),
    )


def _is_clipped_near(site: Site, read: Read) -> bool:
    """Return whether a soft clip begins within 10 bases of a site."""
    letters = "".join(letter for letter, _ in read.cigar)
    near = range(site.start - 10, site.repeat_end + 11)
    before, after = letters.removeprefix("H")[:1] == "S", letters.removesuffix("H")[-1:] == "S"
    return (before and read.start in near) or (after and read.end in near)
