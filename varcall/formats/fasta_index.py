"""The .fai and .gzi of a FASTA read in pure Python and checked against the file.

htslib takes an index that is older than its FASTA as it stands, and then returns sequences that are
shifted or hold line ends.
"""

import bisect
import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from varcall.errors import InputError
from varcall.formats.bgzf import GZIP_MAGIC, BgzfFile, BlockError, is_bgzf

_HEADER_WINDOW = 512  # bytes before a sequence in which its header line is looked for
_CHECKED_LINES = 8  # line ends looked at in each contig
_CHECKED_CONTIGS = 200
_TAIL = 1024  # bytes looked at behind the last base of a contig
_LONGEST_HEADER = 1 << 16
_CHECKED_BLOCKS = 32


@dataclass(frozen=True, slots=True)
class FaiEntry:
    """One line of a .fai: a contig and how its lines lie in the (uncompressed) FASTA."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_width: int

    def byte_of(self, position: int) -> int:
        """Offset of a base in the uncompressed FASTA."""
        line, column = divmod(position, self.line_bases)
        return self.offset + line * self.line_width + column


class BgzippedFasta:
    """Uncompressed bytes of a bgzipped FASTA as a file to seek in and read, found by its .gzi."""

    def __init__(self, path: Path) -> None:
        gzi = Path(f"{path}.gzi")
        self._compressed, self._uncompressed = read_gzi(gzi)
        self._file = BgzfFile(path)
        self._offset = 0
        try:
            fits = self._fits()
        except BlockError:
            fits = False
        if not fits:
            self.close()
            raise InputError(f"{gzi} is not the index of {path}: run: bgzip -r {path}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def seek(self, offset: int) -> None:
        """Go to an offset in the uncompressed bytes."""
        self._offset = offset

    def read(self, count: int) -> bytes:
        """Read `count` uncompressed bytes, fewer at the end of the file."""
        number = bisect.bisect_right(self._uncompressed, self._offset) - 1
        skip = self._offset - self._uncompressed[number]
        pieces: list[bytes] = []
        for block in self._file.blocks(self._compressed[number]):
            pieces.append(block.data[skip : skip + count])
            count -= len(pieces[-1])
            skip = max(0, skip - len(block.data))
            if count == 0:
                break
        found = b"".join(pieces)
        self._offset += len(found)
        return found

    def _fits(self) -> bool:
        """Look at some blocks: each must be where the .gzi says and as long as it says."""
        last = len(self._compressed) - 1
        for number in range(0, last, max(1, last // _CHECKED_BLOCKS)):
            block = self._file.block(self._compressed[number])
            length = self._uncompressed[number + 1] - self._uncompressed[number]
            if (block.next_offset, len(block.data)) != (self._compressed[number + 1], length):
                return False
        behind = self._file.block(self._compressed[last]).next_offset
        return not any(block.data for block in self._file.blocks(behind))


def read_fai(path: Path) -> tuple[FaiEntry, ...]:
    """Parse a .fai.

    Raises
    ------
    InputError
        It is missing, empty or malformed.
    """
    remedy = f"run: samtools faidx {path.with_suffix('')}"
    if not path.is_file():
        raise InputError(f"{path.with_suffix('')} has no index {path.name}: {remedy}")
    entries: list[FaiEntry] = []
    for line in path.read_text(errors="replace").splitlines():
        fields = line.split("\t")
        if len(fields) != 5 or not all(field.isdecimal() for field in fields[1:]):
            raise InputError(f"{path} is malformed: {remedy}")
        entry = FaiEntry(fields[0], *(int(field) for field in fields[1:]))
        if entry.length and not 0 < entry.line_bases <= entry.line_width:
            raise InputError(f"{path} is malformed: {remedy}")
        entries.append(entry)
    if not entries:
        raise InputError(f"{path} is empty: {remedy}")
    return tuple(entries)


def read_gzi(path: Path) -> tuple[list[int], list[int]]:
    """Parse a .gzi into compressed and uncompressed block offsets, the first block's included.

    Raises
    ------
    InputError
        It is missing or malformed.
    """
    fasta = path.with_suffix("")
    if not path.is_file():
        raise InputError(f"{fasta} is bgzipped and has no {path.name}: run: samtools faidx {fasta}")
    raw = path.read_bytes()
    values = struct.unpack_from(f"<{len(raw) // 8}Q", raw)
    if len(raw) % 8 or not values or len(values) != 1 + 2 * values[0]:
        raise InputError(f"{path} is cut short or malformed: run: bgzip -r {fasta}")
    compressed, uncompressed = [0, *values[1::2]], [0, *values[2::2]]
    if compressed != sorted(compressed) or uncompressed != sorted(uncompressed):
        raise InputError(f"{path} is malformed: run: bgzip -r {fasta}")
    return compressed, uncompressed


def check_fasta(path: Path, wanted: Iterable[str] = ()) -> dict[str, int]:
    """Check a FASTA's form and that its indexes are its own; return its contigs and lengths.

    `wanted` contigs are looked at closely (as many as `_CHECKED_CONTIGS`), and always the first
    and the last one of the file.

    Raises
    ------
    InputError
        No FASTA, gzipped without BGZF, no index, stale or foreign index.
    """
    with path.open("rb") as file:
        magic = file.read(2)
    if magic == GZIP_MAGIC and not is_bgzf(path):
        raise InputError(
            f"{path} is gzipped, not bgzipped: run gunzip, then bgzip and samtools faidx on it"
        )
    entries = read_fai(Path(f"{path}.fai"))
    close_look = set(itertools.islice(wanted, _CHECKED_CONTIGS))
    data = BgzippedFasta(path) if magic == GZIP_MAGIC else path.open("rb")
    try:
        if _bytes_at(data, 0, 1) != b">":
            raise InputError(f"{path} is not a FASTA: its first character is not '>'")
        for number, entry in enumerate(entries):
            is_last = number == len(entries) - 1
            if number == 0 or is_last or entry.name in close_look:
                _check_entry(path, data, entry, is_last=is_last)
        _check_gaps(path, data, entries)
    except BlockError as error:
        raise InputError(f"{path} is corrupt: {error}") from error
    finally:
        data.close()
    return {entry.name: entry.length for entry in entries}


def _bytes_at(data: BinaryIO | BgzippedFasta, offset: int, count: int) -> bytes:
    data.seek(offset)
    return data.read(count)


def _check_gaps(path: Path, data: BinaryIO | BgzippedFasta, entries: Sequence[FaiEntry]) -> None:
    """Look for contigs that the .fai has lost: between two contigs there is one header line."""
    end = 0
    for entry in entries:
        gap = entry.offset - end
        # A gap that holds ">name" and line ends alone need not be read.
        if gap > len(entry.name.encode()) + 5 and (
            gap > _LONGEST_HEADER or _bytes_at(data, end, gap).strip().count(b"\n")
        ):
            raise InputError(
                f"{path}.fai has no line for a contig of {path} before {entry.name!r}: "
                f"run: samtools faidx {path}"
            )
        end = entry.byte_of(entry.length - 1) + 1 if entry.length else entry.offset


def _check_entry(
    path: Path, data: BinaryIO | BgzippedFasta, entry: FaiEntry, *, is_last: bool
) -> None:
    """Look at the header line, some line ends and what follows the last base of a contig."""
    stale = InputError(
        f"{path}.fai does not fit {path} at contig {entry.name!r} (made before the FASTA was last "
        f"written?): run: samtools faidx {path}"
    )
    begin = max(0, entry.offset - _HEADER_WINDOW)
    before = _bytes_at(data, begin, entry.offset - begin)
    header = before.rstrip(b"\r\n").rpartition(b"\n")[2]
    is_header_cut = begin > 0 and b"\n" not in before.rstrip(b"\r\n")
    if not before.endswith(b"\n"):
        raise stale
    if not is_header_cut and header[1:].split(None, 1)[:1] != [entry.name.encode()]:
        raise stale
    if entry.length:
        n_lines = (entry.length - 1) // entry.line_bases
        for line in range(0, n_lines, max(1, n_lines // _CHECKED_LINES)):
            text = _bytes_at(data, entry.byte_of(line * entry.line_bases), entry.line_width)
            if len(text.rstrip()) != entry.line_bases or not text.endswith(b"\n"):
                raise stale
        # a line may be a whole contig: what follows the last base begins soon behind it
        tail = _bytes_at(data, entry.byte_of(entry.length - 1), 1 + min(entry.line_bases, _TAIL))
        # Also "*", a pad of a padded reference.
        if tail[:1] in b">" or tail[:1].isspace() or tail[1:2].strip():
            raise stale
        following = tail[1:].lstrip()[:1]
        if following != (b"" if is_last else b">"):
            raise stale
