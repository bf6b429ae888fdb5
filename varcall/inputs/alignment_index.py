"""BAI, CSI and CRAI indexes read in pure Python and checked against their alignment file.

htslib takes a well-formed empty index, or the index of another file, and returns fewer reads or
none, without an error; an index without contigs even makes it crash. Formats: SAM specification
5.2 (BAI), CSIv1 specification, CRAM specification 12 (CRAI).
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.bai_csi import BAI_MAGIC, CSI_MAGIC, BinnedIndex, load_binned, unpacked
from varcall.formats.bgzf import BgzfFile, BlockError
from varcall.formats.crai import CraiEntry, parse_crai
from varcall.formats.cram_containers import CramFile

CHECKED_CONTAINERS = 64  # first containers of contigs of a CRAM that are looked at


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
    ends
        Where they end, for each of `first` (BAI, CSI).
    end
        End of the last chunk (virtual offset) or offset of the last container; None where the
        index holds nothing.
    mapped
        Mapped reads of each contig; None where the index does not say.
    occupied
        Where reads lie, roughly: contig number, start and end of the smaller bins (BAI, CSI; where
        a contig has none, of its smallest) or of the slices (CRAI) that have reads.
    """

    kind: str
    n_contigs: int
    first: tuple[tuple[int, int], ...]
    end: int | None
    mapped: tuple[int | None, ...]
    occupied: tuple[tuple[int, int, int], ...] = ()
    ends: tuple[int, ...] = ()


def find_index(reads: Path, *, is_cram: bool) -> Path | None:
    """Look for the index in the usual places beside the alignment file."""
    for suffix in (".crai",) if is_cram else (".bai", ".csi"):
        for path in (reads.with_name(reads.name + suffix), reads.with_suffix(suffix)):
            if path.is_file():
                return path
    return None


def read_index(path: Path) -> AlignmentIndex:
    """Parse an index of any kind; kept in this process while the file stays the same.

    Raises
    ------
    InputError
        It cannot be read, is of no known kind, cut short or malformed.
    """
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise InputError(
            f"the index {path} is broken ({error or 'cut short'}): run samtools index again"
        ) from error


@lru_cache(maxsize=2)
def _read(path: Path, size: int, mtime: int) -> AlignmentIndex:
    del size, mtime  # part of the cache key
    data = unpacked(path)
    if data[:4] in (BAI_MAGIC, CSI_MAGIC):
        return _summary(load_binned(path))
    return _crai_summary(parse_crai(data))


def occupied_spans(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Read from an index where reads lie: `AlignmentIndex.occupied`."""
    return read_index(path).occupied


def _summary(index: BinnedIndex) -> AlignmentIndex:
    """Put together what the contigs of a BAI or CSI say."""
    binning = index.binning
    first: list[tuple[int, int]] = []
    ends: list[int] = []
    mapped: list[int | None] = []
    occupied: list[tuple[int, int, int]] = []
    for contig in range(len(index.offsets)):
        bins = index.unpack(contig)
        mapped.append(bins.mapped)
        chunks = bins.all_chunks()
        if not len(chunks):
            continue
        first.append((contig, int(chunks["begin"].min())))
        ends.append(int(chunks["end"].max()))
        # htslib moves what lies in small bins of few reads into larger ones.
        levels = [binning.level(number) for number in bins.chunks]
        least = min(binning.depth - 1, max(levels))
        occupied += [
            (contig, *binning.span(number))
            for number, level in zip(bins.chunks, levels, strict=True)
            if level >= least
        ]
    return AlignmentIndex(
        index.kind,
        len(index.offsets),
        tuple(first),
        max(ends, default=None),
        tuple(mapped),
        tuple(occupied),
        tuple(ends),
    )


def _crai_summary(entries: Sequence[CraiEntry]) -> AlignmentIndex:
    """Put together what a CRAI says."""
    first: dict[int, int] = {}
    for entry in entries:
        first[entry.contig] = min(first.get(entry.contig, entry.container), entry.container)
    n_contigs = max(first, default=-1) + 1
    return AlignmentIndex(
        "CRAI",
        n_contigs,
        tuple(sorted(first.items())),
        max((entry.container for entry in entries), default=None),
        # A contig without a line has no reads; CRAI does not count those of the others.
        tuple(None if contig in first else 0 for contig in range(n_contigs)),
        tuple((entry.contig, entry.start, entry.end) for entry in entries if entry.contig >= 0),
    )


def check_bam_index(
    index: AlignmentIndex, bam: BgzfFile, contigs: Sequence[str], records_start: int
) -> None:
    """Check that a BAI or CSI is the index of this BAM.

    For the right index of a complete file it has as many contigs as the header; the data of each
    contig begin where those of the one before end, with a read of that contig; behind the last
    there is nothing but unplaced reads. (Files joined from several have more than one empty block
    at the end, and some writers point to the end of a block instead of to the start of the next,
    so that offsets are compared by what is found there.)

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
        expected = _record(bam, records_start)
        for (contig, begin), end in zip(index.first, index.ends, strict=True):
            found = _record(bam, begin)
            if found.contig != contig:
                raise InputError(f"no read of {contigs[contig]} is where it says")
            if found != expected:
                raise InputError(f"the file has reads before the first of {contigs[contig]}")
            expected = _record(bam, end)
    except BlockError as error:
        raise InputError("it points to places that are no blocks of the file") from error
    if expected.contig not in (None, -1):
        raise InputError(
            "it is empty although the file has reads"
            if index.end is None
            else "the file has reads behind the last one it knows"
        )


@dataclass(frozen=True, slots=True)
class _Record:
    """Where the first bytes of a record end, and its contig: -1 unplaced, None if there is none."""

    behind: int
    contig: int | None


def _record(bam: BgzfFile, virtual_offset: int) -> _Record:
    raw, behind = bam.read(virtual_offset, 8)
    if not raw:
        return _Record(behind, None)
    if len(raw) < 8:
        raise BlockError(f"cut record in {bam.path}")
    return _Record(behind, int(struct.unpack("<ii", raw)[1]))


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
    for contig, offset in index.first[:CHECKED_CONTAINERS]:
        container = cram.container(offset)
        if container is None or container.contig not in (contig, CramFile.MANY_CONTIGS):
            raise InputError("it points to places that are no containers of the file")
    last = cram.container(index.end)
    if last is None or not cram.is_end(last.next_offset):
        raise InputError("the file has reads behind the last one it knows")
