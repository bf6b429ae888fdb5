"""One window from reads to records; the state that a worker process keeps between windows."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.network.memory import keep_freed_memory
from models.tasks import CAUSE
from pileup.codes import INDEL
from pileup.kernels.hom_ref.runs import N_COLUMNS
from varcall.evidence.candidates import alleles_of, spell_alts
from varcall.evidence.reference_model import HomRefEvidence, ReferenceModel
from varcall.evidence.window import KNOWN_BEYOND, Evidence, EvidenceReader
from varcall.evidence.witnesses import Witnesses, count_shown
from varcall.genotyping.answers import CallingModel
from varcall.genotyping.blocks import Span, beyond, reference_blocks
from varcall.genotyping.genotype import (
    GenotypeCall,
    SiteEvidence,
    call_all_genotypes,
    haploid_answers,
    phase_of,
    site_record,
)
from varcall.genotyping.overlaps import CalledSite, JointCall, genotype_overlaps
from varcall.genotyping.phase_votes import PhaseVotes, Vote
from varcall.genotyping.questions import Questions, questions_about
from varcall.genotyping.reference_sites import reference_lines
from varcall.genotyping.unseen import with_unseen
from varcall.inputs.regions import Region
from varcall.options import MAX_JOIN_DISTANCE
from varcall.output.gvcf import Blocks, GvcfFormat
from varcall.output.record import PASS, VariantRecord, format_record
from varcall.output.summary import RecordCounts
from varcall.reads.batch import ReadBatch
from varcall.workers.given_window import (
    AnchoredRecord,
    GenotypedSite,
    GivenWindow,
    GivenWindows,
)
from varcall.workers.plan import WorkerPlan, model_of

STAGES = (
    "read", "realign", "candidates", "haplotypes", "features", "triage", "prompts", "images",
    "model", "genotype", "blocks",
)  # fmt: skip


MIN_CAUSE_VAF = 0.15
"""Where at least this share of the reads shows ALT a refused variant is plain in a viewer, and so
worth a picture: the model is asked why it was refused."""


@dataclass(slots=True)
class WindowResult:
    """The records of a window as VCF lines, and what they cost.

    `lines` have those of bases as in the reference, too, where these are asked for.
    `gvcf_lines` are the same records as lines of a gVCF, `blocks` its reference blocks (`Blocks` of
    `varcall.output.gvcf`). `seconds` are CPU seconds by stage; `reads`, `sites`, `questions` and
    `pictures` count what was seen; `placed`, `mapped` and `skipped` count alignments as
    `ReadCounts` does; `counts` are the fields of `RecordCounts`.
    """

    lines: list[str]
    gvcf_lines: list[str] = field(default_factory=list)
    blocks: Blocks = field(default_factory=lambda: np.zeros((0, N_COLUMNS), np.int32))
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    reads: int = 0
    sites: int = 0
    questions: int = 0
    pictures: int = 0
    placed: int = 0
    mapped: int = 0
    skipped: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the CPU time of the block to a stage."""
        before = time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.process_time() - before


_Genotyped = tuple[SiteEvidence, GenotypeCall, VariantRecord, Vote | None]
"""What reads show of a site, its call, its own record, and what tells how fragments vote there."""


class Worker:
    """Calls windows; opens its own files, as they may not cross processes.

    Parameters
    ----------
    plan
        What to do.
    model, reader
        The plan's model and the opened sample, where there are such already.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        model: CallingModel | None = None,
        reader: EvidenceReader | None = None,
    ) -> None:
        self._plan = plan
        # A window's arrays are as large as the last one's: 100,000 page faults less in 100 windows.
        keep_freed_memory()
        # Before any file is opened, which would stay open where the engine cannot be loaded.
        self._model = model_of(plan) if model is None else model
        self._reader = EvidenceReader(plan.inputs, plan.evidence) if reader is None else reader
        self._given = None
        if plan.given is not None:
            longest = plan.evidence.thresholds.max_allele
            self._given = GivenWindows(
                plan.given,
                self._reader.reference,
                longest,
                discovers=plan.discovers,
                gvcf=plan.gvcf is not None,
            )

    @cached_property
    def _reference_model(self) -> ReferenceModel:
        # Its tables take 5 ms, which a call without a gVCF need not spend.
        return ReferenceModel(self._plan.profile)

    def call(self, window: Region) -> WindowResult:
        """Call a window (0-based half-open): given sites in it, variants whose REF starts in it."""
        result = WindowResult([])
        with result.timed("read"):
            given = self._given_in(window)
            reads = self._reader.load_reads(given.span, window)
        result.reads, counts = len(reads), reads.counts
        result.placed, result.mapped = counts.placed, counts.mapped
        result.skipped = counts.skipped.tolist()
        evidence: Evidence | None = None
        if len(reads) and (given.records or self._finds):
            evidence = self._reader.gather(given.span, reads, result.timed, given.asked)
            records = self._called(window, given, reads, evidence, result)
        else:
            records = self._silent(given, reads)
        with result.timed("genotype"):
            result.lines = list(map(format_record, records.vcf))
            result.counts = asdict(RecordCounts.of(records.vcf))
        result.sites = len(result.lines)
        if self._plan.gvcf is not None:
            with result.timed("blocks"):
                result.gvcf_lines = list(map(format_record, records.gvcf))
                result.blocks = self._blocks(window, reads, evidence, records.gvcf, self._plan.gvcf)
        if self._plan.all_sites:
            with result.timed("blocks"):
                result.lines += self._reference_lines(window, reads, evidence, records.vcf)
        return result

    @property
    def _finds(self) -> bool:
        """Whether what calling finds is written: a gVCF has it also where sites are given."""
        return self._plan.discovers or self._plan.gvcf is not None

    def _given_in(self, window: Region) -> GivenWindow:
        return GivenWindow((), window) if self._given is None else self._given.within(window)

    def _called(
        self,
        window: Region,
        given: GivenWindow,
        reads: ReadBatch,
        evidence: Evidence,
        result: WindowResult,
    ) -> "_Records":
        """Return the records of a window with reads: the given ones, then what calling finds."""
        ploidy = self._plan.ploidy.at(window.contig, evidence.sites.start)
        has_copies = ploidy[evidence.questions.site] > 0
        if not has_copies.all():
            evidence = evidence.about(np.flatnonzero(has_copies))
        if not len(evidence.questions.site):
            return self._silent(given, reads)
        answered = self._answer(evidence, ploidy, result)
        result.questions, result.pictures = len(evidence.questions.site), answered.pictures
        genotyped = self._genotyped(given.span, reads, evidence, answered, ploidy, result)
        sites: list[GenotypedSite] = []
        if given.around:
            sites = [
                GenotypedSite(
                    site,
                    alleles_of(evidence.sites, site),
                    bool(evidence.sites.is_shown[site]),
                    shows,
                    call,
                    vote,
                )
                for site, (shows, call, _, vote) in zip(answered.sites, genotyped, strict=True)
            ]
        with result.timed("genotype"):
            forced = self._of_given(given, reads, sites)
            anchored = self._anchored(given, sites)
        own = [n for n, site in enumerate(answered.sites) if _is_found(window, evidence, site)]
        numbers: list[int] = []
        if self._plan.discovers:
            numbers = [n for n in own if not (sites and given.names(sites[n].called))]
        if self._plan.gvcf is None:
            found = self._found(numbers, genotyped, answered, result)
            return _Records([*forced, *found.values()], [])
        elsewhere = {site for record in anchored for site in record.sites}
        apart = [n for n in own if answered.sites[n] not in elsewhere]
        found = self._found(sorted({*numbers, *apart}), genotyped, answered, result)
        with result.timed("blocks"):
            extended = self._with_unseen(
                [*(one.record for one in anchored), *(found[n] for n in apart)],
                [*(one.sites for one in anchored), *((answered.sites[n],) for n in apart)],
                self._plan.gvcf.allele,
                count_shown(reads, evidence),
                evidence,
            )
        return _Records([*forced, *(found[n] for n in numbers)], extended)

    def _silent(self, given: GivenWindow, reads: ReadBatch) -> "_Records":
        """Return the records of a window of which reads say nothing: given ones."""
        extended: list[VariantRecord] = []
        if self._plan.gvcf is not None:
            anchored = self._anchored(given, ())
            none = [() for _ in anchored]
            extended = self._with_unseen(
                [one.record for one in anchored], none, self._plan.gvcf.allele
            )
        return _Records(self._of_given(given, reads, ()), extended)

    def _anchored(self, given: GivenWindow, sites: Sequence[GenotypedSite]) -> list[AnchoredRecord]:
        reference, ploidy = self._reader.reference, self._plan.ploidy
        return given.anchored_records(sites, reference, ploidy, self._plan.genotype)

    def _of_given(
        self, given: GivenWindow, reads: ReadBatch, sites: Sequence[GenotypedSite]
    ) -> list[VariantRecord]:
        """Return the records of the given sites of a window, in their order."""
        if not given.records:
            return []
        starts = np.array([record.given.start for record in given.records])
        ploidies = self._plan.ploidy.at(given.span.contig, starts).tolist()
        depths = [reads.covering(start) if len(reads) else 0 for start in starts.tolist()]
        return given.genotyped(sites, ploidies, depths, self._plan.genotype)

    def _genotyped(
        self,
        span: Region,
        reads: ReadBatch,
        evidence: Evidence,
        answered: "_Answered",
        ploidy: NDArray[np.int8],
        result: WindowResult,
    ) -> list[_Genotyped]:
        """Return what reads show of each answered site, and its call beside the sites around."""
        with result.timed("genotype"):
            called = answered.called()
        around = self._around(evidence, span, called, ploidy)
        if around is not None:
            beyond = self._answer(around, ploidy, result).called()
            called = sorted([*called, *beyond], key=lambda site: site.number)
        with result.timed("genotype"):
            joint = genotype_overlaps(evidence, called)
            return list(self._shown_and_called(reads, evidence, answered, joint))

    def _found(
        self,
        numbers: Sequence[int],
        genotyped: Sequence[_Genotyped],
        answered: "_Answered",
        result: WindowResult,
    ) -> dict[int, VariantRecord]:
        """Return the records of some of the answered sites, by their number among these."""
        with result.timed("genotype"):
            records = [genotyped[number][2] for number in numbers]
        told = self._with_causes(records, numbers, answered, result)
        return dict(zip(numbers, told, strict=True))

    def _with_unseen(
        self,
        records: Sequence[VariantRecord],
        sites: Sequence[Sequence[int]],
        allele: str,
        counts: NDArray[np.int64] | None = None,
        evidence: Evidence | None = None,
    ) -> list[VariantRecord]:
        """Add the allele that stands for all others to records, each of some sites.

        `counts` are `count_shown` of the evidence.
        """
        if not records:
            return []
        shown = np.zeros((2, len(records)), np.int64)
        runs = np.full(len(records), -1)
        if evidence is not None and counts is not None:
            own = evidence.sites
            run_of = np.where(own.kind == INDEL, own.repeat_end - own.start - 1, -1)
            site = np.array([site for of_record in sites for site in of_record], np.int64)
            record = np.repeat(np.arange(len(records)), [len(of_record) for of_record in sites])
            np.maximum.at(shown.T, record, counts.T[site])
            np.maximum.at(runs, record, run_of[site])
        return with_unseen(records, shown, runs, self._reference_model, allele)

    def _blocks(
        self,
        window: Region,
        batch: ReadBatch,
        evidence: Evidence | None,
        records: Sequence[VariantRecord],
        gvcf: GvcfFormat,
    ) -> Blocks:
        """Return the reference blocks between the records of a window."""
        contig = window.contig
        span = Region(contig, *beyond(window, self._reader.reference.length(contig)))
        rated = self._rated(span, batch, evidence)
        sites: list[Span] = []
        if evidence is not None:
            found = evidence.sites
            # Not what was asked for: blocks do not depend on it.
            start, length = found.start[found.is_shown], found.ref_length[found.is_shown]
            sites = list(zip(start.tolist(), (start + length).tolist(), strict=True))
        ploidy = self._plan.ploidy.at(contig, np.arange(window.start, window.end))
        return reference_blocks(window, rated, _spans(records), gvcf.bands, ploidy, sites)

    def _reference_lines(
        self,
        window: Region,
        batch: ReadBatch,
        evidence: Evidence | None,
        records: Sequence[VariantRecord],
    ) -> list[str]:
        """Return a line for each base between the records of a window."""
        rated = self._rated(window, batch, evidence)
        ploidy = self._plan.ploidy.at(window.contig, np.arange(window.start, window.end))
        return reference_lines(window, rated, _spans(records), ploidy)

    def _rated(self, span: Region, batch: ReadBatch, evidence: Evidence | None) -> HomRefEvidence:
        """Return how sure each base of a span is; the evidence is None where there are no reads."""
        if evidence is None:
            codes = self._reader.reference.fetch(span.contig, span.start, span.end)
            return HomRefEvidence.without_reads(span.start, codes)
        factors = batch.depth_factors(span.start, span.end)
        return self._reference_model.rate_bases(evidence, span.start, span.end, factors)

    def _answer(
        self, evidence: Evidence, ploidy: NDArray[np.int8], result: WindowResult
    ) -> "_Answered":
        """Answer the evidence's questions, and call each site by its own answers.

        `ploidy` is that of each site of the evidence.
        """
        with result.timed("features"):
            questions = questions_about(evidence, self._plan.profile, ploidy)
        answers = self._model.answer(questions, result.timed)
        with result.timed("genotype"):
            sites, firsts = np.unique(evidence.questions.site, return_index=True)
            n_alts = np.diff(evidence.sites.alt_offset)[sites]
            told = _with_haploid(answers.probabilities, questions)
            calls = call_all_genotypes(told, firsts, n_alts, ploidy=ploidy[sites])
            shown: list[NDArray[np.floating]] = np.split(told, firsts[1:])
        return _Answered(
            questions, sites.tolist(), firsts.tolist(), calls, shown, len(answers.pictured)
        )

    def _with_causes(
        self,
        records: Sequence[VariantRecord],
        numbers: Sequence[int],
        answered: "_Answered",
        result: WindowResult,
    ) -> list[VariantRecord]:
        """Say of refused variants that are plain to see why their reads differ.

        `numbers` are those of the records' sites among the answered ones.
        """
        plain = [
            index
            for index, record in enumerate(records)
            if record.filter != PASS and max(record.vaf) >= MIN_CAUSE_VAF
        ]
        if not plain:
            return list(records)
        # Of several ALTs, the one that most reads show.
        asked = np.array(
            [
                answered.firsts[number] + _commonest_alt(answered, number)
                for number in (numbers[index] for index in plain)
            ]
        )
        answers = self._model.ask(answered.questions, asked, CAUSE.name, clock=result.timed)
        told = list(records)
        for index, answer in zip(plain, answers, strict=True):
            best = int(answer.argmax())
            told[index] = told[index]._replace(cause=(CAUSE.options[best], float(answer[best])))
        result.pictures += len(plain)
        return told

    def _around(
        self,
        evidence: Evidence,
        window: Region,
        called: Sequence[CalledSite],
        ploidy: NDArray[np.int8],
    ) -> Evidence | None:
        """Return the evidence of the sites beyond the window, if one inside may overlap them."""
        start = evidence.sites.start
        near_start, near_end = window.start + KNOWN_BEYOND, window.end - KNOWN_BEYOND
        own = [int(start[site.number]) for site in called]
        wanted = np.zeros(len(start), np.bool_)
        if any(at < near_start for at in own):
            wanted |= (start < window.start) & (start >= window.start - KNOWN_BEYOND)
        if any(at >= near_end for at in own):
            wanted |= (start >= window.end) & (start < window.end + KNOWN_BEYOND)
        wanted &= evidence.sites.is_shown & (ploidy > 0)
        return evidence.asking(wanted) if wanted.any() else None

    def _shown_and_called(
        self,
        batch: ReadBatch,
        evidence: Evidence,
        answered: "_Answered",
        joint: Mapping[int, JointCall],
    ) -> Iterator[_Genotyped]:
        sites = evidence.sites
        starts = sites.start.tolist()
        low, high = min(starts), int((sites.start + sites.ref_length).max()) + MAX_JOIN_DISTANCE
        reference = self._reader.reference
        if batch.contig not in reference.circular:
            high = min(high, reference.length(batch.contig))
        letters = reference.fetch_string(batch.contig, low, high)
        witnesses = Witnesses.of(batch, evidence)
        phasing = self._plan.phasing
        voters = None if phasing is None else PhaseVotes(batch.arrays, evidence)
        for site, call in zip(answered.sites, answered.calls, strict=True):
            start = starts[site]
            ref = letters[start - low : start - low + int(sites.ref_length[site])]
            alts = spell_alts(sites, site, ref)
            column = int(sites.alt_offset[site]) + site
            shown = slice(column, column + len(alts) + 1)
            ad = witnesses.both[shown]
            shows = SiteEvidence(
                contig=batch.contig,
                start=start,
                ref=ref,
                alts=alts,
                dp=max(sum(ad), witnesses.covering[site]),
                ad=ad,
                adf=witnesses.forward[shown],
                adr=witnesses.reverse[shown],
            )
            if site in joint:
                factor = batch.depth_factor(start)
                shows, call = joint[site].applied(shows, call, depth_factor=factor)
            record = site_record(shows, call, self._plan.genotype)
            vote: Vote | None = None
            if voters is not None and phasing is not None:
                vote = partial(voters.about, site=site, alts=shows.alts)
                record = record._replace(
                    votes=vote(record, phase_of(shows, call) or call.alleles),
                    after=_bases_after(record, phasing.join_mnvs, letters, low),
                )
            yield shows, call, record, vote


class _Records(NamedTuple):
    """The records of a window in the VCF, and those in the gVCF."""

    vcf: list[VariantRecord]
    gvcf: list[VariantRecord]


class _Answered(NamedTuple):
    """Questions, and sites by number, each with its call, its answers (float [questions, 3]).

    `firsts` is the first question of each site, `pictures` how many were drawn.
    """

    questions: Questions
    sites: list[int]
    firsts: list[int]
    calls: list[GenotypeCall]
    answers: list[NDArray[np.floating]]
    pictures: int

    def called(self) -> list[CalledSite]:
        """Return the sites with a called ALT, of those that reads suggest."""
        is_shown = self.questions.evidence.sites.is_shown
        return [
            CalledSite(site, call, answers)
            for site, call, answers in zip(self.sites, self.calls, self.answers, strict=True)
            if any(call.alleles) and is_shown[site]
        ]


def _with_haploid(
    answers: NDArray[np.float32], questions: Questions
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return answers, of which those about haploid sites say what a haploid can have."""
    haploid = questions.is_haploid
    if not haploid.any():
        return answers
    told = answers.astype(np.float64)
    told[haploid] = haploid_answers(answers[haploid], questions.likelihoods[haploid])
    return told


def _is_found(window: Region, evidence: Evidence, site: int) -> bool:
    """Tell whether calling finds a site, and it is the window's."""
    start = int(evidence.sites.start[site])
    return bool(evidence.sites.is_shown[site]) and window.start <= start < window.end


def _spans(records: Sequence[VariantRecord]) -> list[Span]:
    return [(record.start, record.start + len(record.ref)) for record in records]


def _commonest_alt(answered: _Answered, number: int) -> int:
    """Return which ALT of a site, counted from 0, most reads show; the questions have its mask."""
    evidence = answered.questions.evidence
    site = answered.sites[number]
    first, last = evidence.sites.alt_offset[site : site + 2]
    return int(evidence.sites.alt_count[first:last].argmax())


def _bases_after(record: VariantRecord, join_distance: int, letters: str, first: int) -> str | None:
    """Return the reference after an SNV that may be joined with the next one, else None.

    `letters` are those from `first` on.
    """
    is_snv = len(record.ref) == 1 and len(record.alts) == 1 and len(record.alts[0]) == 1
    if not (join_distance and is_snv and record.filter == PASS):
        return None
    after = record.start + 1 - first
    return letters[after : after + join_distance] or None
