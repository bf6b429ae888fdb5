"""Strict reading of truth and query VCF: what is malformed is an error naming the line.

htslib takes genotypes beyond the ALT list, cyvcf2 records with a missing column and files cut at a
block border as well. A score from such a file would be wrong without a warning, so the text is read
and checked here.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from varcall.errors import InputError
from varcall.formats.bgzf import GZIP_MAGIC
from varcall.formats.simulated_origin import CONTAMINANT_SAMPLE
from varcall.formats.text import open_text
from varcall.formats.vcf_text import (
    ALT_ALLELE,
    BCF_MAGIC,
    COLUMN_NAMES,
    FIXED_COLUMNS,
    POSITION,
    REF_BASES,
    SORT_HINT,
    index_of,
    start_of_vcf,
)

_GENOTYPE = re.compile(r"(?:\.|[0-9]{1,6})(?:[/|](?:\.|[0-9]{1,6}))*")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[-+]?inf(?:inity)?", re.I)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a VCF file; ``start`` is 0-based."""

    start: int
    ref: str
    alts: tuple[str, ...]
    genotype: tuple[int, ...] | None  # allele indices, -1 for '.'; None where there is no GT
    fields: tuple[str, ...]

    @property
    def end(self) -> int:
        """0-based end of the span of REF."""
        return self.start + len(self.ref)

    @property
    def is_filtered(self) -> bool:
        """True unless FILTER is PASS or missing."""
        return any(name not in ("PASS", ".") for name in self.fields[6].split(";"))


@dataclass(frozen=True, slots=True)
class CallSet:
    """A VCF file in memory, restricted to one sample."""

    path: Path
    header: tuple[str, ...]  # the ## lines
    samples: tuple[str, ...]
    sample_column: int  # column of the chosen sample, -1 when genotypes are not used
    contigs: dict[str, list[Record]]  # in the order of the file
    declared: tuple[str, ...]  # contigs of the header

    def value(self, record: Record, key: str) -> str | None:
        """Return the chosen sample's value of a FORMAT key, or None where it is missing."""
        if self.sample_column < 0 or len(record.fields) <= self.sample_column:
            return None
        keys = record.fields[8].split(":")
        if key not in keys:
            return None
        values = record.fields[self.sample_column].split(":")
        position = keys.index(key)
        if position >= len(values) or values[position] in (".", ""):
            return None
        return values[position]


def _checked_stream(path: Path, label: str) -> Iterator[str]:
    """Lines of a plain or BGZF file, after checks that need no reading of the records."""
    start = start_of_vcf(path, label)
    if start == BCF_MAGIC:
        raise InputError(f"the {label} file {path} is BCF: convert it with 'bcftools view -Oz -W'")
    if start[:2] == GZIP_MAGIC:
        index_of(path, label)
    yield from _decoded(path, label)


def _decoded(path: Path, label: str) -> Iterator[str]:
    number = 0
    try:
        with open_text(path) as handle:
            for line in handle:
                number += 1
                yield line
            if number and not line.endswith("\n"):
                raise InputError(
                    f"the {label} file {path} ends in the middle of line {number}: copy or "
                    "write it again"
                )
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"the {label} file {path} is damaged after line {number}: {error}"
        ) from error
    except UnicodeError as error:
        raise InputError(
            f"the {label} file {path} is not text after line {number} ({error}): is it a VCF file?"
        ) from error


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


def parse_genotype(text: str) -> tuple[int, ...] | None:
    """Allele indices of a GT value, -1 for '.'; None when it is malformed.

    >>> parse_genotype("0|1"), parse_genotype("./2"), parse_genotype("1"), parse_genotype("a/b")
    ((0, 1), (-1, 2), (1,), None)
    """
    if _GENOTYPE.fullmatch(text) is None:
        return None
    return tuple(-1 if part == "." else int(part) for part in re.split("[/|]", text))


def _parsed(line: str, columns: int, column: int, where: str) -> tuple[str, Record]:
    """One record; ``column`` is that of the sample or -1."""
    fields = tuple(line.rstrip("\r\n").split("\t"))
    if len(fields) != columns:
        raise InputError(
            f"{where} has {len(fields)} columns where the header has {columns}: "
            "write the file again"
        )
    if not all(fields):
        empty = fields.index("") + 1
        raise InputError(f"{where} has an empty column ({empty}): write '.' for a missing value")
    if POSITION.fullmatch(fields[1]) is None:
        raise InputError(f"{where} has POS {fields[1]!r}, which is not a number: correct it")
    alts = _checked_alleles(fields, where)
    genotype = None if column < 0 else _checked_genotype(fields, column, len(alts), where)
    return fields[0], Record(int(fields[1]) - 1, fields[3], alts, genotype, fields)


def _checked_alleles(fields: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The ALTs, after checks of REF, ALT and QUAL."""
    if REF_BASES.fullmatch(fields[3]) is None:
        raise InputError(f"{where} has REF {fields[3]!r}, which is not a sequence of bases")
    alts = () if fields[4] == "." else tuple(fields[4].split(","))
    for alt in alts:
        if ALT_ALLELE.fullmatch(alt) is None:
            raise InputError(f"{where} has ALT {alt!r}, which is no allele: correct it")
    if fields[5] != "." and _NUMBER.fullmatch(fields[5]) is None:
        raise InputError(f"{where} has QUAL {fields[5]!r}, which is not a number: correct it")
    return alts


def _checked_genotype(
    fields: tuple[str, ...], column: int, n_alts: int, where: str
) -> tuple[int, ...] | None:
    """Allele indices of the sample; None where there is no GT."""
    keys = fields[8].split(":")
    values = fields[column].split(":")
    if len(values) > len(keys):
        raise InputError(f"{where} has {len(values)} sample values for {len(keys)} FORMAT keys")
    if "GT" not in keys or keys.index("GT") >= len(values):
        return None
    text = values[keys.index("GT")]
    genotype = parse_genotype(text)
    if genotype is None:
        raise InputError(f"{where} has the malformed genotype {text!r}: correct it")
    if max(genotype) > n_alts:
        raise InputError(f"{where} has genotype {text!r} but only {n_alts} ALT alleles")
    return genotype


def parse_record(line: str, column: int) -> Record:
    """One line of a VCF file that a program wrote; ``column`` is that of the sample or -1."""
    return _parsed(line, line.count("\t") + 1, column, "a line")[1]


@dataclass(slots=True)
class _Reader:
    """State of reading one file: header, then records by contig."""

    path: Path
    label: str
    wanted: str | None
    header: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    columns: int = 0  # 0 until #CHROM was read
    column: int = -1
    contigs: dict[str, list[Record]] = field(default_factory=dict)
    current: str = ""
    last_start: int = -1

    def header_line(self, line: str, number: int) -> None:
        """Take a line that starts with #."""
        where = f"line {number} of the {self.label} file {self.path}"
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

    def record_line(self, line: str, number: int) -> None:
        """Take a record and check the order."""
        where = f"line {number} of the {self.label} file {self.path}"
        if not self.columns:
            raise InputError(f"{where} comes before any #CHROM line: is it a VCF file?")
        contig, record = _parsed(line, self.columns, self.column, where)
        if contig != self.current:
            if contig in self.contigs:
                raise InputError(f"{where} comes back to contig {contig!r}: {SORT_HINT}")
            self.contigs[contig] = []
            self.current, self.last_start = contig, -1
        if record.start < self.last_start:
            raise InputError(
                f"{where} is out of order (POS {record.start + 1} after {self.last_start + 1}): "
                f"{SORT_HINT}"
            )
        self.last_start = record.start
        self.contigs[contig].append(record)


def read_call_set(path: Path, label: str, sample: str | None = None) -> CallSet:
    """Read a whole VCF file (plain text, or BGZF with an index), checking every line.

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
        The file is cut, plain gzip, without index, unsorted, or has a malformed header or record.
    """
    reader = _Reader(path, label, sample)
    for number, line in enumerate(_checked_stream(path, label), 1):
        if line.startswith("#"):
            reader.header_line(line, number)
        else:
            reader.record_line(line, number)
    if not reader.columns:
        raise InputError(f"the {label} file {path} has no #CHROM line: is it a VCF file?")
    contig_line = re.compile(r"##contig=<(?:.*,)?ID=([^,>]+)")
    declared = tuple(found[1] for line in reader.header if (found := contig_line.match(line)))
    return CallSet(
        path,
        tuple(reader.header),
        tuple(reader.samples),
        reader.column,
        reader.contigs,
        declared,
    )
