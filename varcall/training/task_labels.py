"""The right answer to each task's questions, from the truth and from where the reads come from.

A label is the number of an option in `models.tasks.TASKS`, or UNKNOWN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.tasks import CAUSE, COPIES, HAPLOTYPE, SAME_HAPLOTYPE, SHARE
from pileup.arrays import QuestionArrays, SiteArrays
from pileup.codes import REF, UNINFORMATIVE
from pileup.kernels.candidates.lengths import describe_alleles
from pileup.spec import WIDTH
from varcall.evidence.window import Evidence
from varcall.formats.simulated_origin import (
    ADAPTER,
    CHIMERA,
    CONTAMINANT_MOLECULE,
    FIRST_HIDDEN_COPY,
    FIRST_STACK,
)
from varcall.training.labels import Labels, TruthRecord
from varcall.training.origins import UNKNOWN_MOLECULE, Origins

UNKNOWN = -1

# Share of the fragments that show an allele which must agree on where it comes from.
MAJORITY = 0.7
# Bases from an indel of the truth within which reads are misaligned rather than wrong.
_MISALIGNED = 30
# Shortest repeat, in bases and in units, in which an indel counts as slippage.
_LEAST_REPEAT, _LEAST_UNITS = 4, 2
# Bases from the end of an alignment within which what the read was joined to there is to blame.
_JOINT_REACH = 50
SHARE_BORDERS = (0.10, 0.35, 0.65, 0.90)
# Shares closer than this to a border are not asked about.
_BORDER_MARGIN = 0.03
# Share of foreign reads over a place above which nobody knows its share of molecules.
_MOST_FOREIGN = 0.05
# Fewest fragments with a haplotype at a site, and fewest of them with the allele, that tell which
# haplotype carries it; share of them that must agree with where they come from.
_LEAST_TAGGED, _LEAST_TAGGED_PUTATIVE, _AGREEMENT = 6, 2, 0.8
# Others' fragments mislead where they are more than this share of a place's, mapped with at least
# this MAPQ, and show what the person does not have.
_MISLEADING_SHARE, _CONFIDENT_MAPQ = 0.25, 40
# Another person's only where they are more than this share of the library's: nobody calls variants
# of such a library. Where it is less, a quarter of a place's are a matter of chance.
_MOST_CONTAMINATION = 0.15
# Variants at most this far apart (bases) lie in one picture.
FARTHEST_PAIR = WIDTH // 2 - 2


class Cause(IntEnum):
    """Options of the task "cause"."""

    REAL, SLIPPAGE, BASE_ERRORS, WRONG_MAPPING, ADAPTER, CONTAMINATION = range(6)


class SameHaplotype(IntEnum):
    """Options of the task "same_haplotype"."""

    YES, NO, UNTELLABLE = range(3)


class Haplotype(IntEnum):
    """Options of the task "haplotype"."""

    FIRST, SECOND, BOTH, NEITHER, UNTELLABLE = range(5)


class TaskExamples(NamedTuple):
    """Labelled questions of one task, n in number.

    Attributes
    ----------
    question
        int64 [n], number of the question among the evidence's.
    other
        int64 [n], number of the question about the second variant; -1 where the task has none.
    labels
        int64 [n], the right option.
    """

    question: NDArray[np.int64]
    other: NDArray[np.int64]
    labels: NDArray[np.int64]


class Witnesses(NamedTuple):
    """The fragments at the site of each question, w in all.

    `question` and `observation` are int64 [w]; `putative`, bool [w], says which show the allele(s)
    asked about, `ref` which show REF.
    """

    question: NDArray[np.int64]
    observation: NDArray[np.int64]
    putative: NDArray[np.bool_]
    ref: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of the q questions of some evidence.

    Attributes
    ----------
    labels
        What truth says of them; it must be certain of all.
    truth
        Where it is from.
    origins, misplaced
        Of the evidence's reads, in their order; `misplaced` bool [n].
    haplotypes
        uint8 [observations]: 1 or 2, the haplotype that the caller gives the read; 0 none.
    contaminant
        int64 [q], copies that the contaminating person has; None where nobody knows.
    contamination
        Share of molecules that are that person's; None where nobody knows.
    """

    evidence: Evidence
    labels: Labels
    truth: Sequence[TruthRecord]
    origins: Origins
    misplaced: NDArray[np.bool_]
    haplotypes: NDArray[np.uint8]
    contaminant: NDArray[np.int64] | None = None
    contamination: float | None = None

    @property
    def is_single(self) -> NDArray[np.bool_]:
        """Which questions ask about one ALT: bool [q]."""
        masks = self.evidence.questions.alleles
        is_one: NDArray[np.bool_] = (masks & (masks - 1)) == 0
        return is_one

    @property
    def first_alt(self) -> NDArray[np.int64]:
        """Number of the (first) ALT asked about among all sites' ALTs: int64 [q]."""
        sites, questions = self.evidence.sites, self.evidence.questions
        masks = questions.alleles.astype(np.int64)
        # The lowest bit of a mask is a power of two.
        bit = np.log2(masks & -masks).astype(np.int64)
        first: NDArray[np.int64] = sites.alt_offset[questions.site] + bit
        return first


def witnesses_of(evidence: Evidence) -> Witnesses:
    """List the fragments that show an allele at the site of each question."""
    shown, questions = evidence.observations, evidence.questions
    first, last = shown.offset[questions.site], shown.offset[questions.site + 1]
    size = last - first
    question = np.repeat(np.arange(len(size)), size)
    begins = np.cumsum(size) - size
    observation = np.arange(len(question)) + np.repeat(first - begins, size)
    counted = shown.counts[observation] & (shown.allele[observation] != UNINFORMATIVE)
    question, observation = question[counted], observation[counted]
    allele = shown.allele[observation].astype(np.int64)
    bit = questions.alleles[question].astype(np.int64) >> np.maximum(allele - 1, 0) & 1
    return Witnesses(question, observation, (allele > REF) & (bit == 1), allele == REF)


def label_causes(known: Known, witnesses: Witnesses) -> NDArray[np.int64]:
    """Return why reads differ from REF, int64 [q].

    A real variant, or what MAJORITY of the fragments that show the allele have in common.
    """
    n, shown = len(known.labels.copies), known.evidence.observations
    putative = np.flatnonzero(witnesses.putative)
    question = witnesses.question[putative]
    read = shown.read[witnesses.observation[putative]]
    kind = _kinds(known.origins, known.misplaced)[read]
    kind[_beside_a_joint(known, question, read)] = Cause.ADAPTER
    if known.contaminant is None:
        kind[kind == Cause.CONTAMINATION] = UNKNOWN
    else:
        # Another person's read is as good as any where that person has not got the allele.
        is_error = (kind == Cause.CONTAMINATION) & (known.contaminant[question] == 0)
        kind[is_error] = Cause.BASE_ERRORS
    votes = _count(question, kind + 1, n, len(Cause) + 1)
    total, best = votes.sum(1), votes.argmax(1)
    agreed = (total > 0) & (votes.max(1) >= MAJORITY * total)
    cause = np.where(agreed, best - 1, UNKNOWN)
    errs = cause == Cause.BASE_ERRORS
    cause[errs & _slips(known)] = Cause.SLIPPAGE
    cause[errs & _may_be_misaligned(known)] = UNKNOWN
    cause[known.labels.copies > 0] = Cause.REAL
    return np.where(known.is_single, cause, UNKNOWN)


def misled_by_others(known: Known, witnesses: Witnesses) -> NDArray[np.bool_]:
    """Tell where fragments that are not the person's look like one of the two haplotypes, bool [q].

    More than a quarter of the fragments there are of a stretch that the reference has once and the
    person more often, or of another person in a library full of them, are mapped with confidence,
    and show the allele where the label is 0 copies, or another where it is 2. Such a place is told
    from a het variant by its depth at most.
    """
    n, copies = len(known.labels.copies), known.labels.copies
    read = known.evidence.observations.read[witnesses.observation]
    molecule = known.origins.molecule[read]
    is_full = known.contamination is not None and known.contamination > _MOST_CONTAMINATION
    is_foreign = molecule >= (CONTAMINANT_MOLECULE if is_full else FIRST_HIDDEN_COPY)
    is_foreign &= molecule < FIRST_STACK
    is_foreign &= known.evidence.reads.mapq[read] >= _CONFIDENT_MAPQ
    is_against = np.where(witnesses.putative, 0, 2) == copies[witnesses.question]
    counts = _count(witnesses.question, (is_foreign & is_against).astype(np.int64), n, 2)
    misled: NDArray[np.bool_] = counts[:, 1] > _MISLEADING_SHARE * counts.sum(1)
    return misled


def _kinds(origins: Origins, misplaced: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return why each read would differ from REF where the person does not: int64 [n]."""
    molecule, n = origins.molecule, len(origins.molecule)
    kind = np.full(n, Cause.BASE_ERRORS, np.int64)
    kind[molecule == CONTAMINANT_MOLECULE] = Cause.CONTAMINATION
    kind[misplaced | (molecule >= FIRST_HIDDEN_COPY)] = Cause.WRONG_MAPPING
    kind[molecule == UNKNOWN_MOLECULE] = UNKNOWN
    return kind


def _beside_a_joint(
    known: Known, question: NDArray[np.int64], read: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Tell where a read was joined to an adapter or another place near a question: bool [w].

    The mapper ends the alignment about there. Of a long read the rest is as any other's.
    """
    reads, origins = known.evidence.reads, known.origins
    is_joined = origins.artefact[read] & (CHIMERA | ADAPTER) != 0
    low, high = (side[question] for side in _spans(known.evidence.sites, known.evidence.questions))
    from_start = low - reads.read_start[read] < _JOINT_REACH
    to_end = reads.read_end[read] - high < _JOINT_REACH
    return np.asarray(is_joined & (from_start | to_end))


def _slips(known: Known) -> NDArray[np.bool_]:
    """Tell which questions ask about whole units more or fewer of a repeat: bool [q]."""
    evidence = known.evidence
    sites, questions = evidence.sites, evidence.questions
    n = len(questions.site)
    asked, delta = np.zeros((n, 2), np.int64), np.zeros((n, 2), np.int64)
    unit = np.zeros(n, np.int64)
    describe_alleles(questions, evidence.scan.reference, sites, asked, delta, unit)
    # The anchor before the repeat is no part of it.
    length = sites.repeat_end[questions.site] - sites.start[questions.site] - 1
    is_repeat = (length >= _LEAST_REPEAT) & (length >= _LEAST_UNITS * unit)
    return (unit > 0) & is_repeat


def _may_be_misaligned(known: Known) -> NDArray[np.bool_]:
    """Tell which questions are about a place where truth has another allele: bool [q]."""
    low, high = _spans(known.evidence.sites, known.evidence.questions)
    reach = np.array([_reach(record) for record in known.truth], np.int64)
    start = np.array([record.start for record in known.truth], np.int64) - reach
    end = np.array([record.end for record in known.truth], np.int64) + reach
    has_allele = reach >= 0
    near = (low[:, None] < end) & (high[:, None] > start) & has_allele
    return np.asarray(near.any(1))


def _reach(record: TruthRecord) -> int:
    """How far from a truth record reads may be misaligned, bases; -1 where it is REF."""
    alleles = (*record.first, *record.second)
    if record.known and not alleles:
        return -1
    is_indel = any(len(allele.ref) != len(allele.alt) for allele in alleles)
    return _MISALIGNED if is_indel or not record.known else 0


def _spans(
    sites: SiteArrays, questions: QuestionArrays
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return sites.start[questions.site], sites.repeat_end[questions.site]


def label_shares(known: Known, witnesses: Witnesses) -> NDArray[np.int64]:
    """Return which share of the molecules should have the allele, int64 [q]: a class of shares."""
    unknown = np.full(len(known.labels.copies), UNKNOWN)
    amount = known.contamination
    if amount is None or (amount > 0 and known.contaminant is None):
        return unknown
    share = (1 - amount) * known.labels.copies / 2
    if known.contaminant is not None:
        share = share + amount * known.contaminant / 2
    borders = np.array(SHARE_BORDERS)
    is_clear = np.abs(share[:, None] - borders).min(1) >= _BORDER_MARGIN
    reads = known.evidence.observations.read[witnesses.observation]
    is_foreign = known.misplaced | (known.origins.molecule >= FIRST_HIDDEN_COPY)
    counts = _count(witnesses.question, is_foreign[reads].astype(np.int64), len(share), 2)
    is_clear &= counts[:, 1] <= _MOST_FOREIGN * counts.sum(1)
    return np.where(is_clear & known.is_single, np.searchsorted(borders, share), unknown)


def label_haplotypes(known: Known, witnesses: Witnesses) -> NDArray[np.int64]:
    """Return which of the caller's haplotypes carries the allele, int64 [q].

    The caller's two haplotypes are matched to the person's by the reads of the same site.
    """
    n, copies = len(known.labels.copies), known.labels.copies
    tag = known.haplotypes[witnesses.observation].astype(np.int64)
    tagged = _count(witnesses.question, (tag > 0).astype(np.int64), n, 2)[:, 1]
    carriers = (tag > 0) & witnesses.putative
    tagged_putative = _count(witnesses.question, carriers.astype(np.int64), n, 2)[:, 1]
    phase = phase_sets(known)
    answer = np.full(n, UNKNOWN)
    for phase_set in np.unique(phase[phase >= 0]).tolist():
        side = _sides(known, witnesses, phase == phase_set)[witnesses.observation]
        counted = (tag > 0) & (side >= 0)
        agrees = (tag[counted] - 1 == side[counted]).astype(np.int64)
        counts = _count(witnesses.question[counted], agrees, n, 2)
        total = counts.sum(1)
        carrier = known.labels.present[1, known.first_alt].astype(np.int64)
        mine = (phase == phase_set) & (total >= _LEAST_TAGGED)
        alike = mine & (counts[:, 1] >= _AGREEMENT * total)
        crossed = mine & (counts[:, 0] >= _AGREEMENT * total)
        answer[alike] = carrier[alike]
        answer[crossed] = 1 - carrier[crossed]
    too_few = (tagged < _LEAST_TAGGED) | (tagged_putative < _LEAST_TAGGED_PUTATIVE)
    answer[too_few] = Haplotype.UNTELLABLE
    answer[copies == 0] = Haplotype.NEITHER
    answer[copies == 2] = Haplotype.BOTH
    return np.where(known.is_single, answer, UNKNOWN)


def phase_sets(known: Known) -> NDArray[np.int64]:
    """Return the phase set of each het question about one ALT, int64 [q]; -1 where unphased."""
    hets = [record for record in known.truth if record.is_het or not record.known]
    names = {name: number for number, name in enumerate({r.phase_set: 0 for r in hets})}
    number = np.array([names[r.phase_set] if r.phased else -1 for r in hets], np.int64)
    start = np.array([record.start for record in hets], np.int64) - _MISALIGNED
    end = np.array([record.end for record in hets], np.int64) + _MISALIGNED
    low, high = _spans(known.evidence.sites, known.evidence.questions)
    near = (low[:, None] < end) & (high[:, None] > start)
    # Any of the records near a site may be what its ALT is spelled by.
    lowest = np.where(near, number, len(names)).min(1, initial=len(names))
    highest = np.where(near, number, -1).max(1, initial=-1)
    is_het = (known.labels.copies == 1) & known.is_single
    return np.where(is_het & (lowest == highest), highest, -1)


def _sides(known: Known, witnesses: Witnesses, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return which of the person's haplotypes each observation's fragment is of, or -1.

    Simulated reads say so; of real ones, the chosen het questions (bool [q]) tell, all of one
    phase set, by the alleles that the fragments show.
    """
    shown = known.evidence.observations
    molecule = known.origins.molecule[shown.read].astype(np.int64)
    fragment = known.evidence.reads.fragment[shown.read]
    carrier = known.labels.present[1, known.first_alt]
    told = chosen[witnesses.question] & (witnesses.putative | witnesses.ref)
    # Where a site has other ALTs, REF's absence from a haplotype says little.
    n_alts = np.diff(known.evidence.sites.alt_offset)[known.evidence.questions.site]
    told &= (n_alts == 1)[witnesses.question]
    has_second = carrier[witnesses.question[told]] == witnesses.putative[told]
    votes = np.bincount(
        fragment[witnesses.observation[told]],
        np.where(has_second, 1.0, -1.0),
        minlength=int(known.evidence.reads.fragment.max(initial=-1)) + 1,
    )
    by_alleles = np.where(votes > 0, 1, np.where(votes < 0, 0, -1))[fragment]
    own = np.where((molecule == 0) | (molecule == 1), molecule, -1)
    return np.where(molecule == UNKNOWN_MOLECULE, by_alleles, own)


def label_pairs(known: Known, witnesses: Witnesses) -> TaskExamples:
    """Return the pairs of het variants in one picture, and whether one haplotype has both."""
    phase, starts = phase_sets(known), _spans(known.evidence.sites, known.evidence.questions)[0]
    carrier = known.labels.present[1, known.first_alt]
    hets = np.flatnonzero(phase >= 0)
    distance = np.abs(starts[hets][:, None] - starts[hets])
    near = (distance > 0) & (distance <= FARTHEST_PAIR)
    near &= phase[hets][:, None] == phase[hets]
    first, second = np.nonzero(near)
    question, other = hets[first], hets[second]
    fragments, is_tagged = _fragments(known, witnesses, hets)
    labels = np.where(carrier[question] == carrier[other], SameHaplotype.YES, SameHaplotype.NO)
    for row, (one, two) in enumerate(zip(question.tolist(), other.tolist(), strict=True)):
        told = is_tagged[one] and is_tagged[two]
        if not told and fragments[one].isdisjoint(fragments[two]):
            labels[row] = SameHaplotype.UNTELLABLE
    return TaskExamples(question, other, labels.astype(np.int64))


def _fragments(
    known: Known, witnesses: Witnesses, chosen: NDArray[np.int64]
) -> tuple[dict[int, set[int]], dict[int, bool]]:
    """Return, of the chosen questions, the fragments that show one of the alleles.

    And whether the haplotypes of the reads tell who has the allele.
    """
    reads, shown = known.evidence.reads, known.evidence.observations
    usable = witnesses.putative | witnesses.ref
    fragments: dict[int, set[int]] = {}
    is_tagged: dict[int, bool] = {}
    for question in chosen.tolist():
        low, high = np.searchsorted(witnesses.question, [question, question + 1])
        observation = witnesses.observation[low:high]
        mine = shown.read[observation[usable[low:high]]]
        fragments[question] = set(reads.fragment[mine].tolist())
        tags = known.haplotypes[observation[witnesses.putative[low:high]]]
        is_tagged[question] = bool(np.count_nonzero(tags) >= _LEAST_TAGGED_PUTATIVE)
    return fragments, is_tagged


def label_tasks(known: Known, tasks: Sequence[str]) -> dict[str, TaskExamples]:
    """Return the labelled questions of the tasks; of a task that a span cannot tell, none."""
    witnesses = witnesses_of(known.evidence)
    found = {}
    for task in tasks:
        if task == SAME_HAPLOTYPE.name:
            found[task] = label_pairs(known, witnesses)
            continue
        labels = _LABELLERS[task](known, witnesses)
        question = np.flatnonzero(labels != UNKNOWN)
        found[task] = TaskExamples(question, np.full(len(question), -1), labels[question])
    return found


def _count(
    row: NDArray[np.int64], column: NDArray[np.int64], n_rows: int, n_columns: int
) -> NDArray[np.int64]:
    """Count how often each pair occurs: int64 [n_rows, n_columns]."""
    counts = np.bincount(row * n_columns + column, minlength=n_rows * n_columns)
    return counts.reshape(n_rows, n_columns)


_LABELLERS: dict[str, Callable[[Known, Witnesses], NDArray[np.int64]]] = {
    COPIES.name: lambda known, _: known.labels.copies,
    CAUSE.name: label_causes,
    SHARE.name: label_shares,
    HAPLOTYPE.name: label_haplotypes,
}
