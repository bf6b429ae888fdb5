"""The judged records of both sides in the GA4GH form, as ``rtg vcfeval -m ga4gh`` has it.

A truth and a query record with the same span share a row. BS is the block of the match, BK ``lm``
marks a mismatch with a record of the other side within 30 bases.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from varcall.scoring.options import LOOSE_MATCH_DISTANCE
from varcall.scoring.vcf_records import Record
from varcall.scoring.vcfeval.matching import ContigMatch, JudgedRecord, Verdict

Genotype = tuple[int, ...]
# Few alleles and genotypes make up most of a call set: what follows from them is kept.
_KEPT = 1 << 14


@dataclass(slots=True)
class RowSide:
    """One side of a row: genotype over the row's alleles, decision, kind of match, score."""

    genotype: Genotype = (-1,)
    is_phased: bool = False
    decision: str = "."
    kind: str = "."
    score: float = math.nan
    variant_type: str = ""  # SNP or INDEL where the comparison gives it; else from the alleles
    has_genotype: bool = True  # False: ``genotype`` only lists the alleles that were compared

    @property
    def ploidy(self) -> int:
        """Number of alleles of the genotype; 0 without one."""
        return len(self.genotype) if self.has_genotype else 0


@dataclass(slots=True)
class Row:
    """One line of the GA4GH VCF; ``start`` and ``end`` are the span of REF, 0-based half-open."""

    contig: str
    start: int
    end: int
    ref: str
    alts: tuple[str, ...]
    filters: tuple[str, ...]
    superloci: list[int] = field(default_factory=list)
    truth: RowSide = field(default_factory=RowSide)
    query: RowSide = field(default_factory=RowSide)
    regions: tuple[str, ...] = ()


# Makes the side of a judged record: with the word for a mismatch (FN, FP) and the score.
SideMaker = Callable[[JudgedRecord, str, float], RowSide]


def bare_side(record: Record) -> RowSide:
    """The genotype of a record of one sample, without a decision."""
    text = record.fields[9] if len(record.fields) > 9 else "."
    return RowSide(record.genotype or (-1,), "|" in text and "|" in text.split(":")[0])


def ga4gh_side(item: JudgedRecord, mismatch: str, score: float) -> RowSide:
    """A record's columns in vcfeval's GA4GH output."""
    side = bare_side(item.record)
    if item.verdict == Verdict.MATCH or (item.verdict == Verdict.OUTSIDE and item.weight == 0):
        side.decision, side.kind, side.score = "TP", "gm", score
    elif item.verdict == Verdict.MISMATCH:
        side.decision, side.score = mismatch, score
    elif item.verdict == Verdict.ALLELE_MATCH:
        side.decision, side.kind, side.score = mismatch, "am", score
    else:
        side.decision = "N"
    return side


@lru_cache(maxsize=_KEPT)
def _shared_alts(
    query_alts: tuple[str, ...],
    query: Genotype,
    truth_alts: tuple[str, ...],
    truth: Genotype,
) -> tuple[tuple[str, ...], Genotype, Genotype]:
    """The ALTs that either genotype has, the query's first, and both genotypes over these.

    >>> _shared_alts(("C", "G"), (0, 2), ("T", "g"), (1, 2))
    (('G', 'T'), (0, 1), (2, 1))
    """
    sides = [
        ([alt if alt.startswith("<") else alt.upper() for alt in alts], genotype)
        for alts, genotype in ((query_alts, query), (truth_alts, truth))
    ]
    used = {alts[i - 1] for alts, genotype in sides for i in genotype if i > 0}
    kept = tuple(dict.fromkeys(alt for alts, _ in sides for alt in alts if alt in used))
    own, other = (
        tuple(kept.index(alts[i - 1]) + 1 if i > 0 else i for i in genotype)
        for alts, genotype in sides
    )
    return kept, own, other


@lru_cache(maxsize=_KEPT)
def _filters(column: str) -> tuple[str, ...]:
    """Names of the filters that a record fails."""
    return tuple(name for name in column.split(";") if name not in (".", "PASS"))


def _merged(
    contig: str,
    truth: JudgedRecord | None,
    query: JudgedRecord | None,
    score: float,
    make_side: SideMaker,
) -> Row:
    """One row of a truth record, a query record, or both; unused ALTs are dropped."""
    first = query or truth
    assert first is not None
    start, ref, _, _, fields = first.record
    query_side = RowSide() if query is None else make_side(query, "FP", score)
    truth_side = RowSide() if truth is None else make_side(truth, "FN", math.nan)
    alts, query_side.genotype, truth_side.genotype = _shared_alts(
        () if query is None else query.record.alts,
        query_side.genotype,
        () if truth is None else truth.record.alts,
        truth_side.genotype,
    )
    superloci = []
    for item in (truth, query):  # the truth's block comes first
        if item is not None and item.sync and item.verdict in _IN_BLOCK:
            if item.sync not in superloci:
                superloci.append(item.sync)
    return Row(
        contig,
        start,
        start + len(ref),
        ref.upper(),
        alts,
        () if query is None else _filters(fields[6]),
        superloci,
        truth_side,
        query_side,
    )


_IN_BLOCK = (Verdict.MATCH, Verdict.MISMATCH, Verdict.ALLELE_MATCH)


@lru_cache(maxsize=_KEPT)
def _score(column: str) -> float:
    """QUAL with the precision of a VCF float; NaN when missing."""
    return math.nan if column == "." else float(np.float32(column))


def contig_rows(match: ContigMatch, make_side: SideMaker = ga4gh_side) -> list[Row]:
    """Rows of one contig, sorted by start, then end; the score is QUAL."""
    rows: list[Row] = []
    truths, queries = iter(match.truth), iter(match.query)
    next_truth, next_query = next(truths, None), next(queries, None)
    while next_truth is not None or next_query is not None:
        truth, query = next_truth, next_query
        if truth is not None and query is not None:
            here, other = truth.record, query.record
            if here.start != other.start or here.ref != other.ref:
                a, b = (here.start, here.end), (other.start, other.end)
                # vcfeval refuses two different REFs at one place; they get a row each
                if a < b or (a == b and here.ref.upper() != other.ref.upper()):
                    query = None
                elif b < a:
                    truth = None
        score = math.nan if query is None else _score(query.record.fields[5])
        rows.append(_merged(match.contig, truth, query, score, make_side))
        if truth is not None:
            next_truth = next(truths, None)
        if query is not None:
            next_query = next(queries, None)
    mark_loose_matches(rows)
    return rows


def mark_loose_matches(rows: Sequence[Row], distance: int = LOOSE_MATCH_DISTANCE) -> None:
    """Mark mismatches near a record of the other side.

    As in vcfeval, which goes through the rows once, near are the last row of the other side before
    this one, and the first one that ends behind the start of this one, which may be the same row.
    """
    starts = np.array([row.start for row in rows], np.int64)
    ends = np.array([row.end for row in rows], np.int64)
    queries, truths = [row.query for row in rows], [row.truth for row in rows]
    for sides, mismatch, others, theirs in (
        (queries, "FP", truths, ("TP", "FN")),
        (truths, "FN", queries, ("TP", "FP")),
    ):
        near = np.array([i for i, side in enumerate(others) if side.decision in theirs], np.int64)
        asked = np.array([i for i, side in enumerate(sides) if side.decision == mismatch], np.int64)
        if not len(near):
            continue
        before = np.searchsorted(near, asked)
        is_behind = starts[asked] < ends[near][before - 1] + distance
        is_near = (before > 0) & is_behind
        reach = np.maximum.accumulate(ends[near])
        after = np.searchsorted(reach, starts[asked], "right")
        first = near[np.minimum(after, len(near) - 1)]
        is_near |= (after < len(near)) & (starts[first] - distance < ends[asked])
        for i in asked[is_near].tolist():
            if sides[i].kind == ".":
                sides[i].kind = "lm"
