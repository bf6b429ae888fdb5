"""Records as the matcher sees them: which alleles are played, on which span of the reference.

The rules are vcfeval's (RTG Tools 3.12.1). A variant covers REF without the leading base that REF
and all ALTs share, and so does the reference allele of a heterozygous record. With ``ref_overlap``
every allele is trimmed on its own and reference alleles cover nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise, permutations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from varcall.scoring.vcf_records import Record

# rtg vcfeval --Xmax-length: longer alleles are not compared.
MAX_ALLELE_LENGTH = 1000
MISSING = -1
LEGAL_BASES = frozenset("ACGTN")
# Few alleles and genotypes make up most of a call set: what follows from them is kept.
_KEPT = 1 << 14


class SkippedRecordError(Exception):
    """A record that cannot take part in the matching, with the reason."""


class Allele(NamedTuple):
    """``bases`` (upper case) in place of the reference in [start, end), 0-based half-open."""

    start: int
    end: int
    bases: str


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What of a record takes part in the matching, by positions from POS on.

    ``alleles`` are by index of the record (0 is REF); an index that is not there puts nothing on
    its haplotype. The span [start, end) is what the record occupies. Records with the same REF,
    ALTs and genotype share one shape: it is the same where it is the same object.
    """

    alleles: Mapping[int, Allele]
    genotype: tuple[int, ...]  # empty when all ALT alleles are compared
    start: int = field(init=False)
    end: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", min(allele.start for allele in self.alleles.values()))
        object.__setattr__(self, "end", max(allele.end for allele in self.alleles.values()))


@dataclass(slots=True)
class Variant:
    """A record that takes part in the matching: its number in matching order, POS and shape."""

    index: int
    position: int
    shape: Shape

    @property
    def start(self) -> int:
        """Start of the span, 0-based."""
        return self.position + self.shape.start

    @property
    def end(self) -> int:
        """End of the span."""
        return self.position + self.shape.end


@lru_cache(maxsize=_KEPT)
def check_length(ref: str, alts: tuple[str, ...]) -> None:
    """See that all alleles are short enough to be compared.

    Raises
    ------
    SkippedRecordError
        One is not.
    """
    longest = max(map(len, (ref, *alts)))
    if longest > MAX_ALLELE_LENGTH:
        raise SkippedRecordError(f"an allele of {longest} bases is longer than {MAX_ALLELE_LENGTH}")


def spans(variants: Sequence[Variant]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Starts and ends of the spans, int64 [n] each."""
    shapes = [variant.shape for variant in variants]
    positions = np.array([variant.position for variant in variants], np.int64)
    starts = positions + np.array([shape.start for shape in shapes], np.int64)
    return starts, positions + np.array([shape.end for shape in shapes], np.int64)


def is_symbolic(allele: str) -> bool:
    """True for <DEL>, breakends, and alleles with the spanning-deletion mark '*'."""
    first, last = allele[0], allele[-1]
    return first == "<" or last == ">" or "*" in (first, last) or first in "[]" or last in "[]"


def has_anchor_base(record: Record) -> bool:
    """Whether REF and all ALTs but '*' start with the same base."""
    return _share_first_base(record.ref, record.alts)


def _share_first_base(ref: str, alts: tuple[str, ...]) -> bool:
    spelled = [alt for alt in alts if alt[0] != "*"]
    return bool(spelled) and all(alt[0] == ref[0] for alt in spelled)


def is_snp(record: Record, *, use_all_alts: bool) -> bool:
    """Vcfeval's type of a call.

    SNP when REF and every called ALT are one base once a shared leading base is dropped.
    """
    called = tuple(range(1, len(record.alts) + 1)) if use_all_alts else record.genotype
    return _is_snp(record.ref, record.alts, called)


@lru_cache(maxsize=_KEPT)
def _is_snp(ref: str, alts: tuple[str, ...], genotype: tuple[int, ...] | None) -> bool:
    if all(alt[:1] == ref[:1] for alt in alts):
        ref, alts = ref[1:], tuple(alt[1:] for alt in alts)
    called = [alts[i - 1] for i in genotype or () if i > 0]
    return len(ref) == 1 and all(len(alt) == 1 and alt != "*" for alt in called)


def _legal_bases(text: str, anchor: int) -> str:
    bases = text[anchor:].upper()
    if not LEGAL_BASES.issuperset(bases):
        raise SkippedRecordError(f"allele {text!r} has a character other than A, C, G, T and N")
    return bases


def _called_genotype(
    ref: str, alts: tuple[str, ...], genotype: tuple[int, ...] | None, ploidy: int, anchor: int
) -> tuple[int, ...] | None:
    """The genotype when it calls a sequence allele, else None; haploid is homozygous."""
    if genotype is None:
        return None
    if ploidy == 2 and len(genotype) == 1:
        genotype = genotype * 2
    if len(genotype) != ploidy:
        raise SkippedRecordError(f"the genotype has {len(genotype)} alleles, not {ploidy}")
    same = next(
        (alt for alt in alts if (alt[anchor:] if alt[0] != "*" else alt) == ref[anchor:]), None
    )
    if same is not None:
        raise ValueError(f"ALT allele {same} is the same as REF")
    called = [alts[i - 1] for i in genotype if i > 0]
    if any(len(alt) == anchor or not is_symbolic(alt[anchor:]) for alt in called if alt[0] != "*"):
        return genotype
    return None


@lru_cache(maxsize=_KEPT)
def sample_shape(
    ref: str, alts: tuple[str, ...], genotype: tuple[int, ...] | None, ploidy: int
) -> Shape | None:
    """Shape of a record by its genotype; None where the genotype calls no sequence allele.

    Raises
    ------
    SkippedRecordError
        The record cannot be compared (ploidy, characters).
    ValueError
        The record is malformed (an ALT equal to REF).
    """
    anchor = 1 if _share_first_base(ref, alts) else 0
    called = _called_genotype(ref, alts, genotype, ploidy, anchor)
    if called is None:
        return None
    return Shape(_alleles(ref, alts, sorted({0, *(i for i in called if i > 0)}), anchor), called)


@lru_cache(maxsize=_KEPT)
def all_alts_shape(ref: str, alts: tuple[str, ...]) -> Shape | None:
    """Shape of a record by all its sequence ALTs, renumbered from 1; None where it has none.

    Raises
    ------
    SkippedRecordError
        An allele has characters that cannot be compared.
    """
    anchor = 1 if _share_first_base(ref, alts) else 0
    found = _alleles(ref, alts, range(len(alts) + 1), anchor)
    spelled = [found[i] for i in sorted(found) if i > 0]
    if not spelled or 0 not in found:
        return None
    return Shape({0: found[0]} | dict(enumerate(spelled, 1)), ())


def _alleles(
    ref: str, alts: tuple[str, ...], indices: Iterable[int], anchor: int
) -> dict[int, Allele]:
    """The sequence alleles among those asked for, without the bases of the anchor."""
    texts = ((i, ref if i == 0 else alts[i - 1]) for i in indices)
    return {
        i: Allele(anchor, len(ref), _legal_bases(text, anchor))
        for i, text in texts
        if not is_symbolic(text)
    }


def orientations(shape: Shape, ploidy: int, *, squash: bool) -> list[tuple[int, ...]]:
    """Assignments of alleles to haplotypes, in the order in which they are tried.

    >>> snv = Shape({0: Allele(0, 1, "A"), 1: Allele(0, 1, "C")}, (0, 1))
    >>> orientations(snv, 2, squash=False), orientations(snv, 2, squash=True)
    ([(0, 1), (1, 0)], [(1,)])
    """
    genotype = shape.genotype
    if not genotype:
        alts = sorted(i for i in shape.alleles if i > 0)
        return [(i,) for i in alts] if squash else _any_genotype(alts, ploidy)
    if squash:
        return [(i,) for i in sorted(set(genotype)) if i > 0 and i in shape.alleles]
    if ploidy == 2:
        a, b = genotype
        return [(a, b), (b, a)] if a != b else [(a, a)]
    return sorted(set(permutations(genotype)))


def _any_genotype(alts: Sequence[int], ploidy: int) -> list[tuple[int, ...]]:
    """All genotypes with an ALT allele; a haplotype without ALT carries nothing rather than REF."""
    found: list[tuple[int, ...]] = []

    def fill(prefix: tuple[int, ...]) -> None:
        if len(prefix) == ploidy:
            found.extend(sorted(set(permutations(prefix))))
            return
        for i in (MISSING, *range(1, prefix[-1] + 1)):
            fill((*prefix, i))

    for alt in alts:
        fill((alt,))
    return found


def _shared_prefix(a: str, b: str) -> int:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return n


def _shared_ends(ref: str, alt: str, *, left_first: bool) -> tuple[int, int]:
    """Bases that an allele shares with REF at its left and, apart from these, at its right end."""
    if left_first:
        left = _shared_prefix(ref, alt)
        return left, _shared_prefix(ref[left:][::-1], alt[left:][::-1])
    right = _shared_prefix(ref[::-1], alt[::-1])
    return _shared_prefix(ref[: len(ref) - right], alt[: len(alt) - right]), right


def _trimmed(ref: str, allele: Allele, *, left_first: bool) -> Allele:
    """Drop the bases that an allele shares with REF at its two ends."""
    left, right = _shared_ends(ref, allele.bases, left_first=left_first)
    return Allele(
        allele.start + left, allele.end - right, allele.bases[left : len(allele.bases) - right]
    )


@lru_cache(maxsize=_KEPT)
def trimmed_shape(shape: Shape, *, left_first: bool) -> Shape:
    """Trim each ALT on its own and let the reference allele cover nothing."""
    ref = shape.alleles[0].bases
    alts = {
        i: _trimmed(ref, allele, left_first=left_first)
        for i, allele in shape.alleles.items()
        if i > 0
    }
    return Shape(alts, shape.genotype)


@lru_cache(maxsize=_KEPT)
def _slack(shape: Shape) -> tuple[int, int]:
    """Bases that could be trimmed at the left and at the right of any ALT."""
    ref = shape.alleles[0].bases
    alts = [allele.bases for i, allele in shape.alleles.items() if i > 0]
    left = max((_shared_prefix(ref, alt) for alt in alts), default=0)
    right = max((_shared_prefix(ref[::-1], alt[::-1]) for alt in alts), default=0)
    return left, right


def trim_variants(variants: list[Variant]) -> None:
    """Trim all variants of a contig (``--ref-overlap``).

    One that overlaps others is trimmed from the end that frees more of them.

    Variants before the current one are already trimmed, later ones are not: the order is part of
    vcfeval's behaviour.
    """
    starts, ends = spans(variants)
    # Where all that begins later lies behind all that came before, nothing overlaps.
    reach = np.maximum.accumulate(ends)[:-1]
    ahead = np.minimum.accumulate(starts[::-1])[::-1][1:]
    borders = [0, *(np.flatnonzero(reach <= ahead) + 1).tolist(), len(variants)]
    for first, last in pairwise(borders):
        if last - first == 1:
            variants[first].shape = trimmed_shape(variants[first].shape, left_first=True)
        else:
            trim_near(variants[first:last])


def trim_near(variants: list[Variant]) -> None:
    """`trim_variants` of some that may overlap."""
    starts = [variant.start for variant in variants]
    ends = [variant.end for variant in variants]
    first = last = 0
    for here, variant in enumerate(variants):
        start, end = starts[here], ends[here]
        while last < len(variants) and (
            last <= here or (starts[last] < end and ends[last] > start)
        ):
            last += 1
        while first < here and not (starts[first] < end and ends[first] > start):
            first += 1
        is_left_first = True
        left, right = _slack(variant.shape) if last - first > 1 else (0, 0)
        if left and right:
            others = [i for i in range(first, last) if i != here]
            freed_left = sum(0 < ends[i] - start <= left for i in others)
            freed_right = sum(0 < end - starts[i] < right for i in others)
            is_left_first = freed_left > freed_right
        variant.shape = trimmed_shape(variant.shape, left_first=is_left_first)
        starts[here], ends[here] = variant.start, variant.end
