"""The alignments of one window as flat arrays (struct of arrays, ready for the kernels).

`load_reads` takes them from htslib one by one: the way for CRAM, and what `varcall.bam_reads`,
which takes a BAM apart itself, is tested against.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from pileup.kernels.records import (
    DUPLICATE,
    LOW_MAPQ,
    N_REASONS,
    NO_SEQUENCE,
    NOT_ALIGNED,
    OTHER_FLAG,
    OTHER_SAMPLE,
    OVER_DEPTH,
    QC_FAIL,
    SECONDARY,
    SUPPLEMENTARY,
    UNMAPPED,
)
from varcall.errors import InputError
from varcall.options import DEFAULT_EXCLUDE_FLAGS, DEFAULT_MIN_MAPQ

# Reads are capped per tile of their start, on an absolute grid, so that what is kept does not
# depend on windows, shards or regions. 6,000 reads of 150 bases a kilobase are 900x.
TILE = 1000
MAX_READS_PER_TILE = 6000
# CIGAR operations (BAM codes of M, =, X) that align bases to the reference.
_ALIGNED = (0, 7, 8)
# Alignments without base qualities (SAM QUAL `*`) are given this one.
MISSING_QUALITY = 25

_UNMAPPED_FLAG = 0x4
# Flags (SAM 1.4.2) in the order in which they are blamed for leaving an alignment out.
_FLAG_REASONS = (
    (_UNMAPPED_FLAG, UNMAPPED),
    (0x100, SECONDARY),
    (0x800, SUPPLEMENTARY),
    (0x200, QC_FAIL),
    (0x400, DUPLICATE),
    (0xFFFF, OTHER_FLAG),
)

_CODES = np.full(256, 4, dtype=np.uint8)
for _letters, _code in ((b"Aa", 0), (b"Cc", 1), (b"Gg", 2), (b"Tt", 3)):
    for _letter in _letters:
        _CODES[_letter] = _code


@dataclass(frozen=True, slots=True)
class ReadFilter:
    """Which alignments are used at all."""

    min_mapq: int = DEFAULT_MIN_MAPQ
    exclude_flags: int = DEFAULT_EXCLUDE_FLAGS
    max_reads_per_tile: int = MAX_READS_PER_TILE


@dataclass(slots=True)
class ReadCounts:
    """Alignments that start in the own part of a span: where a file is read in windows, in one.

    Attributes
    ----------
    placed, mapped
        All of them, and those that are mapped.
    skipped
        int64, those that are not used, by the reason numbers of `pileup.kernels.records`.
    """

    placed: int = 0
    mapped: int = 0
    skipped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(N_REASONS, np.int64))


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """The alignments that overlap one span of a contig, ordered as in the file.

    Attributes
    ----------
    contig, start, end
        The span that was fetched, 0-based half-open.
    counts
        What was seen in the own part of the span.
    left_out
        int32 [end - start], reads over each position that the cap left out; None where it left out
        none.
    """

    contig: str
    start: int
    end: int
    arrays: ReadArrays
    counts: ReadCounts = field(default_factory=ReadCounts)
    left_out: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.arrays.read_start)

    def depth_factor(self, position: int) -> float:
        """Reads over a position of the span by reads kept there: 1 where the cap kept all."""
        if self.left_out is None:
            return 1.0
        more = int(self.left_out[position - self.start])
        reads = self.arrays
        kept = int(((reads.read_start <= position) & (reads.read_end > position)).sum())
        return 1.0 + more / max(1, kept)

    def subset(self, keep: NDArray[np.bool_]) -> "ReadBatch":
        """Return the batch with only the reads where `keep` (bool [n]) is true."""
        reads = self.arrays
        base_lengths = np.diff(reads.base_offset)
        cigar_lengths = np.diff(reads.cigar_offset)
        keep_base = np.repeat(keep, base_lengths)
        keep_cigar = np.repeat(keep, cigar_lengths)
        kept = ReadArrays(
            read_start=reads.read_start[keep],
            read_end=reads.read_end[keep],
            mapq=reads.mapq[keep],
            flag=reads.flag[keep],
            fragment=reads.fragment[keep],
            name_hash=reads.name_hash[keep],
            template_length=reads.template_length[keep],
            base_offset=offsets_of(base_lengths[keep]),
            bases=reads.bases[keep_base],
            qualities=reads.qualities[keep_base],
            cigar_offset=offsets_of(cigar_lengths[keep]),
            cigar_op=reads.cigar_op[keep_cigar],
            cigar_length=reads.cigar_length[keep_cigar],
        )
        return replace(self, arrays=kept)


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of n things of these lengths begins, and where the last ends: int64 [n + 1]."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


class Alignments(Protocol):
    """A file of alignments that htslib reads."""

    @property
    def filename(self) -> bytes:
        """Path of the file."""
        ...

    def fetch(self, contig: str, start: int, end: int, /) -> Iterator[pysam.AlignedSegment]:
        """Yield the alignments that overlap a span (0-based half-open)."""
        ...


def tiles_around(start: int, end: int) -> tuple[int, int]:
    """Return the span to look at for the reads of a span: whole tiles, and one before.

    They make the cap independent of the window.
    """
    return max(0, (start // TILE - 1) * TILE), -(-end // TILE) * TILE


def unsorted(name: str, contig: str, position: int, before: int) -> InputError:
    """Say that a read comes after one that starts behind it (0-based)."""
    return InputError(
        f"{name} is not sorted: a read at {contig}:{position + 1} comes after one at "
        f"{contig}:{before + 1}; run samtools sort, then samtools index"
    )


def undecodable(name: str, contig: str, start: int, end: int, error: Exception) -> InputError:
    """Say that the reads of a span (0-based half-open) cannot be decoded."""
    return InputError(
        f"cannot read alignments of {name} near {contig}:{start + 1}-{end} ({error}); "
        f"the file may be damaged: re-copy it and run samtools quickcheck"
    )


def load_reads(
    alignments: Alignments,
    contig: str,
    start: int,
    end: int,
    read_filter: ReadFilter,
    sample_read_groups: frozenset[str] | None = None,
    own: tuple[int, int] | None = None,
) -> ReadBatch:
    """Fetch the alignments that overlap a span and pass the filter.

    Parameters
    ----------
    start, end
        0-based half-open.
    sample_read_groups
        Read groups of the wanted sample; None takes every read.
    own
        Part of the span whose alignments are counted; None counts in all of it.

    Raises
    ------
    InputError
        Where the file cannot be decoded, or its reads are not in the order of their starts.
    """
    first, last = tiles_around(start, end)
    name = alignments.filename.decode(errors="replace")
    selection = _Selection(name, contig, read_filter, sample_read_groups, own or (start, end))
    try:
        kept = list(selection.capped(alignments.fetch(contig, first, last)))
    except (OSError, ValueError) as error:
        raise undecodable(name, contig, start, end, error) from None
    kept = [read for read in kept if _overlaps(read, start, end)]
    left_out = None
    if selection.dropped:
        spans = np.array(selection.dropped, dtype=np.int64)
        left_out = depth_of(spans[:, 0], spans[:, 1], start, end)
    return ReadBatch(contig, start, end, _to_arrays(kept), selection.counts, left_out)


def depth_of(
    read_start: NDArray[np.int64], read_end: NDArray[np.int64], start: int, end: int
) -> NDArray[np.int32]:
    """Count the reads over each position of [start, end): int32."""
    steps = np.bincount(np.clip(read_start, start, end) - start, minlength=end - start + 1)
    steps -= np.bincount(np.clip(read_end, start, end) - start, minlength=end - start + 1)
    return np.cumsum(steps[:-1], dtype=np.int32)


def _overlaps(read: pysam.AlignedSegment, start: int, end: int) -> bool:
    return read.reference_start < end and (read.reference_end or 0) > start


class _Selection:
    """Takes the wanted ones of the alignments of a span; counts, and sees to the order."""

    def __init__(
        self,
        name: str,
        contig: str,
        read_filter: ReadFilter,
        read_groups: frozenset[str] | None,
        own: tuple[int, int],
    ) -> None:
        self._name = name
        self._contig = contig
        self._filter = read_filter
        self._read_groups = read_groups
        self._own = own
        self.counts = ReadCounts()
        self.dropped: list[tuple[int, int]] = []

    def _is_own(self, read: pysam.AlignedSegment) -> bool:
        return self._own[0] <= read.reference_start < self._own[1]

    def _accepted(
        self, alignments: Iterator[pysam.AlignedSegment]
    ) -> Iterator[pysam.AlignedSegment]:
        before = -1
        for read in alignments:
            if read.reference_start < before:
                raise unsorted(self._name, self._contig, read.reference_start, before)
            before = read.reference_start
            reason = self._reason(read)
            if self._is_own(read):
                self.counts.placed += 1
                self.counts.mapped += not read.is_unmapped
                if reason is not None:
                    self.counts.skipped[reason] += 1
            if reason is None:
                yield read

    def _reason(self, read: pysam.AlignedSegment) -> int | None:
        """Why an alignment is left out, None where it is used."""
        excluded = read.flag & (self._filter.exclude_flags | _UNMAPPED_FLAG)
        if excluded:
            return next(reason for flag, reason in _FLAG_REASONS if excluded & flag)
        if read.mapping_quality < self._filter.min_mapq:
            return LOW_MAPQ
        if read.query_length == 0:
            return NO_SEQUENCE
        if not any(op in _ALIGNED for op, _ in read.cigartuples or ()):
            return NOT_ALIGNED
        groups = self._read_groups
        if groups is not None and (not read.has_tag("RG") or read.get_tag("RG") not in groups):
            return OTHER_SAMPLE
        return None

    def capped(self, alignments: Iterator[pysam.AlignedSegment]) -> Iterator[pysam.AlignedSegment]:
        """Keep, of the reads that start in one tile, those with the smallest name hash."""
        cap = self._filter.max_reads_per_tile
        tile_reads: list[pysam.AlignedSegment] = []
        tile = -1
        for read in self._accepted(alignments):
            if read.reference_start // TILE != tile:
                yield from self._smallest(tile_reads)
                tile_reads = []
                tile = read.reference_start // TILE
            tile_reads.append(read)
            if len(tile_reads) > 4 * cap:
                tile_reads = self._smallest(tile_reads)
        yield from self._smallest(tile_reads)

    def _smallest(self, reads: list[pysam.AlignedSegment]) -> list[pysam.AlignedSegment]:
        count = self._filter.max_reads_per_tile
        if len(reads) <= count:
            return reads
        hashes = np.fromiter((_name_hash(read.query_name) for read in reads), np.uint64, len(reads))
        order = np.argsort(hashes, kind="stable")
        for index in order[count:].tolist():
            read = reads[index]
            self.dropped.append((read.reference_start, read.reference_end or 0))
            self.counts.skipped[OVER_DEPTH] += self._is_own(read)
        return [reads[index] for index in np.sort(order[:count])]


def _name_hash(name: str | None) -> int:
    return zlib.crc32((name or "").encode())


def _to_arrays(reads: list[pysam.AlignedSegment]) -> ReadArrays:
    fragments: dict[str | None, int] = {}
    sequences: list[bytes] = []
    qualities: list[bytes] = []
    cigars: list[tuple[int, int]] = []
    cigar_counts: list[int] = []
    fixed = np.empty((len(reads), 7), dtype=np.int64)
    for index, read in enumerate(reads):
        name = read.query_name
        sequence = (read.query_sequence or "").encode()
        sequences.append(sequence)
        quality = read.query_qualities
        qualities.append(
            bytes([MISSING_QUALITY]) * len(sequence) if quality is None else quality.tobytes()
        )
        cigar = read.cigartuples or []
        cigars.extend(cigar)
        cigar_counts.append(len(cigar))
        fixed[index] = (
            read.reference_start,
            read.reference_end or read.reference_start,
            read.mapping_quality,
            read.flag,
            fragments.setdefault(name, len(fragments)),
            _name_hash(name),
            read.template_length,
        )
    cigar_array = np.array(cigars, dtype=np.int32).reshape(-1, 2)
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    return ReadArrays(
        read_start=fixed[:, 0].astype(np.int32),
        read_end=fixed[:, 1].astype(np.int32),
        mapq=fixed[:, 2].astype(np.uint8),
        flag=fixed[:, 3].astype(np.uint16),
        fragment=fixed[:, 4].astype(np.int32),
        name_hash=fixed[:, 5].astype(np.uint64),
        template_length=fixed[:, 6].astype(np.int32),
        base_offset=offsets_of(lengths),
        bases=_CODES[np.frombuffer(b"".join(sequences), dtype=np.uint8)],
        qualities=np.frombuffer(b"".join(qualities), dtype=np.uint8).copy(),
        cigar_offset=offsets_of(np.array(cigar_counts, dtype=np.int64)),
        cigar_op=cigar_array[:, 0].astype(np.uint8),
        cigar_length=np.ascontiguousarray(cigar_array[:, 1]),
    )
