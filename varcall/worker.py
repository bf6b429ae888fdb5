"""One window from reads to records; the state that a worker process keeps between windows."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.engine import Engine, load_engine
from models.prompt import PromptContext
from models.weights import ModelCard
from pileup.kernels.count import count_alleles
from pileup.spec import SPEC
from varcall.candidates import CandidateThresholds, spell_alts
from varcall.completeness import WatchedAlignments
from varcall.errors import ModelError
from varcall.evidence import Evidence, gather, load_window, reference_of
from varcall.features import FEATURES
from varcall.genotype import GenotypeOptions, SiteEvidence, call_site
from varcall.inputs import Inputs, open_alignments
from varcall.profile import LibraryProfile
from varcall.prompts import question_tokens
from varcall.reads import ReadFilter
from varcall.reference import Reference
from varcall.regions import Region
from varcall.vcf import format_record

STAGES = ("read", "candidates", "features", "images", "model", "genotype")


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """All that a worker needs to know; sent to it once.

    Attributes
    ----------
    inputs
        Checked reads and reference.
    haploid_contigs
        Contigs called as haploid in a diploid sample.
    """

    inputs: Inputs
    read_filter: ReadFilter
    thresholds: CandidateThresholds
    profile: LibraryProfile
    model: str
    device: str
    precision: str
    batch_size: int
    ploidy: int
    haploid_contigs: frozenset[str]
    genotype: GenotypeOptions


@dataclass(slots=True)
class WindowResult:
    """The records of a window as VCF lines, and what they cost.

    `seconds` are CPU seconds by stage; `reads`, `sites` and `questions` count what was seen;
    `placed` and `mapped` count alignments as `WatchedAlignments` does.
    """

    lines: list[str]
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    reads: int = 0
    sites: int = 0
    questions: int = 0
    placed: int = 0
    mapped: int = 0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the CPU time of the block to a stage."""
        before = time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.process_time() - before


class Worker:
    """Calls windows; opens its own files, as pysam's handles may not cross processes."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._plan = plan
        self._reference = Reference(plan.inputs.reference)
        # Held for as long as the worker lives: the stack closes the file when it is collected.
        self._files = ExitStack()
        self._alignments = self._files.enter_context(open_alignments(plan.inputs))
        self._engine: Engine = load_engine(
            plan.model, device=plan.device, precision=plan.precision, threads=1
        )
        check_model(self._engine.card, plan.model)

    def call(self, window: Region) -> WindowResult:
        """Call the variants whose candidates start in a window (0-based half-open)."""
        plan = self._plan
        result = WindowResult([])
        watched = WatchedAlignments(self._alignments, window)
        with result.timed("read"):
            reads = load_window(watched, window, plan.read_filter, plan.inputs.read_groups)
        result.reads, result.placed, result.mapped = len(reads), watched.placed, watched.mapped
        if not len(reads):
            return result
        with result.timed("candidates"):
            reference = reference_of(reads, self._reference)
            evidence = gather(reads, reference, window.start, window.end, plan.thresholds)
        if not len(evidence.questions.site):
            return result
        ploidy = 1 if window.contig in plan.haploid_contigs else plan.ploidy
        with result.timed("features"):
            features = evidence.features(plan.profile)
            context = PromptContext.from_profile(plan.profile, ploidy=ploidy)
            tokens = question_tokens(evidence, context)
        answers = self._ask(evidence, tokens, features, result)
        with result.timed("genotype"):
            result.lines = list(self._records(window, evidence, answers, ploidy))
        result.sites = len(result.lines)
        result.questions = len(evidence.questions.site)
        return result

    def _ask(
        self,
        evidence: Evidence,
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
        result: WindowResult,
    ) -> NDArray[np.float32]:
        """Put all questions of a window to the model: P of 0, 1, 2 copies, float32 [q, 3]."""
        answers = np.empty((len(tokens), 3), np.float32)
        for first in range(0, len(tokens), self._plan.batch_size):
            chosen = slice(first, first + self._plan.batch_size)
            with result.timed("images"):
                images = evidence.images(chosen)
            with result.timed("model"):
                answers[chosen] = self._engine.predict(images, tokens[chosen], features[chosen])
        return answers

    def _records(
        self, window: Region, evidence: Evidence, answers: NDArray[np.float32], ploidy: int
    ) -> Iterator[str]:
        asked_sites, firsts = np.unique(evidence.questions.site, return_index=True)
        ends = np.append(firsts[1:], len(answers))
        counts = count_alleles(evidence.reads, evidence.sites, evidence.observations)
        for site, first, end in zip(asked_sites, firsts, ends, strict=True):
            start = int(evidence.sites.start[site])
            ref = self._reference.fetch_string(
                window.contig, start, start + int(evidence.sites.ref_length[site])
            )
            alts = spell_alts(evidence.sites, int(site), ref)
            column = int(evidence.sites.alt_offset[site] + site)
            forward, reverse = counts[:, column : column + len(alts) + 1].tolist()
            shown = slice(*evidence.observations.offset[site : site + 2])
            record = call_site(
                SiteEvidence(
                    contig=window.contig,
                    start=start,
                    ref=ref,
                    alts=alts,
                    dp=int(evidence.observations.counts[shown].sum()),
                    ad=tuple(f + r for f, r in zip(forward, reverse, strict=True)),
                    adf=tuple(forward),
                    adr=tuple(reverse),
                ),
                answers[first : first + len(alts)],
                answers[first + len(alts) : end],
                ploidy=ploidy,
                options=self._plan.genotype,
            )
            yield format_record(record)


def check_model(card: ModelCard, name: str) -> None:
    """Refuse weights that were trained on other pictures or other measurements than ours.

    Raises
    ------
    ModelError
        Naming what differs.
    """
    for what, theirs, ours in (
        ("pileup images", card.pileup_spec, SPEC.to_dict()),
        ("features", card.features, FEATURES),
    ):
        if theirs != ours:
            raise ModelError(
                f"model {name} was trained on other {what} than this version makes; "
                f"use the weights that come with it, or train again"
            )
