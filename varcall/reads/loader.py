"""The alignments of a window as flat arrays, from the records of a file, parsed by a kernel.

Records are sorted: from where they begin they are read on to the end of the span. Windows one after
another share the buffer, so that each record is taken from its file once.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import (
    ReadArrays,
    ReadGroupNames,
    RecordArrays,
    RecordRules,
    RecordSpan,
    offsets_of,
)
from pileup.kernels.reads.records import (
    BEFORE,
    DONE,
    LISTED,
    MALFORMED,
    MAPPED,
    MARKED,
    NEEDS_BYTES,
    OVER_DEPTH,
    PLACED,
    POSITION,
    STATE_SIZE,
    TABLE_FULL,
    UNSORTED,
    pack_records,
    scan_records,
    unpack_records,
)
from varcall.errors import InputError
from varcall.formats.bgzf import BlockError
from varcall.inputs.reference import Reference
from varcall.reads.batch import (
    MISSING_QUALITY,
    TILE,
    ReadBatch,
    ReadCounts,
    ReadFilter,
    depth_of,
    tiles_around,
)
from varcall.reads.byte_buffer import ByteBuffer
from varcall.reads.equal_bases import spell_equal_bases

PACK_BEYOND = 1 << 26  # bytes of records held before those beyond the depth cap are thrown out
_FIRST_TABLE = 1 << 14


class RecordSource(Protocol):
    """The records of one file, as a BAM has them (SAM specification, section 4.2)."""

    buffer: ByteBuffer
    """Records that follow each other; the last one may be cut."""

    def goes_on_to(self, span: RecordSpan) -> bool:
        """Tell whether to read on for a span that lies ahead, or better seek it."""
        ...

    def seek(self, span: RecordSpan) -> int | None:
        """Start over before all records of a span; return the byte, None where there are none."""
        ...

    def extend(self) -> bool:
        """Append the next records to the buffer; whether there were any."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class RecordReads:
    """Loads the reads of spans of one file.

    Parameters
    ----------
    path
        Of the file, for messages.
    contigs
        The header's contigs and their lengths, in order.
    source
        Its records.
    reference
        For the bases that are spelled `=`; opened where there are any.
    """

    def __init__(
        self, path: Path, contigs: Mapping[str, int], source: RecordSource, reference: Reference
    ) -> None:
        self._path = path
        self._source = source
        self._reference = reference
        self._lengths = contigs
        self._numbers = {name: number for number, name in enumerate(contigs)}
        self._table = _new_table(_FIRST_TABLE)
        self._scan: _Scan | None = None

    def close(self) -> None:
        """Close the files."""
        self._source.close()
        self._reference.close()

    def load(
        self,
        contig: str,
        start: int,
        end: int,
        read_filter: ReadFilter,
        read_groups: frozenset[str] | None = None,
        own: tuple[int, int] | None = None,
    ) -> ReadBatch:
        """Load the reads that overlap a span and pass the filter.

        Parameters
        ----------
        start, end
            0-based half-open.
        read_groups
            Read groups of the wanted sample; None takes every read.
        own
            Part of the span whose alignments are counted; None counts in all of it.

        Raises
        ------
        InputError
            Where the file cannot be decoded, or its reads are not in the order of their starts.
        """
        before, self._scan = self._scan, None
        try:
            scan = self._begin(before, contig, start, end, own or (start, end))
            if scan is not None:
                self._run(scan, read_filter, _group_names(read_groups))
        except (OSError, ValueError, BlockError) as error:
            raise _undecodable(str(self._path), contig, start, end, error) from None
        if scan is None:
            return ReadBatch(contig, start, end, _unpack(np.empty(0, np.uint8), _new_table(0))[0])
        if not scan.is_packed:
            self._scan = scan
        listed = scan.listed(self._table)
        beyond = _beyond_cap(listed, read_filter.max_reads_per_tile)
        scan.leave_out(listed, beyond)
        kept = _rows(listed, ~beyond & (listed.start < end) & (listed.end > start))
        counts = ReadCounts(int(scan.state[PLACED]), int(scan.state[MAPPED]), scan.skipped)
        reads, has_equal = _unpack(self._source.buffer.data, kept)
        if has_equal:
            spell_equal_bases(reads, contig, self._reference)
        return ReadBatch(contig, start, end, reads, counts, scan.left_out(start, end))

    def _begin(
        self, before: "_Scan | None", contig: str, start: int, end: int, own: tuple[int, int]
    ) -> "_Scan | None":
        """Go on where the scan before has been, or seek; None where the contig has no reads."""
        number = self._numbers.get(contig)
        if number is None:
            raise ValueError("the header lacks the contig")
        first, last = tiles_around(start, end)
        scan = _Scan(contig, RecordSpan(number, self._lengths[contig], first, last, *own, TILE))
        if (
            before is not None
            and before.reaches(number, first)
            and self._source.goes_on_to(scan.span)
        ):
            byte, scan.state[BEFORE] = before.place_of(first)
            self._source.buffer.drop(byte)
            return scan
        sought = self._source.seek(scan.span)
        if sought is None:
            return None
        scan.sought = scan.state[POSITION] = sought
        return scan

    def _run(self, scan: "_Scan", read_filter: ReadFilter, groups: ReadGroupNames | None) -> None:
        """Read on, portion by portion, until the records lie behind the span or end."""
        rules = RecordRules(read_filter.min_mapq, read_filter.exclude_flags, groups is not None)
        names = _group_names(frozenset()) if groups is None else groups
        buffer = self._source.buffer
        while True:
            ended = scan_records(
                buffer.data, buffer.filled, scan.span, rules, names,
                self._table, scan.skipped, scan.tile_marks, scan.state,
            )  # fmt: skip
            if ended == NEEDS_BYTES:
                if scan.state[POSITION] > scan.packed + PACK_BEYOND:
                    self._pack(scan, read_filter.max_reads_per_tile)
                if not self._source.extend():
                    if scan.state[POSITION] < buffer.filled:
                        raise BlockError("the last record is cut")
                    return
            elif ended == TABLE_FULL:
                self._table = _longer(self._table)
            elif ended == MALFORMED:
                raise BlockError("a record is malformed")
            elif ended == DONE:
                self._check_contig(scan)
                return
            elif ended == UNSORTED:
                at = int(scan.state[POSITION])
                position = int(buffer.data[at + 8 : at + 12].view("<i4")[0])
                raise _unsorted(str(self._path), scan.contig, position, int(scan.state[BEFORE]))

    def _check_contig(self, scan: "_Scan") -> None:
        """See that what was sought are reads of the contig."""
        at = int(scan.state[POSITION])
        if scan.sought == at:
            number = int(self._source.buffer.data[at + 4 : at + 8].view("<i4")[0])
            if number != scan.span.contig:
                raise BlockError("the index points to reads of another contig")

    def _pack(self, scan: "_Scan", cap: int) -> None:
        """Throw out of the buffer what is not wanted, where reads lie too deep to hold them all."""
        listed = scan.listed(self._table)
        beyond = _beyond_cap(listed, cap)
        scan.leave_out(listed, beyond)
        kept = _rows(listed, ~beyond)
        _put(self._table, kept)
        buffer, position = self._source.buffer, int(scan.state[POSITION])
        filled = int(pack_records(buffer.data, self._table, len(kept.start)))
        rest = buffer.filled - position
        buffer.data[filled : filled + rest] = buffer.data[position : buffer.filled]
        buffer.filled = filled + rest
        scan.state[POSITION], scan.state[LISTED] = filled, len(kept.start)
        scan.packed, scan.is_packed = filled, True


class _Scan:
    """One pass over the records of a span, and where in the buffer they are."""

    def __init__(self, contig: str, span: RecordSpan) -> None:
        self.contig = contig
        self.span = span
        self.state = np.zeros(STATE_SIZE, np.int64)
        self.state[BEFORE] = -1
        self.tile_marks = np.zeros((span.last - span.first) // TILE + 1, np.int64)
        self.skipped = ReadCounts().skipped
        self.sought = -1  # byte of the buffer that was sought in the index; -1 if none was
        self.packed = 0
        self.is_packed = False
        self._dropped_depth: NDArray[np.int32] | None = None

    def listed(self, table: RecordArrays) -> RecordArrays:
        """Records that were found so far and may be used."""
        return _rows(table, slice(int(self.state[LISTED])))

    def reaches(self, number: int, first: int) -> bool:
        """Whether all records of a contig that reach `first` are in the buffer or behind it."""
        return number == self.span.contig and first >= self.span.first

    def place_of(self, first: int) -> tuple[int, int]:
        """Byte of the buffer where the records that reach `first` begin.

        And the start of the record before it, -1 where the records from there on were seen.
        """
        # Behind the last mark it is not known how far records reach.
        mark = min((first - self.span.first) // TILE, len(self.tile_marks) - 1)
        if mark < self.state[MARKED]:
            return int(self.tile_marks[mark]), -1
        return int(self.state[POSITION]), int(self.state[BEFORE])

    def leave_out(self, listed: RecordArrays, beyond: NDArray[np.bool_]) -> None:
        """Count the listed records (bool [n]) that the depth cap leaves out."""
        if not beyond.any():
            return
        starts = listed.start[beyond].astype(np.int64)
        ends = listed.end[beyond].astype(np.int64)
        own = (starts >= self.span.own_start) & (starts < self.span.own_end)
        self.skipped[OVER_DEPTH] += np.count_nonzero(own)
        depth = depth_of(starts, ends, self.span.first, self.span.last)
        self._dropped_depth = depth if self._dropped_depth is None else self._dropped_depth + depth

    def left_out(self, start: int, end: int) -> NDArray[np.int32] | None:
        """Depth of what was left out over a part of the span: int32 [end - start]."""
        if self._dropped_depth is None:
            return None
        return self._dropped_depth[start - self.span.first : end - self.span.first].copy()


def _new_table(size: int) -> RecordArrays:
    return RecordArrays(
        offset=np.empty(size, np.int64),
        start=np.empty(size, np.int32),
        end=np.empty(size, np.int32),
        name_hash=np.empty(size, np.uint64),
        cigar=np.empty(size, np.int64),
        n_cigar=np.empty(size, np.int32),
        n_bases=np.empty(size, np.int32),
    )


def _rows(records: RecordArrays, rows: slice | NDArray[np.bool_]) -> RecordArrays:
    return RecordArrays(
        offset=records.offset[rows],
        start=records.start[rows],
        end=records.end[rows],
        name_hash=records.name_hash[rows],
        cigar=records.cigar[rows],
        n_cigar=records.n_cigar[rows],
        n_bases=records.n_bases[rows],
    )


def _put(table: RecordArrays, records: RecordArrays) -> None:
    """Write records over the first rows of a table."""
    columns: Sequence[NDArray[Any]] = table
    rows: Sequence[NDArray[Any]] = records
    for column, values in zip(columns, rows, strict=True):
        column[: len(values)] = values


def _longer(table: RecordArrays) -> RecordArrays:
    longer = _new_table(2 * len(table.offset))
    _put(longer, table)
    return longer


def _group_names(read_groups: frozenset[str] | None) -> ReadGroupNames | None:
    """Spell read groups for the kernel; None where all reads are wanted."""
    if read_groups is None:
        return None
    names = [name.encode() for name in sorted(read_groups)]
    lengths = np.array([len(name) for name in names], dtype=np.int64)
    return ReadGroupNames(np.frombuffer(b"".join(names), np.uint8).copy(), offsets_of(lengths))


def _beyond_cap(records: RecordArrays, max_reads_per_tile: int) -> NDArray[np.bool_]:
    """Mark the records, of those that start in one tile, beyond the smallest name hashes."""
    beyond = np.zeros(len(records.start), np.bool_)
    if len(beyond) <= max_reads_per_tile:
        return beyond
    tile = records.start // TILE
    borders = np.flatnonzero(np.diff(tile, prepend=-1, append=-1))
    for low, high in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        if high - low > max_reads_per_tile:
            order = np.argsort(records.name_hash[low:high], kind="stable")
            beyond[low + order[max_reads_per_tile:]] = True
    return beyond


def _unpack(data: NDArray[np.uint8], records: RecordArrays) -> tuple[ReadArrays, bool]:
    """Return the reads, and whether any of their bases is spelled `=`."""
    n = len(records.start)
    base_offset = offsets_of(records.n_bases.astype(np.int64))
    cigar_offset = offsets_of(records.n_cigar.astype(np.int64))
    reads = ReadArrays(
        read_start=np.empty(n, np.int32),
        read_end=np.empty(n, np.int32),
        mapq=np.empty(n, np.uint8),
        flag=np.empty(n, np.uint16),
        fragment=np.empty(n, np.int32),
        name_hash=np.empty(n, np.uint64),
        template_length=np.empty(n, np.int32),
        base_offset=base_offset,
        bases=np.empty(base_offset[-1], np.uint8),
        qualities=np.empty(base_offset[-1], np.uint8),
        cigar_offset=cigar_offset,
        cigar_op=np.empty(cigar_offset[-1], np.uint8),
        cigar_length=np.empty(cigar_offset[-1], np.int32),
    )
    slots = np.full(1 << (2 * n).bit_length(), -1, np.int32)
    return reads, bool(unpack_records(data, records, MISSING_QUALITY, slots, reads))


def _unsorted(name: str, contig: str, position: int, before: int) -> InputError:
    """Say that a read comes after one that starts behind it (0-based)."""
    return InputError(
        f"{name} is not sorted: a read at {contig}:{position + 1} comes after one at "
        f"{contig}:{before + 1}; run samtools sort, then samtools index"
    )


def _undecodable(name: str, contig: str, start: int, end: int, error: Exception) -> InputError:
    """Say that the reads of a span (0-based half-open) cannot be decoded."""
    return InputError(
        f"cannot read alignments of {name} near {contig}:{start + 1}-{end} ({error}); "
        f"the file may be damaged: re-copy it and run samtools quickcheck"
    )
