"""A locus of a small contig with chosen reads, and what the first stages make of it."""

from collections.abc import Mapping
from pathlib import Path

from tests.builders import REVERSE, ReadsBuilder, random_sequence, spell_read, write_reference
from tests.varcall.reads.loading import load_bam
from varcall.evidence.candidates import CandidateThresholds
from varcall.evidence.window import (
    WINDOW_MARGIN,
    Evidence,
    EvidenceOptions,
    WindowReads,
    gather,
    reference_of,
)
from varcall.inputs.reference import Reference
from varcall.reads.batch import ReadBatch, ReadFilter

CONTIG = "chr1"


def sequence_with(middle: str, flank: int = 300) -> str:
    """Return `middle` between random flanks whose bases next to it differ from its ends."""
    left, right = random_sequence(flank, seed=5), random_sequence(flank, seed=6)
    unlike = {"A": "C", "C": "G", "G": "T", "T": "A"}
    return left[:-1] + unlike[middle[0]] + middle + unlike[middle[-1]] + right[1:]


class Locus:
    """Reads over one contig `chr1`; all coordinates are 0-based."""

    def __init__(self, folder: Path, sequence: str) -> None:
        self.folder = folder
        self.sequence = sequence
        self.reference = write_reference(folder / "ref.fa", {CONTIG: sequence})
        self.reads = ReadsBuilder(self.reference)

    def show(
        self,
        count: int,
        start: int,
        cigar: str = "60M",
        changes: Mapping[int, str] | None = None,
        *,
        inserted: str = "",
        flag: int | None = None,
        name: str | None = None,
        qual: int | list[int] | str = 30,
        mapq: int = 60,
    ) -> "Locus":
        """Add `count` like reads, strands in turn, with other bases at some contig positions."""
        bases = list(spell_read(self.sequence, start, cigar, inserted))
        for position, base in (changes or {}).items():
            bases[position - start] = base
        for copy in range(count):
            strand = REVERSE if copy % 2 else 0
            self.reads.add(
                name,
                start=start,
                cigar=cigar,
                seq="".join(bases),
                flag=strand if flag is None else flag,
                qual=qual,
                mapq=mapq,
            )
        return self

    def write(self) -> Path:
        """Write the reads as BAM."""
        return self.reads.write_bam(self.folder / "reads.bam")

    def load(
        self, start: int = 0, end: int | None = None, read_filter: ReadFilter | None = None
    ) -> ReadBatch:
        """Write the reads and load those of a span."""
        last = len(self.sequence) if end is None else end
        return load_bam(self.write(), CONTIG, start, last, read_filter)

    def evidence(self, thresholds: CandidateThresholds | None = None) -> Evidence:
        """Gather the candidates of the whole contig."""
        return gather_window(self.write(), self.reference, 0, len(self.sequence), thresholds)

    def found(
        self, thresholds: CandidateThresholds | None = None
    ) -> list[tuple[int, str, tuple[str, ...]]]:
        """Return (start, REF, ALTs) of every candidate site."""
        evidence = self.evidence(thresholds)
        return [
            (int(start), *evidence.alleles(site)) for site, start in enumerate(evidence.sites.start)
        ]


def gather_window(
    bam: Path,
    reference: Path,
    start: int,
    end: int,
    thresholds: CandidateThresholds | None = None,
    contig: str = CONTIG,
) -> Evidence:
    """Gather the candidates of one window, as a worker does."""
    reads = load_bam(bam, contig, max(0, start - WINDOW_MARGIN), end + WINDOW_MARGIN)
    options = EvidenceOptions(thresholds=thresholds or CandidateThresholds())
    return gather(window_of(reads, reference, start, end), options)


def window_of(reads: ReadBatch, reference: Path, start: int, end: int) -> WindowReads:
    """Put reads together with the reference under them."""
    with Reference(reference) as fasta:
        return WindowReads(start, end, reads, reference_of(reads, fasta))
