"""Records as the matcher sees them: which alleles are played, on which span of the reference.

The rules are vcfeval's (RTG Tools 3.12.1). A variant covers REF without the leading base that REF
and all ALTs share, and so does the reference allele of a heterozygous record. With ``ref_overlap``
every allele is trimmed on its own and reference alleles cover nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations

from varcall.scoring.vcf_records import Record

# rtg vcfeval --Xmax-length: longer alleles are not compared.
MAX_ALLELE_LENGTH = 1000
MISSING = -1
LEGAL_BASES = frozenset("ACGTN")


class SkippedRecordError(Exception):
    """A record that cannot take part in the matching, with the reason."""


@dataclass(frozen=True, slots=True)
class Allele:
    """``bases`` (upper case) in place of the reference in [start, end), 0-based half-open."""

    start: int
    end: int
    bases: str


@dataclass(slots=True)
class Variant:
    """A record that takes part in the matching.

    ``alleles`` are by index of the record (0 is REF); an index that is not there puts nothing on
    its haplotype. The span [start, end) is what the record occupies.
    """

    index: int  # of the record, in matching order
    alleles: dict[int, Allele]
    genotype: tuple[int, ...]  # empty when all ALT alleles are compared
    start: int = field(init=False)
    end: int = field(init=False)

    def __post_init__(self) -> None:
        self.set_span()

    def set_span(self) -> None:
        """Cover all alleles."""
        alleles = list(self.alleles.values())
        self.start, self.end = alleles[0].start, alleles[0].end
        for allele in alleles:
            if allele.start < self.start:
                self.start = allele.start
            if allele.end > self.end:
                self.end = allele.end


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
    ref, alts = record.ref, list(record.alts)
    if all(alt[:1] == ref[:1] for alt in alts):
        ref, alts = ref[1:], [alt[1:] for alt in alts]
    if not use_all_alts:
        alts = [alts[i - 1] for i in record.genotype or () if i > 0]
    return len(ref) == 1 and all(len(alt) == 1 and alt != "*" for alt in alts)


def _allele(record: Record, index: int, anchor: int) -> Allele | None:
    text = record.ref if index == 0 else record.alts[index - 1]
    if is_symbolic(text):
        return None
    return Allele(record.start + anchor, record.end, _legal_bases(text, anchor))


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


# Few alleles and genotypes make up most of a call set.
@lru_cache(maxsize=1 << 16)
def _called_alleles(
    ref: str, alts: tuple[str, ...], genotype: tuple[int, ...] | None, ploidy: int
) -> tuple[tuple[int, ...], int, tuple[tuple[int, str], ...]] | None:
    """Genotype, bases without which the alleles start, and their bases by number.

    None where no sequence allele is called; raises as `sample_variant`.
    """
    anchor = 1 if _share_first_base(ref, alts) else 0
    called = _called_genotype(ref, alts, genotype, ploidy, anchor)
    if called is None:
        return None
    texts = (
        (i, ref if i == 0 else alts[i - 1]) for i in sorted({0, *(i for i in called if i > 0)})
    )
    bases = tuple((i, _legal_bases(text, anchor)) for i, text in texts if not is_symbolic(text))
    return called, anchor, bases


def sample_variant(record: Record, index: int, ploidy: int) -> Variant | None:
    """Variant of a record by its genotype; None where the genotype calls no sequence allele.

    Raises
    ------
    SkippedRecordError
        The record cannot be compared (ploidy, characters).
    ValueError
        The record is malformed (an ALT equal to REF).
    """
    called = _called_alleles(record.ref, record.alts, record.genotype, ploidy)
    if called is None:
        return None
    genotype, anchor, alleles = called
    start, end = record.start + anchor, record.end
    return Variant(index, {i: Allele(start, end, bases) for i, bases in alleles}, genotype)


def all_alts_variant(record: Record, index: int) -> Variant | None:
    """Variant of a record by all its sequence ALTs, renumbered from 1."""
    if not record.alts:
        return None
    anchor = 1 if has_anchor_base(record) else 0
    found = [_allele(record, i, anchor) for i in range(len(record.alts) + 1)]
    alts = [allele for allele in found[1:] if allele is not None]
    if not alts or found[0] is None:
        return None
    return Variant(index, {0: found[0]} | dict(enumerate(alts, 1)), ())


def orientations(variant: Variant, ploidy: int, *, squash: bool) -> list[tuple[int, ...]]:
    """Assignments of alleles to haplotypes, in the order in which they are tried.

    >>> v = Variant(0, {0: Allele(5, 6, "A"), 1: Allele(5, 6, "C")}, (0, 1))
    >>> orientations(v, 2, squash=False), orientations(v, 2, squash=True)
    ([(0, 1), (1, 0)], [(1,)])
    """
    if not variant.genotype:
        alts = sorted(i for i in variant.alleles if i > 0)
        return [(i,) for i in alts] if squash else _any_genotype(alts, ploidy)
    if squash:
        return [(i,) for i in sorted(set(variant.genotype)) if i > 0 and i in variant.alleles]
    if ploidy == 2:
        a, b = variant.genotype
        return [(a, b), (b, a)] if a != b else [(a, a)]
    return sorted(set(permutations(variant.genotype)))


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


@lru_cache(maxsize=1 << 16)
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


def trim_variant(variant: Variant, *, left_first: bool = True) -> None:
    """Trim each ALT on its own and let the reference allele cover nothing."""
    ref = variant.alleles.pop(0).bases
    for i, allele in variant.alleles.items():
        variant.alleles[i] = _trimmed(ref, allele, left_first=left_first)
    variant.set_span()


def _slack(variant: Variant) -> tuple[int, int]:
    """Bases that could be trimmed at the left and at the right of any ALT."""
    ref = variant.alleles[0].bases
    alts = [allele.bases for i, allele in variant.alleles.items() if i > 0]
    left = max((_shared_prefix(ref, alt) for alt in alts), default=0)
    right = max((_shared_prefix(ref[::-1], alt[::-1]) for alt in alts), default=0)
    return left, right


def _overlap(a: Variant, b: Variant) -> bool:
    return b.start < a.end and b.end > a.start


def trim_variants(variants: list[Variant]) -> None:
    """Trim all variants of a contig (``--ref-overlap``).

    One that overlaps others is trimmed from the end that frees more of them.

    Variants before the current one are already trimmed, later ones are not: the order is part of
    vcfeval's behaviour.
    """
    first = last = 0
    for here, variant in enumerate(variants):
        while last < len(variants) and (last <= here or _overlap(variant, variants[last])):
            last += 1
        while first < here and not _overlap(variant, variants[first]):
            first += 1
        left, right = _slack(variant) if (first, last) != (here, here + 1) else (0, 0)
        if left == 0 or right == 0:
            trim_variant(variant)
            continue
        freed_left = freed_right = 0
        for other in (variants[i] for i in range(first, last) if i != here):
            from_left, from_right = other.end - variant.start, variant.end - other.start
            freed_left += 0 < from_left <= left
            freed_right += 0 < from_right < right
        trim_variant(variant, left_first=freed_left > freed_right)
