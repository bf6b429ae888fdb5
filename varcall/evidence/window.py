"""One window from reads to evidence: all that is known of its candidates before the model is asked.

Calling, showing, training and the benchmarks all come this way, so that none of them sees another
picture of the same reads.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import (
    NO_QUESTIONS,
    LibraryNorms,
    QuestionArrays,
    ReadArrays,
    ReferenceArrays,
    ShownArrays,
    SiteArrays,
    asked_alts,
)
from pileup.image.encode import encode
from pileup.kernels.candidates.surroundings import FAR
from varcall.clock import Clock, no_clock
from varcall.evidence.candidates import (
    REFERENCE_MARGIN,
    CandidateThresholds,
    PutativeAllele,
    Scan,
    find_candidates,
    scan_window,
    spell_alleles,
)
from varcall.evidence.features import measure, on_grid
from varcall.evidence.haplotypes import SHORT_REACH, tag_haplotypes
from varcall.evidence.likelihood import (
    AskedAlleles,
    copy_likelihoods,
    stacks_once,
    weigh_witnesses,
)
from varcall.evidence.observations import observe, pose_questions
from varcall.evidence.realign import REACH, RealignOptions, realign
from varcall.evidence.tallies import tally_fragments
from varcall.inputs.open import Inputs
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.inputs.sex_chromosomes import circular_contigs
from varcall.reads.batch import ReadBatch, ReadFilter
from varcall.reads.circular import load_around
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.open import open_reads

# Candidates are known this far beyond a window: those that overlap one of its own are genotyped
# with it (`varcall.genotyping.overlaps`).
KNOWN_BEYOND = 300
# Reads are fetched this far beyond a window, so that candidates as far out see the same reads and
# the same neighbours whatever the window: a repeat an indel shifts along (400), a neighbour (100),
# a deletion (100) and some; and the regions whose reassembly may move those reads.
WINDOW_MARGIN = KNOWN_BEYOND + 700 + REACH

Chosen = slice | NDArray[np.int64]
"""Which of some questions."""


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """What counts as evidence.

    Attributes
    ----------
    read_filter
        Which reads are used at all.
    realign
        When reads are reassembled; None takes them as the mapper aligned them.
    thresholds
        What makes a candidate.
    phase_reach
        How far from a site SNVs are phased with it, bases: `varcall.evidence.haplotypes.reach_of`.
    """

    read_filter: ReadFilter = field(default_factory=ReadFilter)
    realign: RealignOptions | None = field(default_factory=RealignOptions)
    thresholds: CandidateThresholds = field(default_factory=CandidateThresholds)
    phase_reach: int = SHORT_REACH

    @property
    def margin(self) -> int:
        """How far beyond a window reads are needed."""
        return max(WINDOW_MARGIN, KNOWN_BEYOND + self.phase_reach + REACH)


DEFAULT_EVIDENCE = EvidenceOptions()


@dataclass(frozen=True, slots=True)
class WindowReads:
    """The reads of a window as the mapper aligned them, and the reference under them.

    Attributes
    ----------
    start, end
        The window, 0-based half-open.
    reads
        All that overlap the window and `EvidenceOptions.margin` on both sides.
    reference
        Reaches beyond all reads.
    """

    start: int
    end: int
    reads: ReadBatch
    reference: ReferenceArrays


@dataclass(frozen=True, slots=True)
class Evidence:
    """The candidates of a window and what the reads show of them.

    `sites` also holds candidates up to KNOWN_BEYOND outside the window, and their neighbours;
    `questions` are about those that start inside it.
    """

    reads: ReadArrays
    scan: Scan
    sites: SiteArrays
    observations: ShownArrays
    questions: QuestionArrays

    def about(self, chosen: Chosen) -> "Evidence":
        """Return the same evidence with the chosen questions only."""
        questions = QuestionArrays(self.questions.site[chosen], self.questions.alleles[chosen])
        return replace(self, questions=questions)

    def asking(self, wanted: NDArray[np.bool_]) -> "Evidence":
        """Return the same evidence with the questions about the wanted sites, bool [m]."""
        questions = pose_questions(self.sites)
        mine = wanted[questions.site]
        return replace(
            self, questions=QuestionArrays(questions.site[mine], questions.alleles[mine])
        )

    def images(
        self,
        profile: LibraryProfile,
        chosen: Chosen = slice(None),
        others: NDArray[np.int64] | None = None,
    ) -> NDArray[np.uint8]:
        """Draw the images of the chosen questions: uint8 [q, 224, 224, 3].

        Parameters
        ----------
        others
            int64 [q], where they name a second variant: the question about it, for each of them.
        """
        asked, scan = self.about(chosen).questions, self.scan
        second = NO_QUESTIONS if others is None else self.about(others).questions
        norms = LibraryNorms(profile.pairs_tell, profile.usual_divergence)
        return encode(
            asked, scan.reference, self.reads, scan.counts, self.sites, self.observations, norms,
            second,
        )  # fmt: skip

    def measured(self, profile: LibraryProfile) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return every question's features, float32 [q, N_FEATURES], and likelihoods, [q, 3].

        Features are on their grid (`varcall.evidence.features.on_grid`). The likelihoods are those
        of 0, 1 and 2 copies (`varcall.evidence.likelihood`).
        """
        asked = self.questions, self.reads
        seen = self.sites, self.observations
        alleles = AskedAlleles(self.questions, self.scan.reference, self.sites, profile)
        tallies = tally_fragments(*asked, self.scan, *seen, profile)
        weighed = weigh_witnesses(*asked, *seen, profile)
        likelihoods = copy_likelihoods(stacks_once(weighed, tallies), alleles)
        features = measure(
            self.questions, self.scan, *seen, profile, alleles, tallies, weighed, likelihoods
        )
        return on_grid(features), likelihoods

    def features(self, profile: LibraryProfile) -> NDArray[np.float32]:
        """Measure every question's candidate: float32 [q, N_FEATURES]."""
        return self.measured(profile)[0]

    def asked(self, question: int) -> tuple[str, tuple[str, ...]]:
        """Return REF and the ALTs that a question asks about, as its site spells them."""
        ref, alts = self.alleles(int(self.questions.site[question]))
        mask = int(self.questions.alleles[question])
        return ref, tuple(alts[alt] for alt in asked_alts(mask))

    def alleles(self, site: int) -> tuple[str, tuple[str, ...]]:
        """Return REF and the ALTs of a site as VCF strings."""
        return spell_alleles(self.sites, site, self.scan.reference)


def reference_of(batch: ReadBatch, reference: Reference) -> ReferenceArrays:
    """Fetch the reference that a batch of reads needs."""
    start, end = batch.start, batch.end
    if len(batch):
        start = min(start, int(batch.arrays.read_start.min()))
        end = max(end, int(batch.arrays.read_end.max()))
    start, end = start - REFERENCE_MARGIN, end + REFERENCE_MARGIN
    return ReferenceArrays(reference.fetch(batch.contig, start, end), start)


def gather(
    window: WindowReads,
    options: EvidenceOptions = DEFAULT_EVIDENCE,
    clock: Clock = no_clock,
    asked: Iterable[PutativeAllele] = (),
) -> Evidence:
    """Find the candidates that start in a window and look them up in the realigned reads.

    Parameters
    ----------
    asked
        Alleles that start in the window, to be looked up whether reads suggest them or not.
    clock
        Times the stages "realign", "candidates" and "haplotypes".
    """
    start, end, reference, thresholds = (
        window.start, window.end, window.reference, options.thresholds,
    )  # fmt: skip
    with clock("realign"):
        batch = window.reads
        if options.realign is not None:
            batch = _realigned(batch, reference, options.realign)
    with clock("candidates"):
        reads = batch.arrays
        scan = scan_window(reads, reference, thresholds)
        beyond = KNOWN_BEYOND + FAR
        sites = find_candidates(reads, scan, start - beyond, end + beyond, thresholds, asked)
        shown = observe(reads, scan.events, reference, sites, thresholds.min_base_quality)
    with clock("haplotypes"):
        tag_haplotypes(reads, scan, sites, shown, options.phase_reach)
        owned = (sites.start >= start) & (sites.start < end)
        # Of an allele that was only asked for, where there are no reads, nothing can be told.
        owned &= sites.is_shown | (np.diff(shown.offset) > 0)
        return Evidence(reads, scan, sites, shown, NO_QUESTIONS).asking(owned)


def _realigned(batch: ReadBatch, reference: ReferenceArrays, options: RealignOptions) -> ReadBatch:
    """Realign reads, of which those around the origin of a circular contig may start before 0.

    Kernels mark bases without a place by numbers below 0, so those reads are moved meanwhile.
    """
    before = -min(0, int(batch.arrays.read_start.min(initial=0)))
    if not before:
        return realign(batch, reference, options)
    moved = ReferenceArrays(reference.codes, reference.start + before)
    return realign(batch.moved(before), moved, options).moved(-before)


class EvidenceReader:
    """Reads windows of one sample; opens its own files, as they may not cross processes.

    Parameters
    ----------
    inputs
        Checked reads and reference.
    options
        What counts as evidence.

    Raises
    ------
    InputError
        The files cannot be opened.
    """

    def __init__(self, inputs: Inputs, options: EvidenceOptions = DEFAULT_EVIDENCE) -> None:
        self._circular = circular_contigs(inputs.contigs, inputs.header_contigs)
        self.reference = Reference(inputs.reference, self._circular)
        self._read_groups = inputs.read_groups
        self._options = options
        # A worker keeps its reader for as long as its process lives, so nothing closes it there:
        # the stack does when it is collected.
        self._files = ExitStack()
        self._files.enter_context(self.reference)
        self._source = self._files.enter_context(open_reads(inputs))

    def load(self, window: Region) -> WindowReads:
        """Load a window (0-based half-open): its reads, and the reference under them."""
        return self._with_reference(window, self.load_reads(window))

    def load_reads(self, window: Region, owned: Region | None = None) -> ReadBatch:
        """Load the reads of a window and of its margin on both sides.

        Counts are those of the `owned` part, None for the whole. Most windows of a genome of which
        few regions were sequenced have no reads, and need no more.
        Those of a circular contig go on beyond its ends (`varcall.reads.circular`).
        """
        margin = self._options.margin
        owned = owned or window
        own = owned.start, owned.end
        if window.contig in self._circular and self._is_near_end(window):
            place = window.contig, window.start, window.end
            return load_around(
                self._source, place, own, margin, self._options.read_filter, self._read_groups,
                self.reference,
            )  # fmt: skip
        low, high = max(0, window.start - margin), window.end + margin
        read_filter = self._options.read_filter
        return self._source.load(window.contig, low, high, read_filter, self._read_groups, own)

    def gather(
        self,
        window: Region,
        reads: ReadBatch,
        clock: Clock = no_clock,
        asked: Iterable[PutativeAllele] = (),
    ) -> Evidence:
        """Find the candidates of a window whose reads were loaded, and look them up in these."""
        with clock("read"):
            loaded = self._with_reference(window, reads)
        evidence = gather(loaded, self._options, clock, asked)
        if window.contig not in self._circular:
            return evidence
        # A record cannot tell of bases deleted on both sides of the origin.
        sites = evidence.sites
        fits = sites.start + sites.ref_length <= self.reference.length(window.contig)
        return evidence.about(np.flatnonzero(fits[evidence.questions.site]))

    def _is_near_end(self, window: Region) -> bool:
        margin = self._options.margin
        return window.start < margin or window.end > self.reference.length(window.contig) - margin

    def read(self, window: Region) -> Evidence:
        """Load a window and gather its evidence."""
        return self.gather(window, self.load_reads(window))

    def _with_reference(self, window: Region, reads: ReadBatch) -> WindowReads:
        return WindowReads(window.start, window.end, reads, reference_of(reads, self.reference))

    def __enter__(self) -> "EvidenceReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self._files.close()
