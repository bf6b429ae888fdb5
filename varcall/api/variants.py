"""Records of a VCF for Python: dataclasses, NumPy arrays, pandas tables."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from varcall.errors import InputError, OutputError
from varcall.output.record import PASS, start_of_pos, vcf_pos
from varcall.output.summary import allele_kind

if TYPE_CHECKING:
    from pandas import DataFrame

_MISSING = "."
#: Columns of the array of `as_array`; texts are Python objects, missing numbers -1 or NaN.
FIELDS = np.dtype(
    [
        ("contig", object),
        ("start", np.int64),
        ("end", np.int64),
        ("ref", object),
        ("alt", object),
        ("qual", np.float32),
        ("filter", object),
        ("gt", object),
        ("copies", np.int8),
        ("gq", np.int32),
        ("dp", np.int32),
        ("ref_reads", np.int32),
        ("alt_reads", np.int32),
        ("vaf", np.float32),
    ]
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A record of one sample.

    Attributes
    ----------
    contig, start, end
        Where it lies: 0-based half-open; `end` is that of REF, or INFO's END.
    ref, alts
        The alleles.
    qual
        phred P(no variant); None where it is missing.
    filter
        PASS, RefCall, LowQual or NoCall.
    genotype
        Allele of each copy of the contig, 0 for REF; None where it is not called.
    is_phased
        Whether its alleles are in the order of haplotypes.
    info, fields
        INFO and the sample's column as texts, by key; a flag of INFO has an empty text.
    """

    contig: str
    start: int
    end: int
    ref: str
    alts: tuple[str, ...]
    qual: float | None
    filter: str
    genotype: tuple[int | None, ...]
    is_phased: bool
    info: Mapping[str, str]
    fields: Mapping[str, str]

    @classmethod
    def from_line(cls, line: str) -> "Variant":
        """Read the line of a VCF with one sample, or the first of several."""
        contig, pos, _, ref, alt, qual, filter_name, info_text, names, sample = line.rstrip(
            "\n"
        ).split("\t")[:10]
        info = {} if info_text == _MISSING else dict(map(_key_and_value, info_text.split(";")))
        fields = dict(zip(names.split(":"), sample.split(":"), strict=False))
        gt = fields.get("GT", _MISSING)
        start = start_of_pos(int(pos))
        return cls(
            contig=contig,
            start=start,
            end=int(info["END"]) if "END" in info else start + len(ref),
            ref=ref,
            alts=() if alt == _MISSING else tuple(alt.split(",")),
            qual=None if qual == _MISSING else float(qual),
            filter=filter_name,
            genotype=tuple(
                None if allele == _MISSING else int(allele)
                for allele in gt.replace("|", "/").split("/")
            ),
            is_phased="|" in gt,
            info=info,
            fields=fields,
        )

    @property
    def pos(self) -> int:
        """POS of the VCF, 1-based."""
        return vcf_pos(self.start)

    @property
    def is_pass(self) -> bool:
        """Whether all filters are passed."""
        return self.filter == PASS

    @property
    def is_snv(self) -> bool:
        """Whether its genotype has an ALT that changes one base."""
        return bool({"ti", "tv"} & self._kinds())

    @property
    def is_indel(self) -> bool:
        """Whether its genotype has an ALT of another length than REF."""
        return "indel" in self._kinds()

    def _kinds(self) -> set[str]:
        return {allele_kind(self.ref, self.alts[allele - 1]) for allele in self.genotype if allele}

    @property
    def is_het(self) -> bool:
        """Whether it has two copies of different alleles."""
        alleles = set(self.genotype)
        return len(alleles) > 1 and None not in alleles

    @property
    def copies(self) -> int | None:
        """How many copies have an ALT; None where one is not called."""
        if None in self.genotype:
            return None
        return sum(1 for allele in self.genotype if allele)

    @property
    def gt(self) -> str:
        """The genotype as the VCF spells it."""
        return self.fields.get("GT", _MISSING)

    @property
    def gq(self) -> int | None:
        """Phred probability that the genotype is wrong."""
        return self._integer("GQ")

    @property
    def dp(self) -> int | None:
        """Fragments that cover POS."""
        return self._integer("DP")

    @property
    def ad(self) -> tuple[int, ...]:
        """Fragments of each allele, REF first; empty where it is missing."""
        return self._integers("AD")

    @property
    def pl(self) -> tuple[int, ...]:
        """Phred genotype likelihoods in the order of the VCF; empty where they are missing."""
        return self._integers("PL")

    @property
    def vaf(self) -> tuple[float, ...]:
        """Share of the fragments that shows each ALT; empty where it is missing."""
        return tuple(float(text) for text in self._texts("VAF"))

    @property
    def phase_set(self) -> int | None:
        """0-based start of the first site that it is phased with; None where it is not phased."""
        pos = self._integer("PS")
        return None if pos is None else start_of_pos(pos)

    @property
    def cause(self) -> str | None:
        """Why reads show ALT in words; None where it was not asked."""
        cause = self.info.get("CAUSE")
        return None if cause is None else cause.replace("_", " ")

    def _integer(self, name: str) -> int | None:
        text = self.fields.get(name, _MISSING)
        return None if text == _MISSING else int(text)

    def _integers(self, name: str) -> tuple[int, ...]:
        return tuple(int(text) for text in self._texts(name))

    def _texts(self, name: str) -> list[str]:
        text = self.fields.get(name, _MISSING)
        return [] if _MISSING in text.split(",") else text.split(",")

    def __str__(self) -> str:
        """Spell it for people, POS 1-based."""
        return f"{self.contig}:{self.pos} {self.ref}>{','.join(self.alts) or '.'} {self.gt}"


def _key_and_value(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def as_array(variants: Iterable[Variant]) -> NDArray[np.void]:
    """Return records as a structured array [n] of `FIELDS`.

    `copies` is how many copies have an ALT, `alt_reads` and `vaf` are those of all ALTs together.
    """
    return np.array([_row(variant) for variant in variants], FIELDS)


def _row(variant: Variant) -> tuple[object, ...]:
    ad = variant.ad
    return (
        variant.contig,
        variant.start,
        variant.end,
        variant.ref,
        ",".join(variant.alts),
        np.nan if variant.qual is None else variant.qual,
        variant.filter,
        variant.gt,
        _or_unknown(variant.copies),
        _or_unknown(variant.gq),
        _or_unknown(variant.dp),
        ad[0] if ad else -1,
        sum(ad[1:]) if ad else -1,
        sum(variant.vaf) if variant.vaf else np.nan,
    )


def _or_unknown(number: int | None) -> int:
    return -1 if number is None else number


def as_frame(rows: NDArray[np.void]) -> "DataFrame":
    """Return a structured array as a pandas table.

    Raises
    ------
    OutputError
        pandas is missing.
    """
    try:
        from pandas import DataFrame
    except ModuleNotFoundError:
        raise OutputError(
            "tables of pandas need pandas; install it with: pip install 'varcall-pileup[pandas]'"
        ) from None
    return DataFrame.from_records(rows)


class Variants:
    """What holds records: they can be gone through, and had as an array or a table."""

    def __iter__(self) -> Iterator[Variant]:
        """Go through the records in the order of the file."""
        raise NotImplementedError

    def to_numpy(self) -> NDArray[np.void]:
        """Return the records as a structured array; its columns are `varcall.api.variants.FIELDS`.

        Starts are 0-based, missing numbers are -1 (of floats NaN); `copies` is how many copies of
        the contig have an ALT, `alt_reads` and `vaf` are those of all ALTs together.
        """
        return as_array(self)

    def to_pandas(self) -> "DataFrame":
        """Return the same as a pandas table.

        Raises
        ------
        OutputError
            pandas is missing (the extra `pandas`).
        """
        return as_frame(self.to_numpy())


def read_variants(path: Path) -> Iterator[Variant]:
    """Read the records of a VCF or BCF one after another.

    Raises
    ------
    InputError
        It cannot be read.
    """
    import pysam

    try:
        with pysam.VariantFile(str(path)) as source:
            for record in source:
                yield Variant.from_line(str(record))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}): was it moved or changed?") from error
