"""BAI, CSI and CRAI indexes read in pure Python and held against their alignment file.

htslib takes a well-formed empty index, or the index of another file, and returns fewer reads or
none, without an error; an index without contigs even makes it crash. Formats: SAM specification
5.2 (BAI), CSIv1 specification, CRAM specification 12 (CRAI).
"""

import gzip
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.bgzf import GZIP_MAGIC, BgzfFile, BlockError
from varcall.cram import CramFile
from varcall.errors import InputError

CHECKED_CHUNKS = 64  # contigs (BAM) or containers (CRAM) whose first data are looked at


@dataclass(frozen=True, slots=True)
class AlignmentIndex:
    """What an index says of its file.

    Attributes
    ----------
    kind
        "BAI", "CSI" or "CRAI".
    n_contigs
        Contigs it was built for; CRAI: 1 + the highest one with reads.
    first
        Where the data of a contig begin: pairs of contig number and virtual offset (BAI, CSI) or
        container offset (CRAI).
    end
        End of the last chunk (virtual offset) or offset of the last container; None where the
        index holds nothing.
    mapped
        Mapped reads of each contig; None where the index does not say.
    occupied
        Where reads lie, roughly: contig number, start and end of the smaller bins (BAI, CSI) or
        of the slices (CRAI) that have reads.
    """

    kind: str
    n_contigs: int
    first: tuple[tuple[int, int], ...]
    end: int | None
    mapped: tuple[int | None, ...]
    occupied: tuple[tuple[int, int, int], ...] = ()


def find_index(reads: Path, *, is_cram: bool) -> Path | None:
    """Look for the index in the usual places beside the alignment file."""
    for suffix in (".crai",) if is_cram else (".bai", ".csi"):
        for path in (reads.with_name(reads.name + suffix), reads.with_suffix(suffix)):
            if path.is_file():
                return path
    return None


def read_index(path: Path) -> AlignmentIndex:
    """Parse an index of any kind.

    Raises
    ------
    InputError
        It cannot be read, is of no known kind, cut short or malformed.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == GZIP_MAGIC else raw
        if data[:4] == b"BAI\1":
            return _read_binned(data, 4, "BAI", _Binning(14, 5))
        if data[:4] == b"CSI\1":
            min_shift, depth, auxiliary = struct.unpack_from("<iii", data, 4)
            return _read_binned(data, 16 + auxiliary, "CSI", _Binning(min_shift, depth))
        return _read_crai(data)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise InputError(
            f"the index {path} is broken ({error or 'cut short'}): run samtools index again"
        ) from error


def occupied_spans(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Read from an index where reads lie: `AlignmentIndex.occupied`."""
    return read_index(path).occupied


@dataclass(frozen=True, slots=True)
class _Binning:
    """Bins of a BAI or CSI: the smallest have 1 << min_shift bases, each level up 8 times more."""

    min_shift: int
    depth: int

    @property
    def meta(self) -> int:
        """Number of the pseudo-bin that holds read counts."""
        return self.first(self.depth + 1) + 1

    def first(self, level: int) -> int:
        """Number of the first bin of a level; level 0 is the whole contig."""
        return ((1 << 3 * level) - 1) // 7

    def span(self, number: int) -> tuple[int, int] | None:
        """Start and end of a bin of the two finest levels, None for a larger one."""
        for level in (self.depth, self.depth - 1):
            if self.first(level) <= number < self.first(level + 1):
                shift = self.min_shift + 3 * (self.depth - level)
                start = (number - self.first(level)) << shift
                return start, start + (1 << shift)
        return None


def _read_binned(data: bytes, position: int, kind: str, binning: _Binning) -> AlignmentIndex:
    """Walk the bins of a BAI or CSI; the chunks of a bin are sorted."""
    bin_header = struct.Struct("<IQi" if kind == "CSI" else "<Ii")
    (n_contigs,) = struct.unpack_from("<i", data, position)
    position += 4
    first: list[tuple[int, int]] = []
    mapped: list[int | None] = []
    occupied: list[tuple[int, int, int]] = []
    meta_bin = binning.meta
    end = 0
    for contig in range(n_contigs):
        (n_bins,) = struct.unpack_from("<i", data, position)
        position += 4
        begin, count = None, None if n_bins else 0
        for _ in range(n_bins):
            fields = bin_header.unpack_from(data, position)
            position += bin_header.size
            number, n_chunks = fields[0], fields[-1]
            if n_chunks < 0 or position + 16 * n_chunks > len(data):
                raise ValueError("cut short")
            if number == meta_bin and n_chunks == 2:
                (count,) = struct.unpack_from("<Q", data, position + 16)
            elif n_chunks:
                (chunk_begin,) = struct.unpack_from("<Q", data, position)
                (chunk_end,) = struct.unpack_from("<Q", data, position + 16 * n_chunks - 8)
                begin = chunk_begin if begin is None else min(begin, chunk_begin)
                end = max(end, chunk_end)
                span = binning.span(number)
                if span is not None:
                    occupied.append((contig, *span))
            position += 16 * n_chunks
        if kind == "BAI":
            (n_intervals,) = struct.unpack_from("<i", data, position)
            position += 4 + 8 * n_intervals
            if n_intervals < 0 or position > len(data):
                raise ValueError("cut short")
        mapped.append(count)
        if begin is not None:
            first.append((contig, begin))
    return AlignmentIndex(
        kind, n_contigs, tuple(first), end or None, tuple(mapped), tuple(occupied)
    )


def _read_crai(data: bytes) -> AlignmentIndex:
    first: dict[int, int] = {}
    occupied: list[tuple[int, int, int]] = []
    end: int | None = None
    for line in data.decode("ascii").splitlines():
        fields = [int(field) for field in line.split("\t")]
        if len(fields) != 6:
            raise ValueError("not a BAI, CSI or CRAI")
        contig, start, span, container = fields[:4]
        if contig >= 0:
            occupied.append((contig, max(0, start - 1), max(0, start - 1) + max(1, span)))
        first[contig] = min(first.get(contig, container), container)
        end = container if end is None else max(end, container)
    n_contigs = max(first, default=-1) + 1
    # A contig without a line has no reads; CRAI does not count those of the others.
    mapped = tuple(None if contig in first else 0 for contig in range(n_contigs))
    firsts = tuple(sorted(first.items()))
    return AlignmentIndex("CRAI", n_contigs, firsts, end, mapped, tuple(occupied))


def check_bam_index(
    index: AlignmentIndex, bam: BgzfFile, contigs: Sequence[str], records_start: int
) -> None:
    """Check that a BAI or CSI is the index of this BAM.

    Three things hold for the right index of a complete file: it has as many contigs as the header;
    the first read of each contig is of that contig; behind its last chunk there is nothing but
    unplaced reads. (Files joined from several have more than one empty block at the end, and
    some writers point into the last block instead of behind it, so the plain test "last chunk ends
    at the end-of-file block" would refuse good indexes.)

    Raises
    ------
    InputError
        The index is of another file, or holds nothing although the file has reads.
    """
    if index.kind == "CRAI":
        raise InputError("a CRAI index belongs to a CRAM, not to a BAM")
    if index.n_contigs != len(contigs):
        raise InputError(f"it was made for {index.n_contigs} contigs, the file has {len(contigs)}")
    try:
        for contig, offset in index.first[:CHECKED_CHUNKS]:
            if _record_contig(bam, offset) != contig:
                raise InputError(f"no read of {contigs[contig]} is where it says")
        end = records_start if index.end is None else index.end
        behind = _record_contig(bam, end)
    except BlockError as error:
        raise InputError("it points to places that are no blocks of the file") from error
    if behind is not None and behind != -1:
        raise InputError(
            "it is empty although the file has reads"
            if index.end is None
            else "the file has reads behind the last one it knows"
        )


def _record_contig(bam: BgzfFile, virtual_offset: int) -> int | None:
    """Contig number of the record at an offset (-1 unplaced), None at the end of the data."""
    raw, _ = bam.read(virtual_offset, 8)
    if not raw:
        return None
    if len(raw) < 8:
        raise BlockError(f"cut record in {bam.path}")
    return int(struct.unpack("<ii", raw)[1])


def check_cram_index(index: AlignmentIndex, cram: CramFile, contigs: Sequence[str]) -> None:
    """Check that a CRAI is the index of this CRAM.

    The containers it names must begin where it says and be of that contig, and the last one must
    be followed by the end-of-file container.

    Raises
    ------
    InputError
        The index is of another file, or holds nothing although the file has reads.
    """
    if index.kind != "CRAI":
        raise InputError(f"a {index.kind} index belongs to a BAM, not to a CRAM")
    if index.n_contigs > len(contigs):
        raise InputError(
            f"it was made for {index.n_contigs} contigs or more, the file has {len(contigs)}"
        )
    if index.end is None:
        if not cram.is_end(cram.data_start):
            raise InputError("it is empty although the file has reads")
        return
    for contig, offset in index.first[:CHECKED_CHUNKS]:
        container = cram.container(offset)
        if container is None or container.contig not in (contig, CramFile.MANY_CONTIGS):
            raise InputError("it points to places that are no containers of the file")
    last = cram.container(index.end)
    if last is None or not cram.is_end(last.next_offset):
        raise InputError("the file has reads behind the last one it knows")
