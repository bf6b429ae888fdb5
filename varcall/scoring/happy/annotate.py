"""hap.py's annotation of the GA4GH rows: types, regions, scores of truth records."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from varcall.scoring.happy.primitives import (
    Change,
    Composition,
    composition,
    trim_left,
    trim_right,
)
from varcall.scoring.happy.rows import AnnotatedRecord, Entry
from varcall.scoring.intervals import Intervals
from varcall.scoring.span import Bases, start_of, text_of
from varcall.scoring.vcfeval.superloci import Row, RowSide

CONFIDENT = "CONF"
BOUNDARY, CONTAINED = "TS_boundary", "TS_contained"


@dataclass(frozen=True, slots=True)
class Stratum:
    """A named set of regions, as far as it lies near the records at hand."""

    name: str
    intervals: Intervals


_NUCLEOTIDES = frozenset("ACGTURYKMSWBDHVNX")
# Few alleles make up most of a call set: what depends on their bases alone is kept.
_KEPT = 1 << 16


def _nucleotides(allele: str) -> bool:
    return bool(allele) and _NUCLEOTIDES.issuperset(allele.upper())


def affected_span(
    sequence: Bases, start: int, ref: str, alts: Sequence[str]
) -> tuple[int, int, bool]:
    """Reference span that the alleles change, 0-based half-open, and whether they only insert.

    An insertion is between two bases, so its span is these two.
    """
    here = sequence[start : start + len(ref)]
    if len(here) < len(ref):  # past the end of the contig: no bases to compare with
        return start, start + len(ref), False
    first, last, is_insertion = _relative_span(here, ref, tuple(alts))
    return start + first, start + last, is_insertion


@lru_cache(maxsize=_KEPT)
def _relative_span(sequence: str, ref: str, alts: tuple[str, ...]) -> tuple[int, int, bool]:
    """`affected_span` where the sequence is that of REF."""
    end = len(ref)
    if not _nucleotides(ref):
        return 0, end, False
    is_insertion = bool(alts)
    spans: list[tuple[int, int]] = []
    for alt in alts:
        if not _nucleotides(alt):
            break
        change = trim_left(sequence, trim_right(sequence, Change(0, end, alt), 0), 0)
        if change.ref_length > 0:
            spans.append((change.start, change.end))
            is_insertion = False
        else:
            spans.append((change.start - 1, change.start + 1))
    if not spans:
        return 0, end, is_insertion
    return min(a for a, _ in spans), max(b for _, b in spans), is_insertion


def _set_regions(sequence: Bases, rows: Sequence[Row], strata: Sequence[Stratum]) -> None:
    """Give each row the names of the regions that its alleles change bases of."""
    spans = [affected_span(sequence, row.start, row.ref, row.alts) for row in rows]
    starts, ends, insertions = np.array(spans, np.int64).reshape(-1, 3).T
    found: list[set[str]] = [set() for _ in rows]
    for stratum in strata:
        is_covered = stratum.intervals.contain(starts, ends)
        is_in = stratum.intervals.overlaps(starts, ends) & (is_covered | (insertions == 0))
        for i in np.flatnonzero(is_in).tolist():
            found[i].add(stratum.name)
        if stratum.name != CONFIDENT:
            for i in np.flatnonzero(is_in & ~is_covered).tolist():
                found[i].add(BOUNDARY)
    for row, names in zip(rows, found, strict=True):
        row.regions = tuple(sorted(names))


def _size_class(prefix: str, bases: int) -> str:
    return f"{prefix}1_5" if bases <= 5 else f"{prefix}6_15" if bases <= 15 else f"{prefix}16_plus"


def _subtypes(parts: Iterable[Composition]) -> frozenset[str]:
    names: set[str] = set()
    for part in parts:
        if part.transitions:
            names.add("ti")
        if part.transversions:
            names.add("tv")
        if part.snps and part.inserted + part.deleted:
            names.add(_size_class("c", part.inserted + part.deleted))
        if not part.snps and part.inserted:
            names.add(_size_class("i", part.inserted))
        if not part.snps and part.deleted:
            names.add(_size_class("d", part.deleted))
    return frozenset(names)


def _location_type(genotype: tuple[int, ...]) -> str:
    called = [i for i in genotype if i >= 0]
    if len(called) == len(genotype) and all(i == 0 for i in called):
        return "homref"
    if len(called) == 2:
        a, b = called
        return "het" if 0 in (a, b) else "homalt" if a == b else "hetalt"
    if len(genotype) == 2 and called:
        return "halfcall"
    return "hemi" if called else "nocall"


def _variant_type(genotype: tuple[int, ...], parts: Sequence[Composition]) -> str:
    if all(i < 0 for i in genotype):
        return "NOCALL"
    if all(i == 0 for i in genotype):
        return "HOMREF"
    if any(part.inserted or part.deleted for part in parts):
        return "INDEL"
    return "SNP" if any(part.snps for part in parts) else "UNK"


@lru_cache(maxsize=_KEPT)
def _types(
    sequence: str, alts: tuple[str, ...], genotype: tuple[int, ...]
) -> tuple[str, str, frozenset[str]]:
    """Type, genotype class and subtypes of a genotype over ALTs in the place of a sequence."""
    parts = [
        composition(sequence, Change(0, len(sequence), alts[i - 1].upper()))
        for i in sorted({i for i in genotype if i > 0})
        if _nucleotides(alts[i - 1])
    ]
    return _variant_type(genotype, parts), _location_type(genotype), _subtypes(parts)


def _entry(here: str, row: Row, side: RowSide, ploidy: int, decision: str) -> Entry:
    """What is said of one side of a row; ``here`` is the reference in its span."""
    if ploidy > 2:  # hap.py reads no genotype of a row in which one has more than two alleles
        kind = side.variant_type or "UNK"
        return Entry(decision, side.kind, kind, "ambi", frozenset(), side.score)
    genotype = side.genotype + (-1,) * (ploidy - len(side.genotype))
    variant_type, location_type, subtypes = _types(here, row.alts, genotype)
    return Entry(
        decision,
        side.kind,
        side.variant_type or variant_type,
        location_type if side.has_genotype else "nocall",
        subtypes,
        side.score,
    )


def annotate_contig(
    sequence: Bases, rows: Sequence[Row], strata: Sequence[Stratum], *, has_confident: bool
) -> list[tuple[Row, AnnotatedRecord]]:
    """Annotate the rows of one contig; rows get their regions, truth sides their scores.

    Parameters
    ----------
    sequence
        The upper-case contig.
    strata
        Stratification regions and, named ``CONF``, the confident ones.
    has_confident
        Whether there are confident regions: then everything outside is UNK.
    """
    annotated = []
    if strata:
        _set_regions(sequence, rows, strata)
    for block in _blocks(rows):
        matched = [row for row in block if row.truth.decision == "TP"]
        if matched:
            _set_truth_scores(block, matched)
            _set_filters(block, matched)
        if strata:
            _set_boundary(block)
    text, origin = text_of(sequence), start_of(sequence)
    for row in rows:
        outside = has_confident and CONFIDENT not in row.regions
        ploidy = max(row.truth.ploidy, row.query.ploidy)
        here = text[row.start - origin : row.end - origin]
        truth = _entry(here, row, row.truth, ploidy, "UNK" if outside else row.truth.decision)
        query = _entry(here, row, row.query, ploidy, "UNK" if outside else row.query.decision)
        annotated.append((row, AnnotatedRecord(row.filters, row.regions, truth, query)))
    return annotated


def _blocks(rows: Sequence[Row]) -> Iterable[list[Row]]:
    """Consecutive rows of one superlocus; rows without one stand alone."""
    block: list[Row] = []
    current = -1
    for row in rows:
        superlocus = row.superloci[0] if row.superloci else -1
        if block and (superlocus != current or superlocus < 0):
            yield block
            block = []
        block.append(row)
        current = superlocus
    if block:
        yield block


def _set_truth_scores(block: Sequence[Row], matched: Sequence[Row]) -> None:
    """Give matched truth records the score of their row's query, or the block's lowest."""
    scores = [
        row.query.score
        for row in block
        if row.query.decision == "TP" and not math.isnan(row.query.score)
    ]
    lowest = min(scores, default=math.nan)
    for row in matched:
        own = row.query.decision == "TP" and not math.isnan(row.query.score)
        row.truth.score = row.query.score if own else lowest


def _set_filters(block: Sequence[Row], matched: Sequence[Row]) -> None:
    """Give truth records the filters of the query records that match them in the block."""
    filters = sorted({name for row in block for name in row.filters})
    if not filters:
        return
    for row in matched:
        if all(i < 0 for i in row.query.genotype):
            row.filters = tuple(dict.fromkeys((*row.filters, *filters)))


def _set_boundary(block: Sequence[Row]) -> None:
    inside = any(CONFIDENT in row.regions or BOUNDARY in row.regions for row in block)
    outside = any(CONFIDENT not in row.regions or BOUNDARY in row.regions for row in block)
    if not inside:
        return
    label = BOUNDARY if outside else CONTAINED
    for row in block:
        if label not in row.regions:
            row.regions = (*row.regions, label)


def confident_variants(
    truth: Iterable[tuple[int, str, Sequence[str]]], sequence: Bases, confident: Intervals | None
) -> list[tuple[int, int]]:
    """Spans of the truth variants in the confident regions, which hap.py adds to these.

    Parameters
    ----------
    truth
        Start, REF and ALTs of the truth records of a contig, sorted.
    confident
        None takes all variants, as hap.py does with an empty BED file.

    Returns
    -------
    list of (int, int)
        Spans, 0-based half-open; overlapping ones are joined as hap.py joins them (the end of the
        later one is lost).
    """
    spans: list[tuple[int, int]] = []
    for position, ref, alts in truth:
        if confident is not None and not confident.overlap(position, position + 1):
            continue
        start, end, _ = affected_span(sequence, position, ref, alts)
        last = end - 1
        if spans and start <= spans[-1][1] and last >= spans[-1][0]:
            spans[-1] = (min(start, spans[-1][0]), max(start, spans[-1][1]))
        else:
            spans.append((start, last))
    return [(start, last + 1) for start, last in spans]
