"""Reads of two haplotypes whose alignments are known, and the haplotypes that a VCF spells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from tests.builders import ReadsBuilder
from varcall.evidence.alleles import trim

FIRST, SECOND, BOTH = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Change:
    """The reference bases [start, end) become `alt` on haplotypes FIRST, SECOND or BOTH."""

    start: int
    end: int
    alt: str
    haplotypes: int

    def overlaps(self, other: "Change", apart: int = 0) -> bool:
        """Return whether fewer than `apart` bases lie between the two, or one in the other."""
        return self.start < other.end + apart and other.start < self.end + apart

    def touches(self, other: "Change") -> bool:
        """Return whether they overlap or lie side by side."""
        return self.start <= other.end and other.start <= self.end


def spell(reference: str, changes: Sequence[Change], haplotype: int) -> str:
    """Return one haplotype of a reference."""
    for change in sorted(changes, key=lambda change: -change.start):
        if change.haplotypes & haplotype:
            reference = reference[: change.start] + change.alt + reference[change.end :]
    return reference


def columns(
    reference: str, changes: Sequence[Change], haplotype: int
) -> Iterator[tuple[str, int, str]]:
    """Yield (CIGAR operation, reference position, base) along a haplotype."""
    at = 0
    for change in sorted(changes, key=lambda change: change.start):
        if not change.haplotypes & haplotype:
            continue
        yield from (("M", p, reference[p]) for p in range(at, change.start))
        replaced = min(len(change.alt), change.end - change.start)
        yield from (("M", change.start + k, change.alt[k]) for k in range(replaced))
        yield from (("I", change.end, base) for base in change.alt[replaced:])
        yield from (("D", p, "") for p in range(change.start + replaced, change.end))
        at = change.end
    yield from (("M", p, reference[p]) for p in range(at, len(reference)))


def add_haplotype(
    reads: ReadsBuilder,
    contig: str,
    changes: Sequence[Change],
    haplotype: int,
    *,
    step: int,
    length: int = 150,
) -> None:
    """Add reads of one haplotype, one beginning every `step` bases, on both strands in turn."""
    every = list(columns(reads.sequences[contig], changes, haplotype))
    query = [index for index, (op, _, _) in enumerate(every) if op != "D"]
    for number, first in enumerate(range(0, len(query) - length, step)):
        part = every[query[first] : query[first + length - 1] + 1]
        while part[0][0] != "M":
            part = part[1:]
        while part[-1][0] != "M":
            part = part[:-1]
        reads.add(
            f"{contig}.{haplotype}.{number}",
            contig=contig,
            start=part[0][1],
            cigar=spell_cigar([op for op, _, _ in part]),
            seq="".join(base for _, _, base in part),
            flag=16 * (number % 2),
        )


def spell_cigar(operations: Sequence[str]) -> str:
    runs: list[tuple[str, int]] = []
    for op in operations:
        if runs and runs[-1][0] == op:
            runs[-1] = op, runs[-1][1] + 1
        else:
            runs.append((op, 1))
    return "".join(f"{size}{op}" for op, size in runs)


def spelled_by(path: Path, contig: str, reference: str) -> tuple[str, str]:
    """Return the two haplotypes of a VCF's PASS records, first and second allele of each GT.

    Raises
    ------
    AssertionError
        Where one haplotype has two alleles of the same base.
    """
    haplotypes = []
    with pysam.VariantFile(str(path)) as calls:
        records = [r for r in calls if r.contig == contig and "PASS" in r.filter.keys()]
    for side in (0, 1):
        pieces, at = [], 0
        for record in records:
            allele = record.samples[0]["GT"][side]
            alt = record.alleles[allele]
            if allele == 0 or alt == "*":
                continue
            start, ref, (alt,) = trim(record.start, record.ref, [alt])
            if ref[0] == alt[0]:  # the base before an indel
                start, ref, alt = start + 1, ref[1:], alt[1:]
            assert start >= at, f"{contig}:{record.pos}: two alleles of one base"
            pieces += [reference[at:start], alt]
            at = start + len(ref)
        haplotypes.append("".join([*pieces, reference[at:]]))
    return haplotypes[0], haplotypes[1]
