"""Pure algebra of alleles: trim, left-align, merge to one REF, split.

Coordinates are 0-based; an allele replaces the reference bases `[start, start + len(ref))` by
`alt`. Every function keeps the haplotype it spells; none looks at reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_ROLL_STEP = 64  # bases fetched at once while an allele rolls left


@dataclass(frozen=True, slots=True, order=True)
class Allele:
    """One alternate allele: the reference bases `ref` at `start` (0-based) become `alt`."""

    start: int
    ref: str
    alt: str

    @property
    def end(self) -> int:
        """End (0-based, exclusive) of the reference bases replaced."""
        return self.start + len(self.ref)


def trim(start: int, ref: str, alts: Sequence[str]) -> tuple[int, str, tuple[str, ...]]:
    """Trim the alleles of a site to parsimonious form (bases all share leave both ends).

    The right end goes first, as VCF's normal form wants the leftmost representation.
    Each allele keeps at least one base.
    """
    spare = min(len(ref), *map(len, alts)) - 1
    tail = 0
    while tail < spare and all(alt[-1 - tail] == ref[-1 - tail] for alt in alts):
        tail += 1
    spare -= tail
    head = 0
    while head < spare and all(alt[head] == ref[head] for alt in alts):
        head += 1
    if head or tail:
        alts = [alt[head : len(alt) - tail] for alt in alts]
        ref = ref[head : len(ref) - tail]
    return start + head, ref, tuple(alts)


def left_align(
    start: int, ref: str, alts: Sequence[str], reference: Callable[[int, int], str]
) -> tuple[int, str, tuple[str, ...]]:
    """Normalise the alleles of a site: parsimonious and as far left as the reference lets them.

    The algorithm of Tan, Abecasis & Kang 2015 (doi:10.1093/bioinformatics/btv112).

    Parameters
    ----------
    start, ref, alts
        Alleles of one site; no allele is equal to another.
    reference
        `reference(start, end)` returns the reference bases of a 0-based half-open interval of
        the contig, upper-case.
    """
    alleles = [ref, *alts]
    left = ""  # reference bases just before `start` that have been fetched and not yet used
    while all(alleles) and len({allele[-1] for allele in alleles}) == 1:
        if min(map(len, alleles)) == 1:
            if start == 0:
                break
            if not left:
                left = reference(max(0, start - _ROLL_STEP), start)
            alleles = [left[-1] + allele for allele in alleles]
            left = left[:-1]
            start -= 1
        alleles = [allele[:-1] for allele in alleles]
    return trim(start, alleles[0], alleles[1:])


def merge_alleles(alleles: Sequence[Allele]) -> tuple[int, str, tuple[str, ...]]:
    """Write the alleles of one site against one common REF.

    Returns
    -------
    start, ref, alts
        `ref` spans every allele; `alts` in the order given, without repeats.

    Raises
    ------
    ValueError
        When the REFs contradict each other or leave bases between them unknown.
    """
    start = min(allele.start for allele in alleles)
    ref = ""
    for allele in sorted(alleles):
        offset = allele.start - start
        shared = ref[offset : offset + len(allele.ref)]
        if offset > len(ref) or not allele.ref.startswith(shared):
            raise ValueError(f"alleles at {allele.start} do not share one reference: {alleles}")
        ref += allele.ref[len(shared) :]
    alts = [
        ref[: allele.start - start] + allele.alt + ref[allele.end - start :] for allele in alleles
    ]
    return start, ref, tuple(dict.fromkeys(alts))


def split(start: int, ref: str, alts: Sequence[str]) -> tuple[Allele, ...]:
    """Split a site into one trimmed allele per ALT, in the order of the ALTs."""
    parts = []
    for alt in alts:
        new_start, new_ref, (new_alt,) = trim(start, ref, [alt])
        parts.append(Allele(new_start, new_ref, new_alt))
    return tuple(parts)


def decompose(allele: Allele) -> tuple[Allele, ...]:
    """Take an MNV apart into its SNVs; any other allele is returned trimmed and whole.

    A complex allele (lengths differ, no shared end) has no unique parts without an alignment.
    """
    (whole,) = split(allele.start, allele.ref, [allele.alt])
    if len(whole.ref) != len(whole.alt):
        return (whole,)
    return tuple(
        Allele(whole.start + offset, old, new)
        for offset, (old, new) in enumerate(zip(whole.ref, whole.alt, strict=True))
        if old != new
    )
