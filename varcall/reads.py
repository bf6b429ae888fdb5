"""The alignments of one window as flat arrays (struct of arrays, ready for the kernels)."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pysam
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
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


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """The alignments that overlap one span of a contig, ordered as in the file.

    `contig`, `start`, `end` are the span that was fetched, 0-based half-open.
    """

    contig: str
    start: int
    end: int
    arrays: ReadArrays

    def __len__(self) -> int:
        return len(self.arrays.read_start)

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
            base_offset=_offsets(base_lengths[keep]),
            bases=reads.bases[keep_base],
            qualities=reads.qualities[keep_base],
            cigar_offset=_offsets(cigar_lengths[keep]),
            cigar_op=reads.cigar_op[keep_cigar],
            cigar_length=reads.cigar_length[keep_cigar],
        )
        return replace(self, arrays=kept)


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


class Alignments(Protocol):
    """A file of alignments, or what stands between it and its reader."""

    @property
    def filename(self) -> bytes:
        """Path of the file."""
        ...

    def fetch(self, contig: str, start: int, end: int, /) -> Iterator[pysam.AlignedSegment]:
        """Yield the alignments that overlap a span (0-based half-open)."""
        ...


def load_reads(
    alignments: Alignments,
    contig: str,
    start: int,
    end: int,
    read_filter: ReadFilter,
    sample_read_groups: frozenset[str] | None = None,
) -> ReadBatch:
    """Fetch the alignments that overlap a span and pass the filter.

    Parameters
    ----------
    start, end
        0-based half-open.
    sample_read_groups
        Read groups of the wanted sample; None takes every read.

    Raises
    ------
    InputError
        Where the file cannot be decoded.
    """
    # Whole tiles are read, only to make the cap independent of the window.
    first = max(0, (start // TILE - 1) * TILE)
    last = -(-end // TILE) * TILE
    try:
        kept = list(
            _capped(
                _accepted(alignments.fetch(contig, first, last), read_filter, sample_read_groups),
                read_filter.max_reads_per_tile,
            )
        )
    except (OSError, ValueError) as error:
        name = alignments.filename.decode(errors="replace")
        raise InputError(
            f"cannot read alignments of {name} near {contig}:{start + 1}-{end} ({error}); "
            f"the file may be damaged: re-copy it and run samtools quickcheck"
        ) from None
    kept = [read for read in kept if _overlaps(read, start, end)]
    return ReadBatch(contig, start, end, _to_arrays(kept))


def _overlaps(read: pysam.AlignedSegment, start: int, end: int) -> bool:
    return read.reference_start < end and (read.reference_end or 0) > start


def _accepted(
    alignments: Iterator[pysam.AlignedSegment],
    read_filter: ReadFilter,
    read_groups: frozenset[str] | None,
) -> Iterator[pysam.AlignedSegment]:
    for read in alignments:
        if read.flag & read_filter.exclude_flags or read.mapping_quality < read_filter.min_mapq:
            continue
        cigar = read.cigartuples or ()
        if read.query_length == 0 or not any(op in _ALIGNED for op, _ in cigar):
            continue
        if read_groups is not None and (
            not read.has_tag("RG") or read.get_tag("RG") not in read_groups
        ):
            continue
        yield read


def _capped(
    reads: Iterator[pysam.AlignedSegment], max_reads_per_tile: int
) -> Iterator[pysam.AlignedSegment]:
    """Keep, of the reads that start in one tile, those with the smallest name hash."""
    tile_reads: list[pysam.AlignedSegment] = []
    tile = -1
    for read in reads:
        if read.reference_start // TILE != tile:
            yield from _smallest(tile_reads, max_reads_per_tile)
            tile_reads = []
            tile = read.reference_start // TILE
        tile_reads.append(read)
        if len(tile_reads) > 4 * max_reads_per_tile:
            tile_reads = _smallest(tile_reads, max_reads_per_tile)
    yield from _smallest(tile_reads, max_reads_per_tile)


def _smallest(reads: list[pysam.AlignedSegment], count: int) -> list[pysam.AlignedSegment]:
    if len(reads) <= count:
        return reads
    hashes = np.fromiter((_name_hash(read.query_name) for read in reads), np.uint64, len(reads))
    chosen = np.sort(np.argsort(hashes, kind="stable")[:count])
    return [reads[index] for index in chosen]


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
        base_offset=_offsets(lengths),
        bases=_CODES[np.frombuffer(b"".join(sequences), dtype=np.uint8)],
        qualities=np.frombuffer(b"".join(qualities), dtype=np.uint8).copy(),
        cigar_offset=_offsets(np.array(cigar_counts, dtype=np.int64)),
        cigar_op=cigar_array[:, 0].astype(np.uint8),
        cigar_length=np.ascontiguousarray(cigar_array[:, 1]),
    )
