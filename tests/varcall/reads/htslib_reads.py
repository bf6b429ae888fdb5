"""The slow twin of `varcall.reads.loader`: reads one by one, as htslib gives them."""

import zlib
from collections.abc import Iterator

import numpy as np
import pysam

from pileup.arrays import ReadArrays, offsets_of
from pileup.kernels.reads.records import (
    BEYOND_CONTIG,
    DUPLICATE,
    LOW_MAPQ,
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
from varcall.reads.batch import (
    MISSING_QUALITY,
    TILE,
    ReadBatch,
    ReadCounts,
    ReadFilter,
    depth_of,
    tiles_around,
)

# CIGAR operations (BAM codes of M, =, X) that align bases to the reference.
_ALIGNED = (0, 7, 8)
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


def load_reads(
    alignments: pysam.AlignmentFile,
    contig: str,
    start: int,
    end: int,
    read_filter: ReadFilter,
    sample_read_groups: frozenset[str] | None = None,
    own: tuple[int, int] | None = None,
    sequence: str = "",
) -> ReadBatch:
    """Load the reads of a span as `RecordReads.load` does; the file must be sound and sorted.

    `sequence` is that of the contig, for the bases that are spelled `=`.
    """
    first, last = tiles_around(start, end)
    length = alignments.get_reference_length(contig)
    selection = _Selection(read_filter, sample_read_groups, own or (start, end), length)
    found = alignments.fetch(contig, first, None if last >= length else last)
    kept = list(selection.capped(found))
    kept = [read for read in kept if _overlaps(read, start, end)]
    left_out = None
    if selection.dropped:
        spans = np.array(selection.dropped, dtype=np.int64)
        left_out = depth_of(spans[:, 0], spans[:, 1], start, end)
    return ReadBatch(contig, start, end, _to_arrays(kept, sequence), selection.counts, left_out)


def _overlaps(read: pysam.AlignedSegment, start: int, end: int) -> bool:
    return read.reference_start < end and (read.reference_end or 0) > start


class _Selection:
    """Takes the wanted ones of the alignments of a span, and counts."""

    def __init__(
        self,
        read_filter: ReadFilter,
        read_groups: frozenset[str] | None,
        own: tuple[int, int],
        contig_length: int,
    ) -> None:
        self._filter = read_filter
        self._read_groups = read_groups
        self._own = own if own[1] < contig_length else (own[0], 1 << 40)
        self._contig_length = contig_length
        self.counts = ReadCounts()
        self.dropped: list[tuple[int, int]] = []

    def _is_own(self, read: pysam.AlignedSegment) -> bool:
        return self._own[0] <= read.reference_start < self._own[1]

    def _accepted(
        self, alignments: Iterator[pysam.AlignedSegment]
    ) -> Iterator[pysam.AlignedSegment]:
        for read in alignments:
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
        return BEYOND_CONTIG if read.reference_start >= self._contig_length else None

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


def _spelled(read: pysam.AlignedSegment, reference: str) -> bytes:
    """Bases of a read, those of the reference where they are spelled `=`."""
    letters = list(read.query_sequence or "")
    base, position = 0, read.reference_start
    # Not `get_aligned_pairs`, for which P takes bases of the read.
    for op, length in read.cigartuples or ():
        if op in _ALIGNED or op in (1, 4):
            for offset in range(base, base + length if letters else base):
                if letters[offset] == "=":
                    place = position + offset - base
                    is_known = op in _ALIGNED and place < len(reference)
                    letters[offset] = reference[place] if is_known else "N"
            base += length
        if op in _ALIGNED or op in (2, 3):
            position += length
    return "".join(letters).encode()


def _to_arrays(reads: list[pysam.AlignedSegment], reference: str) -> ReadArrays:
    fragments: dict[str | None, int] = {}
    sequences: list[bytes] = []
    qualities: list[bytes] = []
    cigars: list[tuple[int, int]] = []
    cigar_counts: list[int] = []
    fixed = np.empty((len(reads), 7), dtype=np.int64)
    for index, read in enumerate(reads):
        name = read.query_name
        sequence = _spelled(read, reference)
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
