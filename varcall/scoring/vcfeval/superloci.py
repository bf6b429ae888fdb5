"""The judged records of both sides in the GA4GH form, as ``rtg vcfeval -m ga4gh`` has it.

A truth and a query record with the same span share a row. BS is the block of the match, BK ``lm``
marks a mismatch with a record of the other side within 30 bases.
"""

import math
from collections import deque
from collections.abc import Callable
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
    return RowSide(record.genotype or (-1,), "|" in text.split(":")[0])


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
    record = first.record
    query_side = RowSide() if query is None else make_side(query, "FP", score)
    truth_side = RowSide() if truth is None else make_side(truth, "FN", math.nan)
    alts, query_side.genotype, truth_side.genotype = _shared_alts(
        () if query is None else query.record.alts,
        query_side.genotype,
        () if truth is None else truth.record.alts,
        truth_side.genotype,
    )
    superloci = [
        item.sync
        for item in (truth, query)  # the truth's block comes first
        if item is not None and item.sync and item.verdict in _IN_BLOCK
    ]
    return Row(
        contig,
        record.start,
        record.end,
        record.ref.upper(),
        alts,
        () if query is None else _filters(record.fields[6]),
        list(dict.fromkeys(superloci)),
        truth_side,
        query_side,
    )


_IN_BLOCK = (Verdict.MATCH, Verdict.MISMATCH, Verdict.ALLELE_MATCH)


def _score(record: Record) -> float:
    """QUAL with the precision of a VCF float; NaN when missing."""
    text = record.fields[5]
    return math.nan if text == "." else float(np.float32(text))


def contig_rows(match: ContigMatch, make_side: SideMaker = ga4gh_side) -> list[Row]:
    """Rows of one contig, sorted by start, then end; the score is QUAL."""
    rows: list[Row] = []
    t = q = 0
    while t < len(match.truth) or q < len(match.query):
        truth = match.truth[t] if t < len(match.truth) else None
        query = match.query[q] if q < len(match.query) else None
        if truth is not None and query is not None:
            a, b = (truth.record.start, truth.record.end), (query.record.start, query.record.end)
            # vcfeval refuses two different REFs at one place; they get a row each
            is_same_ref = truth.record.ref.upper() == query.record.ref.upper()
            if a < b or (a == b and not is_same_ref):
                query = None
            elif b < a:
                truth = None
        score = math.nan if query is None else _score(query.record)
        rows.append(_merged(match.contig, truth, query, score, make_side))
        t += truth is not None
        q += query is not None
    _mark_loose_matches(rows)
    return rows


@dataclass(slots=True)
class _LooseMatcher:
    """Marks mismatches near a record of the other side, in vcfeval's streaming order."""

    distance: int
    waiting: deque[Row] = field(default_factory=deque)
    near_truth: deque[Row] = field(default_factory=deque)
    near_query: deque[Row] = field(default_factory=deque)

    def take(self, row: Row) -> None:
        """Mark a row by what came before it, and let it wait for what comes after."""
        while self.waiting and self.waiting[0].end < row.start - self.distance:
            self.release()
        for side, decision, near in self._pairs(row):
            if _is_unmarked(side, decision) and near and row.start < near[-1].end + self.distance:
                side.kind = "lm"
        self.waiting.append(row)
        if row.query.decision in ("TP", "FP"):
            self.near_query.append(row)
        if row.truth.decision in ("TP", "FN"):
            self.near_truth.append(row)

    def release(self) -> None:
        """Mark the first waiting row by what came after it."""
        row = self.waiting.popleft()
        for near in (self.near_truth, self.near_query):
            while near and near[0].end <= row.start:
                near.popleft()
        for side, decision, near in self._pairs(row):
            if _is_unmarked(side, decision) and near and near[0].start - self.distance < row.end:
                side.kind = "lm"

    def _pairs(self, row: Row) -> tuple[tuple[RowSide, str, deque[Row]], ...]:
        return (row.query, "FP", self.near_truth), (row.truth, "FN", self.near_query)


def _is_unmarked(side: RowSide, decision: str) -> bool:
    return side.decision == decision and side.kind == "."


def _mark_loose_matches(rows: list[Row], distance: int = LOOSE_MATCH_DISTANCE) -> None:
    matcher = _LooseMatcher(distance)
    for row in rows:
        matcher.take(row)
    while matcher.waiting:
        matcher.release()
