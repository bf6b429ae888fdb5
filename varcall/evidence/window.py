"""Everything known of the candidates of one window, before the model is asked."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReadArrays, ReferenceArrays, ShownArrays, SiteArrays
from pileup.image.encode import encode
from pileup.kernels.candidates.surroundings import FAR
from varcall.evidence.candidates import (
    REFERENCE_MARGIN,
    CandidateThresholds,
    Scan,
    find_candidates,
    scan_window,
    spell_alleles,
)
from varcall.evidence.features import measure
from varcall.evidence.observations import observe, pose_questions
from varcall.evidence.realign import REACH, RealignOptions, realign
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.reads.batch import ReadBatch, ReadFilter
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.loader import RecordReads

# Candidates are known this far beyond a window: those that overlap one of its own are genotyped
# with it (`varcall.genotyping.overlaps`).
KNOWN_BEYOND = 300
# Reads are fetched this far beyond a window, so that candidates as far out see the same reads and
# the same neighbours whatever the window: a repeat an indel shifts along (400), a neighbour (100),
# a deletion (100) and some; and the regions whose reassembly may move those reads.
WINDOW_MARGIN = KNOWN_BEYOND + 700 + REACH
DEFAULT_REALIGN = RealignOptions()


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

    def about(self, chosen: slice | NDArray[np.int64]) -> "Evidence":
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

    def images(self, chosen: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.uint8]:
        """Draw the images of the chosen questions: uint8 [q, 224, 224, 3]."""
        asked = self.about(chosen).questions
        return encode(asked, self.scan.reference, self.reads, self.sites, self.observations)

    def features(self, profile: LibraryProfile) -> NDArray[np.float32]:
        """Measure every question's candidate: float32 [q, N_FEATURES]."""
        return measure(
            self.questions, self.reads, self.scan, self.sites, self.observations, profile
        )

    def alleles(self, site: int) -> tuple[str, tuple[str, ...]]:
        """Return REF and the ALTs of a site as VCF strings."""
        return spell_alleles(self.sites, site, self.scan.reference)


def reference_span(reads: ReadBatch) -> tuple[int, int]:
    """Return the stretch of reference (0-based half-open) that a batch of reads needs."""
    start, end = reads.start, reads.end
    if len(reads):
        start = min(start, int(reads.arrays.read_start.min()))
        end = max(end, int(reads.arrays.read_end.max()))
    return start - REFERENCE_MARGIN, end + REFERENCE_MARGIN


def reference_of(batch: ReadBatch, reference: Reference) -> ReferenceArrays:
    """Fetch the reference that a batch of reads needs."""
    start, end = reference_span(batch)
    return ReferenceArrays(reference.fetch(batch.contig, start, end), start)


def load_window(
    source: RecordReads,
    window: Region,
    read_filter: ReadFilter,
    read_groups: frozenset[str] | None = None,
) -> ReadBatch:
    """Load the reads of a window and of WINDOW_MARGIN on both sides; counts are the window's."""
    low, high = max(0, window.start - WINDOW_MARGIN), window.end + WINDOW_MARGIN
    own = window.start, window.end
    return source.load(window.contig, low, high, read_filter, read_groups, own)


def gather(
    batch: ReadBatch,
    reference: ReferenceArrays,
    start: int,
    end: int,
    thresholds: CandidateThresholds,
    realign_options: RealignOptions | None = DEFAULT_REALIGN,
) -> Evidence:
    """Find the candidates that start in [start, end) and look them up in the realigned reads.

    Parameters
    ----------
    batch
        All reads that overlap [start - WINDOW_MARGIN, end + WINDOW_MARGIN).
    reference
        What `reference_of` fetches.
    realign_options
        None takes the reads as the mapper aligned them.
    """
    if realign_options is not None:
        batch = realign(batch, reference, realign_options)
    reads = batch.arrays
    scan = scan_window(reads, reference, thresholds)
    beyond = KNOWN_BEYOND + FAR
    sites = find_candidates(reads, scan, start - beyond, end + beyond, thresholds)
    shown = observe(reads, scan.events, reference, sites, thresholds.min_base_quality)
    nothing = QuestionArrays(np.zeros(0, np.int32), np.zeros(0, np.uint8))
    owned = (sites.start >= start) & (sites.start < end)
    return Evidence(reads, scan, sites, shown, nothing).asking(owned)
