"""Truth and query as files: one pass finds the records of each contig, which are read when wanted.

Files that htslib takes although they are cut at the border of a block, unsorted or of two parts are
refused, with the line. What is remembered of a record is its span: 16 bytes.
"""

import codecs
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from varcall.errors import InputError
from varcall.formats.bgzf import GZIP_MAGIC, BgzfFile, BlockError, is_bgzf
from varcall.formats.simulated_origin import CONTAMINANT_SAMPLE
from varcall.formats.text import open_text
from varcall.formats.vcf_text import (
    BCF_MAGIC,
    COLUMN_NAMES,
    FIXED_COLUMNS,
    SORT_HINT,
    index_of,
    start_of_vcf,
)
from varcall.scoring.vcf_records import CallSet, Record, RecordError, checked_record

_CHUNK = 1 << 16  # bytes read at a time where there are no blocks
_CONTIG_LINE = re.compile(r"##contig=<(?:.*,)?ID=([^,>]+)")


@dataclass(frozen=True, slots=True)
class ContigSpans:
    """The records of one contig in a file.

    ``starts`` and ``ends`` are the spans of REF, int64 [n], 0-based half-open, sorted by start;
    ``line`` is the number of the first record's line. ``marks`` are places where reading can begin:
    the number of the record there and the offset in the file. The first number tells, negative, how
    many other lines come before record 0.
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    line: int
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class VcfFile:
    """A VCF file whose records are read when they are wanted.

    ``label`` is what it is to the user, ``calls`` all that its header says, without records.
    """

    label: str
    calls: CallSet
    columns: int
    contigs: dict[str, ContigSpans]  # in the order of the file

    @property
    def declared(self) -> tuple[str, ...]:
        """Contigs of the header."""
        return self.calls.declared

    def records(self, contig: str, first: int, stop: int) -> list[Record]:
        """Read the records from number ``first`` to before ``stop`` of a contig.

        Raises
        ------
        InputError
            One is malformed.
        """
        if first >= stop:
            return []
        spans = self.contigs[contig]
        number, offset = max(mark for mark in spans.marks if mark[0] <= first)
        groups = (lines for _, lines in _line_groups(self.calls.path, offset))
        found: list[Record] = []
        for line in chain.from_iterable(groups):
            if number >= first:
                found.append(self._record(line, spans.line + number))
            number += 1
            if number == stop:
                break
        return found

    def with_records(self, wanted: Mapping[str, tuple[int, int]]) -> CallSet:
        """Read records, from one number to before another, of some contigs."""
        contigs = {name: self.records(name, *numbers) for name, numbers in wanted.items()}
        return replace(self.calls, contigs=contigs)

    def all_records(self) -> CallSet:
        """Read the whole file."""
        return self.with_records({name: (0, len(has.starts)) for name, has in self.contigs.items()})

    def _record(self, line: bytes, number: int) -> Record:
        column = self.calls.sample_column
        try:
            return checked_record(line.decode(), self.columns, column)
        except RecordError as error:
            raise InputError(
                f"line {number} of the {self.label} file {self.calls.path} {error}"
            ) from error
        except UnicodeError as error:
            raise _no_text(self.label, self.calls.path, number - 1, error) from error


def _no_text(label: str, path: Path, number: int, error: UnicodeError) -> InputError:
    return InputError(
        f"the {label} file {path} is not text after line {number} ({error}): is it a VCF file?"
    )


def _check_file(path: Path, label: str) -> None:
    """See that a file is plain text, or BGZF that is complete and has an index."""
    start = start_of_vcf(path, label)
    if start == BCF_MAGIC:
        raise InputError(f"the {label} file {path} is BCF: convert it with 'bcftools view -Oz -W'")
    if start[:2] == GZIP_MAGIC:
        index_of(path, label)


def _chunks(path: Path, offset: int) -> Iterator[tuple[int, bytes]]:
    """Bytes of a file from an offset on (in BGZF a virtual one), with the offset of each piece."""
    if is_bgzf(path):
        with BgzfFile(path) as file:
            for block in file.blocks(offset >> 16):
                skip = offset & 0xFFFF if block.offset == offset >> 16 else 0
                yield block.offset << 16 | skip, block.data[skip:]
        return
    with path.open("rb") as handle:
        handle.seek(offset)
        while data := handle.read(_CHUNK):
            yield offset, data
            offset += len(data)


class _CutLineError(Exception):
    """The file ends in the middle of a line, which is the one argument."""


def _line_groups(path: Path, offset: int) -> Iterator[tuple[int, list[bytes]]]:
    """Groups of consecutive lines without their ends, with the offset where each group begins.

    Raises
    ------
    _CutLineError
        The file does not end with a line end.
    """
    begun = b""
    for at, data in _chunks(path, offset):
        if at == 0 and data.startswith(codecs.BOM_UTF8):
            at, data = len(codecs.BOM_UTF8), data[len(codecs.BOM_UTF8) :]
        if not begun:
            offset = at
        text = begun + data
        lines = text.split(b"\n")
        begun = lines.pop()
        if lines:
            yield offset, lines
            offset = at + len(data) - len(begun)
    if begun:
        raise _CutLineError(begun)


def _sample_column(samples: list[str], wanted: str | None, path: Path, label: str) -> int:
    if wanted == "ALT":
        return -1
    if wanted is not None:
        if wanted not in samples:
            names = ", ".join(samples) or "none"
            raise InputError(
                f"the {label} file {path} has no sample {wanted!r} (it has: {names}): choose "
                "another with --sample"
            )
        return FIXED_COLUMNS + 1 + samples.index(wanted)
    if len(samples) > 1 and samples[1:] != [CONTAMINANT_SAMPLE]:
        raise InputError(
            f"the {label} file {path} has {len(samples)} samples ({', '.join(samples[:5])}): "
            "choose one with --sample"
        )
    if not samples:
        raise InputError(
            f"the {label} file {path} has no sample column: give genotypes, or compare all "
            "ALT alleles with --sample ALT"
        )
    return FIXED_COLUMNS + 1


@dataclass(slots=True)
class _Scan:
    """State of the pass over a file: header, then spans by contig."""

    path: Path
    label: str
    wanted: str | None
    header: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    columns: int = 0  # 0 until #CHROM was read
    column: int = -1
    contigs: dict[str, ContigSpans] = field(default_factory=dict)
    current: bytes = b""
    line: int = 0  # of the current contig's first record
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))
    marks: list[tuple[int, int]] = field(default_factory=list)

    def lines(self, offset: int, lines: list[bytes], number: int) -> None:
        """Take a group of lines; ``number`` is that of the line before them."""
        self.marks.append((len(self.starts), offset))
        if not self.plain_lines(lines):
            self.any_lines(offset, lines, number)

    def plain_lines(self, lines: list[bytes]) -> bool:
        """Take lines if all are records of the current contig, in order; False takes none."""
        try:  # a line with less than five columns leaves less than five in all
            contigs, positions, _, refs, _ = zip(
                *(line.split(b"\t", 4) for line in lines), strict=False
            )
            starts = np.array(list(map(int, positions)), np.int64) - 1
        except (ValueError, OverflowError):
            return False
        last = self.starts[-1] if self.starts else -1
        if {*contigs} != {self.current} or starts[0] < last or (np.diff(starts) < 0).any():
            return False
        self.starts.frombytes(starts.tobytes())
        self.ends.frombytes((starts + np.array(list(map(len, refs)), np.int64)).tobytes())
        return True

    def any_lines(self, offset: int, lines: list[bytes], number: int) -> None:
        """Take lines one by one."""
        current, starts, ends = self.current, self.starts, self.ends
        last = starts[-1] if starts else -1
        for i, line in enumerate(lines):
            try:
                contig, pos, _, ref, _ = line.split(b"\t", 4)
                start = int(pos) - 1
            except ValueError:
                self.other_line(line, number + i + 1)
                continue
            if contig != current:
                if line.startswith(b"#"):
                    self.other_line(line, number + i + 1)
                    continue
                self.new_contig(contig, number + i + 1, (-i, offset))
                current, starts, ends, last = contig, self.starts, self.ends, -1
            if start < last:
                raise InputError(
                    f"{self.where(number + i + 1)} is out of order (POS {start + 1} after "
                    f"{last + 1}): {SORT_HINT}"
                )
            last = start
            starts.append(start)
            ends.append(start + len(ref))

    def where(self, number: int) -> str:
        """Name a line."""
        return f"line {number} of the {self.label} file {self.path}"

    def other_line(self, line: bytes, number: int) -> None:
        """Take a line of the header; any other is malformed."""
        if line.startswith(b"#"):
            self.header_line(line.decode(), number)
            return
        self.check_columns(number)
        try:
            checked_record(line.decode(), self.columns, self.column)
        except RecordError as error:
            raise InputError(f"{self.where(number)} {error}") from error

    def check_columns(self, number: int) -> None:
        """See that the header was read before the first record."""
        if not self.columns:
            raise InputError(
                f"{self.where(number)} comes before any #CHROM line: is it a VCF file?"
            )

    def header_line(self, line: str, number: int) -> None:
        """Take a line that starts with #."""
        where = self.where(number)
        if self.columns:
            raise InputError(f"{where} is a header line after #CHROM: write the file again")
        text = line.rstrip("\r\n")
        if text.startswith("##"):
            self.header.append(text)
            return
        names = text.split("\t")
        has_format = len(names) <= FIXED_COLUMNS or names[FIXED_COLUMNS] == "FORMAT"
        if names[:FIXED_COLUMNS] != COLUMN_NAMES or not has_format:
            raise InputError(f"{where} is no #CHROM line: it needs tabs and the fixed columns")
        self.samples = names[FIXED_COLUMNS + 1 :]
        self.columns = len(names)
        self.column = _sample_column(self.samples, self.wanted, self.path, self.label)

    def new_contig(self, contig: bytes, number: int, mark: tuple[int, int]) -> None:
        """End a contig and begin the next one with the record of a line."""
        self.check_columns(number)
        self.end_contig()
        name = contig.decode()
        if name in self.contigs:
            raise InputError(f"{self.where(number)} comes back to contig {name!r}: {SORT_HINT}")
        self.current, self.line, self.marks = contig, number, [mark]

    def end_contig(self) -> None:
        """Keep what is known of the contig that ends."""
        if self.current:
            self.contigs[self.current.decode()] = ContigSpans(
                np.array(self.starts), np.array(self.ends), self.line, tuple(self.marks)
            )
        self.starts, self.ends = array("q"), array("q")


def scan_vcf(path: Path, label: str, sample: str | None = None) -> VcfFile:
    """Go over a VCF file (plain text, or BGZF with an index) for its header and its contigs.

    Columns are checked when records are read.

    Parameters
    ----------
    path
        The file.
    label
        What it is to the user ("truth" or "query"), for messages.
    sample
        Name of the sample; ``ALT`` uses all ALT alleles and no genotype; None takes the only one
        (of a simulated truth the first: the second is the contaminating person).

    Raises
    ------
    InputError
        The file is cut, plain gzip, without index, unsorted, or has a malformed header.
    """
    _check_file(path, label)
    scan = _Scan(path, label, sample)
    number = 0
    try:
        open_text(path).close()
        for offset, lines in _line_groups(path, 0):
            scan.lines(offset, lines, number)
            number += len(lines)
    except _CutLineError as error:
        try:
            bytes(error.args[0]).decode()
        except UnicodeError as no_text:
            raise _no_text(label, path, number, no_text) from error
        raise InputError(
            f"the {label} file {path} ends in the middle of line {number + 1}: copy or write it "
            "again"
        ) from error
    except UnicodeError as error:
        raise _no_text(label, path, number, error) from error
    except (OSError, EOFError, zlib.error, BlockError) as error:
        raise InputError(
            f"the {label} file {path} is damaged after line {number}: {error}"
        ) from error
    scan.end_contig()
    if not scan.columns:
        raise InputError(f"the {label} file {path} has no #CHROM line: is it a VCF file?")
    declared = tuple(found[1] for line in scan.header if (found := _CONTIG_LINE.match(line)))
    header, samples = tuple(scan.header), tuple(scan.samples)
    calls = CallSet(path, header, samples, scan.column, {}, declared)
    return VcfFile(label, calls, scan.columns, scan.contigs)


def read_call_set(path: Path, label: str, sample: str | None = None) -> CallSet:
    """Read a whole VCF file, checking every line; the parameters are those of `scan_vcf`.

    Raises
    ------
    InputError
        The file is cut, plain gzip, without index, unsorted, or has a malformed header or record.
    """
    return scan_vcf(path, label, sample).all_records()
