"""How many copies of each candidate allele the truth holds, whatever way truth spells it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReferenceArrays, SiteArrays
from varcall.errors import InputError
from varcall.evidence.alleles import Allele, decompose, left_align, split
from varcall.evidence.candidates import spell, spell_alleles

# Alleles closer than this may be two spellings of one haplotype.
_CLUSTER_DISTANCE = 30
# A variant this close to an indel of its haplotype may be spelled as one with it, bases.
_RESPELLED = 10
# More alleles than this in one cluster are left unlabelled: subsets are tried one by one.
_MAX_CLUSTER = 10
_MAX_UNPHASED = 6


@dataclass(frozen=True, slots=True)
class TruthRecord:
    """One truth variant: the alleles of its two haplotypes, normalised and atomic.

    Attributes
    ----------
    start, end
        What REF covers (0-based half-open).
    first, second
        Empty where the haplotype has REF; a haploid genotype counts as two equal haplotypes.
    phased
        Whether the order of the haplotypes means anything.
    known
        False where truth has a variant but does not say which: a missing or symbolic allele.
    phase_set
        PS: the order of haplotypes is the same within one set only. Empty where there is none.
    """

    start: int
    end: int
    first: tuple[Allele, ...]
    second: tuple[Allele, ...]
    phased: bool
    known: bool
    phase_set: str = ""

    @property
    def is_het(self) -> bool:
        """Whether the two haplotypes differ."""
        return self.first != self.second


def read_truth(
    path: Path,
    contig: str,
    start: int,
    end: int,
    fetch: Callable[[int, int], str],
    sample: int | str = 0,
) -> list[TruthRecord]:
    """Read the truth records of a span (0-based half-open) of one of the VCF's samples.

    `fetch(start, end)` gives reference bases.

    Raises
    ------
    InputError
        Where the file has no sample, no GT, no index, or does not know the contig.
    """
    try:
        with pysam.VariantFile(str(path)) as truth:
            if not len(truth.header.samples):
                raise InputError(f"truth {path} has no sample column; give a VCF with genotypes")
            records = truth.fetch(contig, start, end)
            return [_truth_record(record, fetch, sample) for record in records]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read truth {path} at {contig}:{start + 1}-{end} ({error}); it must have GT "
            f"and an index, and know the contig: tabix {path}"
        ) from None


def has_sample(path: Path, name: str) -> bool:
    """Tell whether a VCF has a sample of this name; a file that is no VCF has none."""
    try:
        with pysam.VariantFile(str(path)) as truth:
            return name in truth.header.samples
    except (OSError, ValueError):
        return False


def _truth_record(
    record: pysam.VariantRecord, fetch: Callable[[int, int], str], sample: int | str
) -> TruthRecord:
    call = record.samples[sample]
    genotype = call["GT"]
    alleles = record.alleles or ()
    start, end = record.start, record.start + len(alleles[0])
    sides: list[tuple[Allele, ...]] = []
    for index in genotype if len(genotype) == 2 else genotype * 2:
        if index is None or (alleles[index] != "*" and set(alleles[index]) - set("ACGT")):
            return TruthRecord(start, end, (), (), phased=False, known=False)
        # The deletion that `*` stands for has a record of its own.
        is_plain = index == 0 or alleles[index] == "*"
        sides.append(() if is_plain else _primitives(start, alleles[0], alleles[index], fetch))
    phase_set = call.get("PS")
    return TruthRecord(
        start, end, sides[0], sides[1], phased=call.phased, known=True,
        phase_set="" if phase_set is None else str(phase_set),
    )  # fmt: skip


def _primitives(
    start: int, ref: str, alt: str, fetch: Callable[[int, int], str]
) -> tuple[Allele, ...]:
    whole = split(start, ref, [alt])[0]
    parts = []
    for part in decompose(whole):
        new_start, new_ref, (new_alt,) = left_align(part.start, part.ref, [part.alt], fetch)
        parts.append(Allele(new_start, new_ref, new_alt))
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Labels:
    """What truth says of the q questions about sites with a ALTs.

    Attributes
    ----------
    copies, certain
        int64 [q], 0 to 2, of each question's allele(s), and bool [q], whether truth is sure of it.
    present
        bool [2, a], which haplotype has which ALT.
    """

    copies: NDArray[np.int64]
    certain: NDArray[np.bool_]
    present: NDArray[np.bool_]

    def about(self, chosen: NDArray[np.int64]) -> "Labels":
        """Return the labels of the chosen questions only."""
        return Labels(self.copies[chosen], self.certain[chosen], self.present)


def label_questions(
    sites: SiteArrays,
    questions: QuestionArrays,
    truth: Sequence[TruthRecord],
    reference: ReferenceArrays,
) -> Labels:
    """Count the copies of each question's allele(s) in the truth.

    An allele that truth spells alike is looked up. For the others, the candidates near
    unexplained truth are combined until they spell the truth's haplotype; where no combination
    does, those candidates are not certain.
    """
    return Labeller(sites, questions, reference).label(truth)


class Labeller:
    """Labels the questions of some sites by the truth of one person or of several."""

    def __init__(
        self, sites: SiteArrays, questions: QuestionArrays, reference: ReferenceArrays
    ) -> None:
        self._reference = reference
        self._sites, self._questions = sites, questions
        self._alleles = list(_alleles_of(sites, reference))
        self._parts = [_parts(allele) for allele in self._alleles]
        n_alts = np.diff(sites.alt_offset)
        starts, ends = np.repeat(sites.start, n_alts), np.repeat(sites.repeat_end, n_alts)
        self._span = list(zip(starts.tolist(), ends.tolist(), strict=True))

    def label(self, truth: Sequence[TruthRecord]) -> Labels:
        """Count the copies of each question's allele(s) in a truth, as `label_questions` does."""
        present, sure = self._label_alts(truth)
        held = present.sum(0)
        sites, questions = self._sites, self._questions
        copies = np.zeros(len(questions.site), np.int64)
        certain = np.ones(len(questions.site), bool)
        first = sites.alt_offset[questions.site]
        for bit in range(int(np.diff(sites.alt_offset).max(initial=0))):
            asked = np.flatnonzero(questions.alleles >> bit & 1)
            copies[asked] += held[first[asked] + bit]
            certain[asked] &= sure[first[asked] + bit]
        return Labels(np.minimum(copies, 2), certain, present)

    def _label_alts(
        self, truth: Sequence[TruthRecord]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which haplotype has which ALT (bool [2, a]) and which ALTs are certain."""
        haplotypes = [
            [allele for record in truth for allele in record.first],
            [allele for record in truth for allele in record.second],
        ]
        known = [set(haplotype) for haplotype in haplotypes]
        present = np.zeros((2, len(self._alleles)), bool)
        explained: set[Allele] = set()
        for index, parts in enumerate(self._parts):
            for side in (0, 1):
                present[side, index] = all(part in known[side] for part in parts)
        has_any = np.asarray(present.any(0))
        for index in np.flatnonzero(has_any).tolist():
            explained.update(self._parts[index])
        certain = self._certain_at_first(truth)
        unmatched = np.flatnonzero(~has_any).tolist()
        missed = sorted({a for side in haplotypes for a in side} - explained)
        for candidates, span in self._clusters(unmatched, missed):
            answer = self._respell(candidates, span, truth, present)
            if answer is None:
                # On a haplotype with an indel, reads may spell what truth spells as this ALT
                # otherwise, together with the indel; so it has the ALT in truth only.
                candidates = sorted({*candidates, *self._matched_near(span, has_any)})
                free = present.copy()
                free[:, candidates] = False
                answer = self._respell(candidates, span, truth, free)
            if answer is None:
                certain[candidates] = False
            else:
                present[:, candidates] = answer
        return present, certain

    def _matched_near(self, span: tuple[int, int], has_any: NDArray[np.bool_]) -> list[int]:
        """Return the ALTs that truth spells alike and that lie within reach of a span."""
        low, high = span[0] - _RESPELLED, span[1] + _RESPELLED
        matched = np.flatnonzero(has_any).tolist()
        return [i for i in matched if self._span[i][0] < high and self._span[i][1] > low]

    def _certain_at_first(self, truth: Sequence[TruthRecord]) -> NDArray[np.bool_]:
        """Doubt the candidates near truth that does not say which alleles there are."""
        certain = np.ones(len(self._alleles), bool)
        for record in truth:
            if not record.known:
                low, high = record.start - _CLUSTER_DISTANCE, record.end + _CLUSTER_DISTANCE
                for index, (start, end) in enumerate(self._span):
                    certain[index] &= not (start < high and end > low)
        return certain

    def _clusters(
        self, unmatched: Sequence[int], missed: Sequence[Allele]
    ) -> list[tuple[list[int], tuple[int, int]]]:
        """Group unmatched candidates with the unexplained truth near them."""
        items = [(*self._span[index], index) for index in unmatched]
        items += [(allele.start, allele.end, -1) for allele in missed]
        items.sort()
        clusters: list[tuple[list[int], tuple[int, int]]] = []
        members: list[int] = []
        has_truth = False
        low = high = -_CLUSTER_DISTANCE - 1
        for start, end, index in [*items, (1 << 60, 1 << 60, -1)]:
            if start > high + _CLUSTER_DISTANCE:
                if members and has_truth:
                    clusters.append((members, (low, high)))
                members, has_truth, low, high = [], False, start, end
            high = max(high, end)
            if index >= 0:
                members.append(index)
            else:
                has_truth = True
        return clusters

    def _respell(
        self,
        candidates: list[int],
        span: tuple[int, int],
        truth: Sequence[TruthRecord],
        present: NDArray[np.bool_],
    ) -> NDArray[np.bool_] | None:
        """Find which candidates together spell each haplotype: bool [2, len(candidates)]."""
        if len(candidates) > _MAX_CLUSTER:
            return None
        low, high = span[0] - _CLUSTER_DISTANCE, span[1] + _CLUSTER_DISTANCE
        inside = [
            record
            for record in truth
            if any(low <= a.start and a.end <= high for a in (*record.first, *record.second))
        ]
        free = [record for record in inside if not record.phased and record.is_het]
        if len(free) > _MAX_UNPHASED:
            return None
        answers = []
        for flips in product((False, True), repeat=len(free)):
            swapped = {id(r) for r, flip in zip(free, flips, strict=True) if flip}
            answer = np.zeros((2, len(candidates)), bool)
            for side in (0, 1):
                alleles = [
                    allele
                    for record in inside
                    for allele in (record.first, record.second)[side ^ (id(record) in swapped)]
                ]
                chosen = self._spelling(candidates, alleles, low, high, present[side])
                if chosen is None:
                    break
                answer[side, list(chosen)] = True
            else:
                answers.append(answer)
        # Phasings that work but give other copies leave the label open.
        agreed = len({tuple(answer.sum(0)) for answer in answers}) == 1
        return answers[0] if agreed else None

    def _spelling(
        self,
        candidates: list[int],
        truth: Sequence[Allele],
        low: int,
        high: int,
        present: NDArray[np.bool_],
    ) -> tuple[int, ...] | None:
        wanted = self._spell(truth, low, high)
        fixed = [
            self._alleles[index]
            for index in np.flatnonzero(present)
            if low <= self._alleles[index].start and self._alleles[index].end <= high
        ]
        for size in range(len(candidates) + 1):
            for chosen in combinations(range(len(candidates)), size):
                trial = fixed + [self._alleles[candidates[index]] for index in chosen]
                if wanted is not None and self._spell(trial, low, high) == wanted:
                    return chosen
        return None

    def _spell(self, alleles: Iterable[Allele], low: int, high: int) -> str | None:
        """Return the reference of [low, high) with the alleles in place; None if they overlap."""
        pieces = []
        at = max(low, self._reference.start)
        for start, end, alt in sorted(map(_without_anchor, set(alleles))):
            if start < at:
                return None
            pieces += [self._bases(at, start), alt]
            at = end
        pieces.append(self._bases(at, high))
        return "".join(pieces)

    def _bases(self, start: int, end: int) -> str:
        codes, origin = self._reference
        return spell(codes[max(0, start - origin) : max(0, end - origin)])


def _alleles_of(sites: SiteArrays, reference: ReferenceArrays) -> Iterator[Allele]:
    """Yield the alleles of all sites' ALTs, trimmed."""
    for site in range(len(sites.start)):
        ref, alts = spell_alleles(sites, site, reference)
        start = int(sites.start[site])
        if len(ref) == 1 and max(map(len, alts)) == 1:
            # By far the most, and with nothing to trim.
            yield from (Allele(start, ref, alt) for alt in alts)
        else:
            yield from split(start, ref, alts)


def _parts(allele: Allele) -> tuple[Allele, ...]:
    """Take a trimmed allele apart into what truth may hold one by one."""
    return decompose(allele) if len(allele.ref) == len(allele.alt) > 1 else (allele,)


def _without_anchor(allele: Allele) -> tuple[int, int, str]:
    """Return the bases an allele truly replaces: (start, end, alt)."""
    if len(allele.ref) != len(allele.alt) and allele.ref[0] == allele.alt[0]:
        return allele.start + 1, allele.end, allele.alt[1:]
    return allele.start, allele.end, allele.alt
