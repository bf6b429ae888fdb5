"""Records of truth and query, read from lines of text with every column checked.

htslib takes genotypes beyond the ALT list, cyvcf2 records with a missing column. A score from such
a record would be wrong without a warning, so the text is read and checked here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from varcall.errors import InputError
from varcall.formats.vcf_text import ALT_ALLELE, POSITION, REF_BASES

_GENOTYPE = re.compile(r"(?:\.|[0-9]{1,6})(?:[/|](?:\.|[0-9]{1,6}))*")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[-+]?inf(?:inity)?", re.I)


# Few texts make up most of the columns of a file: what they say is kept.
_KEPT = 1 << 14


class Record(NamedTuple):
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
        return has_failed(self.fields[6])


@lru_cache(maxsize=_KEPT)
def has_failed(filters: str) -> bool:
    """True unless filters, of FILTER or FT, are PASS or missing."""
    return any(name not in ("PASS", ".") for name in filters.split(";"))


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
        if key not in record.fields[8]:  # most often, and found sooner than by splitting
            return None
        keys = record.fields[8].split(":")
        if key not in keys:
            return None
        values = record.fields[self.sample_column].split(":")
        position = keys.index(key)
        if position >= len(values) or values[position] in (".", ""):
            return None
        return values[position]

    def values(self, records: Iterable[Record], key: str) -> list[str | None]:
        """Return the `value` of each record."""
        if self.sample_column < 0:
            return [None for _ in records]
        return [self.value(record, key) if key in record.fields[8] else None for record in records]


@lru_cache(maxsize=_KEPT)
def parse_genotype(text: str) -> tuple[int, ...] | None:
    """Allele indices of a GT value, -1 for '.'; None when it is malformed.

    >>> parse_genotype("0|1"), parse_genotype("./2"), parse_genotype("1"), parse_genotype("a/b")
    ((0, 1), (-1, 2), (1,), None)
    """
    if _GENOTYPE.fullmatch(text) is None:
        return None
    return tuple(-1 if part == "." else int(part) for part in re.split("[/|]", text))


class RecordError(Exception):
    """What is wrong with a line, said after the words that name it."""


def checked_record(line: str, columns: int, column: int) -> Record:
    """Read one line of a file with so many columns; ``column`` is that of the sample or -1.

    Raises
    ------
    RecordError
        The line is malformed.
    """
    text = line.rstrip("\r\n")
    if "\r" in text:
        raise RecordError("has a carriage return inside: write the file again")
    fields = tuple(text.split("\t"))
    if len(fields) != columns:
        raise RecordError(
            f"has {len(fields)} columns where the header has {columns}: write the file again"
        )
    if not all(fields):
        empty = fields.index("") + 1
        raise RecordError(f"has an empty column ({empty}): write '.' for a missing value")
    if POSITION.fullmatch(fields[1]) is None:
        raise RecordError(f"has POS {fields[1]!r}, which is not a number: correct it")
    alts = _checked_alleles(fields[3], fields[4])
    if fields[5] != "." and _NUMBER.fullmatch(fields[5]) is None:
        raise RecordError(f"has QUAL {fields[5]!r}, which is not a number: correct it")
    genotype = None if column < 0 else _checked_genotype(fields, column, len(alts))
    return Record(int(fields[1]) - 1, fields[3], alts, genotype, fields)


@lru_cache(maxsize=_KEPT)
def _checked_alleles(ref: str, column: str) -> tuple[str, ...]:
    """The ALTs, after checks of REF and ALT."""
    if REF_BASES.fullmatch(ref) is None:
        raise RecordError(f"has REF {ref!r}, which is not a sequence of bases")
    alts = () if column == "." else tuple(column.split(","))
    for alt in alts:
        if ALT_ALLELE.fullmatch(alt) is None:
            raise RecordError(f"has ALT {alt!r}, which is no allele: correct it")
    return alts


def _checked_genotype(fields: tuple[str, ...], column: int, n_alts: int) -> tuple[int, ...] | None:
    """Allele indices of the sample; None where there is no GT."""
    n_keys, place = _genotype_place(fields[8])
    values = fields[column].split(":")
    if len(values) > n_keys:
        raise RecordError(f"has {len(values)} sample values for {n_keys} FORMAT keys")
    if not 0 <= place < len(values):
        return None
    text = values[place]
    genotype = parse_genotype(text)
    if genotype is None:
        raise RecordError(f"has the malformed genotype {text!r}: correct it")
    if max(genotype) > n_alts:
        raise RecordError(f"has genotype {text!r} but only {n_alts} ALT alleles")
    return genotype


@lru_cache(maxsize=_KEPT)
def _genotype_place(column: str) -> tuple[int, int]:
    """Number of keys in FORMAT, and the place of GT among them or -1."""
    keys = column.split(":")
    return len(keys), keys.index("GT") if "GT" in keys else -1


def parse_record(line: str, column: int) -> Record:
    """One line of a VCF file that a program wrote; ``column`` is that of the sample or -1."""
    try:
        return checked_record(line, line.count("\t") + 1, column)
    except RecordError as error:
        raise InputError(f"a line {error}") from error
