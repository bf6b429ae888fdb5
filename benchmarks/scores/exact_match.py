"""Count calls against a truth by exact match of normalised, atomised records.

Both sides go through ``bcftools norm``: multi-allelic records split, complex ones atomised,
indels left-aligned. Two spellings that still differ count as a false positive and a false
negative, so this is stricter than a haplotype comparison.
"""

import subprocess
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# (POS, REF, ALT) of an atomic record -> copies of ALT.
Copies = Mapping[tuple[int, str, str], int]


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives of one kind of variant."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    def __str__(self) -> str:
        return f"{self.tp}/{self.fp}/{self.fn}"

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; NaN where there is nothing to find or call."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else float("nan")


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one call set; a wrong genotype is an FP and an FN unless `blind` to genotypes."""

    snp: Counts = Counts()
    indel: Counts = Counts()
    snp_blind: Counts = Counts()
    indel_blind: Counts = Counts()

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.snp + other.snp,
            self.indel + other.indel,
            self.snp_blind + other.snp_blind,
            self.indel_blind + other.indel_blind,
        )


def atomic_copies(
    vcf: Path, reference: Path, confident: Sequence[tuple[int, int]], include: str | None = None
) -> Copies:
    """Read the copies of every alternate allele inside the confident intervals.

    Parameters
    ----------
    confident
        Sorted intervals of the one contig of `reference`, 0-based half-open; a record counts
        where one of them holds its whole REF.
    include
        bcftools expression of the records that count; None takes all.
    """
    chosen = f"-i '{include}'" if include else ""
    # Splitting comes before atomising (an atomised multi-allelic record would carry `*`),
    # left-alignment again after it.
    line = (
        f"bcftools view {chosen} -Ou '{vcf}' | bcftools norm -f '{reference}' -m -any -Ou "
        f"| bcftools norm -a --atom-overlaps . -Ou | bcftools norm -f '{reference}' -Ou "
        r"| bcftools query -f '%POS\t%REF\t%ALT[\t%GT]\n'"
    )
    text = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], check=True, capture_output=True, text=True
    ).stdout
    copies: dict[tuple[int, str, str], int] = {}
    for row in text.splitlines():
        position, ref, alt, genotype = row.split("\t")[:4]
        count = genotype.replace("|", "/").split("/").count("1")
        start = int(position) - 1
        if count and _inside(start, start + len(ref), confident):
            key = (int(position), ref.upper(), alt.upper())
            copies[key] = min(2, copies.get(key, 0) + count)
    return copies


def _inside(start: int, end: int, intervals: Sequence[tuple[int, int]]) -> bool:
    index = bisect_right(intervals, (start, float("inf"))) - 1
    return index >= 0 and end <= intervals[index][1]


def compare(truth: Copies, calls: Copies) -> Score:
    """Count SNPs and indels, with genotypes and without."""
    counts = []
    for blind in (False, True):
        for snp in (True, False):
            wanted = _select(truth, snp, blind)
            found = _select(calls, snp, blind)
            both = len(wanted & found)
            counts.append(Counts(both, len(found) - both, len(wanted) - both))
    return Score(*counts)


def _select(copies: Copies, snp: bool, blind: bool) -> set[tuple[tuple[int, str, str], int]]:
    return {
        (key, 0 if blind else count)
        for key, count in copies.items()
        if (len(key[1]) == len(key[2])) == snp
    }
