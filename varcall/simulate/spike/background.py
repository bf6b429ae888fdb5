"""The real reads of a sample: fragments with all their parts, and what their columns show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.codes import N_BASES
from pileup.sam import FDUP, FPAIRED
from varcall.errors import InputError
from varcall.inputs.contig_sequences import ContigSequences
from varcall.inputs.regions import Region
from varcall.simulate.noise import base_codes
from varcall.simulate.spike.editing import Alignment, Stretch, alignment_of

#: Spans of reads that lie closer than this are one stretch.
_JOINED = 2000
#: Bases of reference around the outermost reads, for those that map longer than before.
_MARGIN = 500
#: Columns count reads of this mapping quality and more, bases of this quality and more.
MIN_MAPQ, MIN_QUALITY = 10, 10


@dataclass(frozen=True, slots=True)
class Segment:
    """One sequenced read: its primary record, and its supplementary ones in the stretches."""

    primary: pysam.AlignedSegment
    parts: tuple[pysam.AlignedSegment, ...] = ()

    def alignments(self) -> Iterator[tuple[pysam.AlignedSegment, Alignment]]:
        """The records that lie on the reference, each with where its bases lie."""
        for record in (self.primary, *self.parts):
            if not record.is_unmapped and record.cigartuples:
                yield (
                    record,
                    alignment_of(record.cigartuples, record.reference_start, _hard_clipped(record)),
                )


@dataclass(frozen=True, slots=True)
class Fragment:
    """What was sequenced of one molecule.

    Attributes
    ----------
    name
        QNAME.
    segments
        One read, or two mates.
    molecule
        The same for duplicates of one molecule.
    is_foreign
        Whether the fragment is from another sample, mixed in.
    """

    name: str
    segments: tuple[Segment, ...]
    molecule: str
    is_foreign: bool = False

    def bases(self) -> int:
        """Aligned bases of its primary records."""
        return sum(s.primary.query_alignment_length for s in self.segments)


@dataclass(frozen=True, slots=True)
class Background:
    """All fragments of the stretches of a sample.

    Attributes
    ----------
    header
        SAM header without @PG lines, which name files of another machine.
    stretches
        Reference of where the reads lie.
    fragments
        By name.
    left_out
        Fragments with a read whose primary record lies elsewhere.
    """

    header: dict[str, Any]
    stretches: tuple[Stretch, ...]
    fragments: tuple[Fragment, ...]
    left_out: int

    def stretch_of(self, contig: str, position: int) -> Stretch | None:
        """The stretch that holds a position."""
        for stretch in self.stretches:
            if stretch.contig == contig and stretch.start <= position < stretch.end:
                return stretch
        return None

    def is_long(self) -> bool:
        """Whether half of the reads are longer than any short-read platform makes them."""
        lengths = [s.primary.query_length for f in self.fragments[:2000] for s in f.segments]
        return bool(np.median(lengths) > 1000)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Fragments of a BAM, its header, and how many fragments were left out."""

    header: dict[str, Any]
    fragments: tuple[Fragment, ...]
    left_out: int


def load_fragments(bam: Path, regions: Sequence[Region] = ()) -> Loaded:
    """Load the fragments of a BAM, of all of it or of those with a read in `regions`.

    Raises
    ------
    InputError
        If there are none, or if the file cannot be read.
    """
    records, header = _records(bam, regions)
    segments: dict[tuple[str, bool], list[pysam.AlignedSegment]] = {}
    for record in records:
        segments.setdefault((record.query_name or "", record.is_read2), []).append(record)
    named: dict[str, list[Segment]] = {}
    left_out = set()
    for (name, _), found in sorted(segments.items(), key=lambda item: item[0]):
        primaries = [r for r in found if not r.is_supplementary]
        if len(primaries) != 1 or primaries[0].query_sequence is None:
            left_out.add(name)
            continue
        parts = tuple(r for r in found if r.is_supplementary)
        named.setdefault(name, []).append(Segment(primaries[0], parts))
    fragments = tuple(
        Fragment(name, tuple(named[name]), _molecule(name, named[name]))
        for name in sorted(named.keys() - left_out)
    )
    if not fragments:
        raise InputError(f"{bam} has no whole reads there: choose another region")
    return Loaded(header, fragments, len(left_out))


def mixed_in(
    loaded: Loaded, other: Loaded, share: float, chosen: Callable[[str, float], bool]
) -> Loaded:
    """Add fragments of another sample until they have `share` of the aligned bases.

    Parameters
    ----------
    chosen
        Draws whether a name belongs to a share of all names.

    Raises
    ------
    InputError
        If the other sample has too few reads, or other contigs.
    """
    if [c["SN"] for c in loaded.header["SQ"]] != [c["SN"] for c in other.header["SQ"]]:
        raise InputError("the samples to mix were mapped to other contigs: map both to one genome")
    ours, theirs = (sum(f.bases() for f in one.fragments) for one in (loaded, other))
    wanted = share / (1 - share) * ours / max(theirs, 1)
    if wanted > 1:
        raise InputError(
            f"the sample to mix in has too few reads for a share of {share:g}: ask for at most "
            f"{theirs / (ours + theirs):.2f}"
        )
    groups = loaded.header.get("RG", [])
    added = []
    for fragment in other.fragments:
        if not chosen(fragment.name, wanted):
            continue
        for segment in fragment.segments:
            for record in (segment.primary, *segment.parts):
                # One sample, as a contaminated library is one.
                record.set_tag("RG", groups[0]["ID"] if groups else None)
        name = f"mixed.{fragment.name}"
        molecule = f"mixed.{fragment.molecule}"
        added.append(replace(fragment, name=name, molecule=molecule, is_foreign=True))
    return replace(loaded, fragments=(*loaded.fragments, *added))


def _records(
    bam: Path, regions: Sequence[Region]
) -> tuple[list[pysam.AlignedSegment], dict[str, Any]]:
    if not bam.is_file():
        raise InputError(f"there is no reads file {bam}")
    try:
        with pysam.AlignmentFile(str(bam)) as file:
            header = {k: v for k, v in file.header.to_dict().items() if k != "PG"}
            if regions:
                fetched: Iterable[pysam.AlignedSegment] = (
                    r for a in regions for r in file.fetch(a.contig, a.start, a.end)
                )
            else:
                fetched = file.fetch(until_eof=True)
            # A read that lies in two regions is fetched twice.
            unique = {
                (r.query_name, r.flag, r.reference_id, r.reference_start): r
                for r in fetched
                if not r.is_secondary and r.reference_id >= 0
            }
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {bam} ({error}): is it a sorted, indexed BAM?") from error
    return list(unique.values()), header


def _hard_clipped(record: pysam.AlignedSegment) -> int:
    operation, n = (record.cigartuples or [(0, 0)])[0]
    return n if operation == pysam.CHARD_CLIP else 0


def _molecule(name: str, segments: Sequence[Segment]) -> str:
    """The fragment's name; both outer ends where there are two mates, or where it is a duplicate.

    Duplicates of one molecule begin and end at the same bases, marked or not.
    """
    paired = len(segments) == 2 and not any(s.primary.is_unmapped for s in segments)
    if not paired and not any(s.primary.flag & FDUP for s in segments):
        return name
    return "/".join(sorted(map(_five_prime, segments)))


def _five_prime(segment: Segment) -> str:
    """Contig, strand and unclipped coordinate of the first base that was sequenced."""
    read = segment.primary
    cigar = read.cigartuples or []
    clips = (pysam.CSOFT_CLIP, pysam.CHARD_CLIP)
    if read.is_reverse:
        after = sum(n for op, n in cigar[-2:] if op in clips)
        return f"{read.reference_id}-{(read.reference_end or 0) + after}"
    before = sum(n for op, n in cigar[:2] if op in clips)
    return f"{read.reference_id}+{read.reference_start - before}"


def stretches_of(
    bam: Path, fragments: Sequence[Fragment], genome: ContigSequences
) -> tuple[Stretch, ...]:
    """Where the primary records lie, with their reference."""
    spans = sorted(
        (s.primary.reference_name or "", s.primary.reference_start, s.primary.reference_end or 0)
        for f in fragments
        for s in f.segments
        if not s.primary.is_unmapped
    )
    joined: list[tuple[str, int, int]] = []
    for contig, start, end in spans:
        if joined and joined[-1][0] == contig and start <= joined[-1][2] + _JOINED:
            joined[-1] = (contig, joined[-1][1], max(joined[-1][2], end))
        else:
            joined.append((contig, start, end))
    stretches = []
    for contig, start, end in joined:
        length = genome.lengths.get(contig, 0)
        if end > length:
            raise InputError(
                f"{bam} has reads at {contig}:{start + 1}-{end}, which {genome.path} lacks: give "
                "the reference that the reads were mapped to"
            )
        low, high = max(start - _MARGIN, 0), min(end + _MARGIN, length)
        text = re.sub("[^ACGT]", "N", genome.fetch(contig, low, high))
        stretches.append(Stretch(contig, low, text))
    return tuple(stretches)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the reads of a stretch show at each of its `n` bases.

    Attributes
    ----------
    stretch
        The stretch.
    bases
        int32 [n, 4]: reads with A, C, G, T.
    gaps
        int32 [n]: reads with a deletion of the base, or with an insertion before it.
    """

    stretch: Stretch
    bases: NDArray[np.int32]
    gaps: NDArray[np.int32]
    reference: NDArray[np.uint8] = field(repr=False)

    @property
    def depth(self) -> NDArray[np.int64]:
        """int64 [n]: reads with a base or a deletion."""
        return np.asarray(self.bases.sum(axis=1) + self.gaps)

    def differing(self) -> NDArray[np.int64]:
        """int64 [n]: the most reads that differ from the reference in one way."""
        other = self.bases.copy()
        known = np.flatnonzero(self.reference < N_BASES)
        other[known, self.reference[known]] = 0
        return np.asarray(np.maximum(other.max(axis=1), self.gaps))


def count_columns(background: Background) -> list[Columns]:
    """Count the columns of every stretch: primary records that are no duplicates."""
    made = [
        Columns(
            stretch,
            np.zeros((len(stretch.bases), N_BASES), np.int32),
            np.zeros(len(stretch.bases), np.int32),
            base_codes(stretch.bases.encode()),
        )
        for stretch in background.stretches
    ]
    by_place = {(c.stretch.contig, c.stretch.start): c for c in made}
    for fragment in background.fragments:
        for segment in fragment.segments:
            read = segment.primary
            if read.is_unmapped or read.is_duplicate or read.mapping_quality < MIN_MAPQ:
                continue
            stretch = background.stretch_of(read.reference_name or "", read.reference_start)
            if stretch is not None:
                _count(read, by_place[stretch.contig, stretch.start])
    return made


def _count(read: pysam.AlignedSegment, columns: Columns) -> None:
    codes = base_codes((read.query_sequence or "").encode())
    good = codes < N_BASES
    if read.query_qualities is not None:
        good &= np.asarray(read.query_qualities) >= MIN_QUALITY
    offset = columns.stretch.start
    alignment = alignment_of(read.cigartuples or [], read.reference_start)
    before = None
    for reference, query, n in alignment.blocks:
        chosen = np.flatnonzero(good[query : query + n])
        columns.bases[reference - offset + chosen, codes[query + chosen]] += 1
        if before is not None:
            columns.gaps[before - offset : max(reference, before + 1) - offset] += 1
        before = reference + n


def is_paired(fragment: Fragment) -> bool:
    """Whether the fragment was sequenced from both ends."""
    return bool(fragment.segments[0].primary.flag & FPAIRED)
