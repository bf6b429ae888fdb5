"""Haplotype-aware matching of two call sets on one contig, as vcfeval does it (Cleary 2015)."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from varcall.scoring.intervals import Intervals
from varcall.scoring.span import Bases, start_of, text_of
from varcall.scoring.vcf_records import Record, has_failed
from varcall.scoring.vcfeval import path_search
from varcall.scoring.vcfeval.decompose import decompose_records
from varcall.scoring.vcfeval.search_arrays import SearchArrays, encode
from varcall.scoring.vcfeval.variants import (
    SkippedRecordError,
    Variant,
    all_alts_shape,
    check_length,
    sample_shape,
    spans,
    trim_variants,
)

logger = logging.getLogger(__name__)

# vcfeval gives a region up beyond these (its defaults of max-paths and max-iterations).
MAX_PATHS = 50_000
MAX_ITERATIONS = 10_000_000
FIRST_QUEUE_SIZE = 8


class Verdict(IntEnum):
    """Verdict of the comparison on a record."""

    IGNORED = 0  # nothing to compare: reference call, filtered, symbolic, skipped
    MATCH = 1
    MISMATCH = 2  # FN in the truth, FP in the query
    ALLELE_MATCH = 3  # mismatch that shares an allele with the other side (second pass)
    OUTSIDE = 4  # outside the evaluation regions
    TOO_HARD = 5  # in a region that was given up


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """How records are matched; the names are those of ``rtg vcfeval``."""

    all_records: bool = False
    squash_ploidy: bool = False
    ref_overlap: bool = False
    decompose: bool = False
    ploidy: int = 2
    truth_all_alts: bool = False
    query_all_alts: bool = False
    allele_pass: bool = False  # second pass on the mismatches that ignores zygosity
    max_paths: int = MAX_PATHS
    max_iterations: int = MAX_ITERATIONS


@dataclass(slots=True)
class JudgedRecord:
    """A record and its verdict."""

    record: Record
    verdict: Verdict = Verdict.IGNORED
    variant: Variant | None = None
    weight: float = 1.0  # of a matching query record: truth records per query record of its block
    sync: int = 0  # 1-based start of the block of the match, 0 when there is none
    is_outside: bool = False


@dataclass(slots=True)
class ContigMatch:
    """Both sides of a contig, judged; records are in matching order."""

    contig: str
    truth: list[JudgedRecord]
    query: list[JudgedRecord]
    warnings: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)  # by side: what is not compared
    is_open: bool = False  # what follows the part that was compared can change its verdicts


def refined_order(records: Sequence[Record]) -> list[Record]:
    """Order records of one position by the end of REF.

    vcfeval takes them through a binary heap that does not keep the order of equal ones; the same
    heap is used here, because ties between records are broken by it.
    """
    ordered: list[Record] = []
    for _, group in groupby(records, attrgetter("start")):
        same = list(group)
        ordered += same if len(same) == 1 else _heap_order(same)
    return ordered


def _heap_order(records: Sequence[Record]) -> list[Record]:
    heap: list[Record] = []
    for record in records:
        heap.append(record)
        i = len(heap) - 1
        while i > 0 and record.end < heap[(i - 1) >> 1].end:
            heap[i] = heap[(i - 1) >> 1]
            i = (i - 1) >> 1
        heap[i] = record
    taken: list[Record] = []
    while heap:
        taken.append(heap[0])
        last = heap.pop()
        if not heap:
            break
        i = 0
        while 2 * i + 1 < len(heap):
            child = 2 * i + 1
            if child + 1 < len(heap) and heap[child].end > heap[child + 1].end:
                child += 1
            if last.end <= heap[child].end:
                break
            heap[i] = heap[child]
            i = child
        heap[i] = last
    return taken


def _used_variant(
    record: Record, index: int, length: int, ploidy: int, *, is_left_out: bool, all_alts: bool
) -> Variant | None:
    _, ref, alts, genotype, _ = record
    check_length(ref, alts)
    if record.start + len(ref) > length:
        raise SkippedRecordError(f"it ends past the end of the contig ({length})")
    if is_left_out:
        return None
    shape = all_alts_shape(ref, alts) if all_alts else sample_shape(ref, alts, genotype, ploidy)
    return None if shape is None else Variant(index, record.start, shape)


def judged_records(
    contig: str,
    records: Sequence[Record],
    options: MatchOptions,
    length: int,
    regions: Intervals | None,
    *,
    all_alts: bool,
    sample_filters: Callable[[Sequence[Record]], Sequence[str | None]],
) -> tuple[list[JudgedRecord], list[str]]:
    """Turn the records of one side into variants; those that are not compared stay ``IGNORED``.

    Returns the records in matching order, and a sentence for each one that had to be skipped.
    """
    if options.decompose:
        records = decompose_records(records)
    ordered = refined_order(records)
    judged = [JudgedRecord(record) for record in ordered]
    left_out: set[int] = set()
    if not options.all_records:
        left_out = {i for i, record in enumerate(ordered) if record.is_filtered}
    if not options.all_records and not all_alts:
        own = enumerate(sample_filters(ordered))
        left_out |= {i for i, filters in own if filters is not None and has_failed(filters)}
    skipped: list[str] = []
    for index, record in enumerate(ordered):
        try:
            judged[index].variant = _used_variant(
                record, index, length, options.ploidy,
                is_left_out=index in left_out, all_alts=all_alts,
            )  # fmt: skip
        except SkippedRecordError as error:
            skipped.append(f"{contig}:{record.start + 1}: {error}")
    variants = [item.variant for item in judged if item.variant is not None]
    if regions is not None:
        starts, ends = spans(variants)
        for variant, is_inside in zip(
            variants, regions.overlaps(starts, ends).tolist(), strict=True
        ):
            judged[variant.index].is_outside = not is_inside
    if options.ref_overlap:
        trim_variants(variants)
    return judged, skipped


@dataclass(frozen=True, slots=True)
class BestPath:
    """The best path over a contig.

    ``query`` and ``truth`` hold an orientation, ``EXCLUDED`` or ``SKIPPED`` by index of record;
    ``hard`` the regions given up.
    """

    query: dict[int, int]
    truth: dict[int, int]
    syncs: list[int]
    hard: list[tuple[int, int, int, int]]
    is_closed: bool  # nothing behind the sequence at hand can change the choice


def best_path(
    template: npt.NDArray[np.uint8],
    truth: Sequence[Variant],
    query: Sequence[Variant],
    options: MatchOptions,
    *,
    squash: bool,
    origin: int = 0,
) -> BestPath:
    """Find the choice of records and orientations that uses most records with equal haplotypes.

    Parameters
    ----------
    template
        Codes of the contig from ``origin`` on, uint8 [length].
    """
    query, truth = _in_order(query), _in_order(truth)
    arrays = SearchArrays.of(query, truth, options.ploidy, origin, squash=squash)
    ploidy = 1 if squash else options.ploidy
    queue_size = FIRST_QUEUE_SIZE
    while True:
        status, query_used, truth_used, syncs, hard, is_closed = path_search.search(
            template, arrays.alleles, arrays.query, arrays.truth, ploidy, queue_size,
            options.max_paths, options.max_iterations, int(origin > 0),
        )  # fmt: skip
        if status == path_search.OK:
            break
        queue_size *= 2
    return BestPath(
        _by_index(query, query_used),
        _by_index(truth, truth_used),
        (syncs + origin).tolist(),
        [(start + origin, end + origin, *rest) for start, end, *rest in hard.tolist()],
        is_closed,
    )


def _in_order(variants: Sequence[Variant]) -> list[Variant]:
    """Variants in order of their spans."""
    starts, ends = spans(variants)
    return [variants[i] for i in np.lexsort((ends, starts)).tolist()]


def _by_index(variants: Sequence[Variant], used: npt.NDArray[np.int32]) -> dict[int, int]:
    return {item.index: what for item, what in zip(variants, used.tolist(), strict=True)}


def _weights(path: BestPath, truth: list[JudgedRecord], query: list[JudgedRecord]) -> None:
    """Weigh each matching query record: truth records inside per query record of its block."""
    if not path.syncs:
        return
    syncs = np.array(path.syncs)
    n = len(syncs)
    used_truth = [v for item in truth if (v := item.variant) and path.truth[v.index] >= 0]
    used_query = [v for item in query if (v := item.variant) and path.query[v.index] >= 0]
    truth_block = np.searchsorted(syncs, spans(used_truth)[0])
    query_block = np.searchsorted(syncs, spans(used_query)[0])
    is_inside = [not truth[v.index].is_outside for v in used_truth]
    # Behind the last sync point a truth record is of no block, a query record of the last one.
    inside = np.bincount(truth_block, is_inside, n + 1)
    total = np.bincount(truth_block, minlength=n + 1)
    counted = np.bincount(query_block, minlength=n + 1)
    for v, i in zip(used_query, np.minimum(query_block, n - 1).tolist(), strict=True):
        if total[i] and counted[i]:
            query[v.index].weight = float(inside[i] / counted[i])
        else:  # past the last base of the contig a block can have no counted query record
            query[v.index].weight = math.inf if inside[i] else 0.0


def _sync_starts(path: BestPath, items: list[JudgedRecord]) -> None:
    """Set the 1-based start of the sync block that each record lies in."""
    if not path.syncs:
        return
    syncs = np.array(path.syncs)
    compared = [item for item in items if item.variant is not None]
    starts, _ = spans([item.variant for item in compared if item.variant is not None])
    found = np.maximum(np.searchsorted(syncs, starts - 1, "right") - 1, 0)
    for item, sync in zip(compared, (syncs[found] + 2).tolist(), strict=True):
        item.sync = sync


def match_contig(
    contig: str,
    sequence: Bases,
    truth: list[JudgedRecord],
    query: list[JudgedRecord],
    options: MatchOptions,
    *,
    has_both_sides: bool = False,
) -> ContigMatch:
    """Match the two sides of one contig, or of a part, and write the verdicts into their records.

    Of a path only differences count, but for one thing: among paths with equally many records it
    matters whether both sides have used any since the contig's start. Past the first part it is
    taken that they have.

    Parameters
    ----------
    has_both_sides
        The contig has records of both sides, if not this part of it.
    """
    result = ContigMatch(contig, truth, query)
    truth_variants = [item.variant for item in truth if item.variant is not None]
    query_variants = [item.variant for item in query if item.variant is not None]
    if not has_both_sides and not (truth_variants and query_variants):
        for item in (*truth, *query):
            if item.variant is not None:
                item.verdict = Verdict.OUTSIDE if item.is_outside else Verdict.MISMATCH
        return result
    template, origin = encode(text_of(sequence)), start_of(sequence)
    path = best_path(
        template,
        truth_variants,
        query_variants,
        options,
        squash=options.squash_ploidy,
        origin=origin,
    )
    result.is_open = not path.is_closed
    result.warnings.extend(_hard_warning(contig, region) for region in path.hard)
    _weights(path, truth, query)
    for items, used in ((truth, path.truth), (query, path.query)):
        _sync_starts(path, items)
        for item in items:
            if item.variant is not None:
                item.verdict = _VERDICTS.get(used[item.variant.index], Verdict.MATCH)
    if options.allele_pass:
        _allele_pass(template, origin, result, options)
    _leave_out(truth, query)
    return result


def _leave_out(truth: list[JudgedRecord], query: list[JudgedRecord]) -> None:
    """Set verdicts of records outside the regions; a match goes with the truth records it has."""
    for item in truth:
        if item.is_outside and item.verdict != Verdict.TOO_HARD:
            item.verdict = Verdict.OUTSIDE
    for item in query:
        if item.verdict == Verdict.MISMATCH:
            is_outside = item.is_outside
        else:
            is_outside = item.weight == 0 and item.verdict in (Verdict.MATCH, Verdict.ALLELE_MATCH)
        if is_outside:
            item.verdict = Verdict.OUTSIDE


# Verdicts on records that the best path does not use.
_VERDICTS = {
    path_search.SKIPPED: Verdict.TOO_HARD,
    path_search.EXCLUDED: Verdict.MISMATCH,
}


def _hard_warning(contig: str, region: tuple[int, int, int, int]) -> str:
    start, end, paths, iterations = region
    return (
        f"{contig}:{start + 1}-{end + 1} is too complex to compare ({paths} paths, "
        f"{iterations} steps): "
        "its records are left out of all counts"
    )


def _allele_pass(
    template: npt.NDArray[np.uint8], origin: int, result: ContigMatch, options: MatchOptions
) -> None:
    """Match the mismatches once more without regard to zygosity: which of them share an allele."""
    truth = [item for item in result.truth if item.verdict == Verdict.MISMATCH]
    query = [item for item in result.query if item.verdict == Verdict.MISMATCH]
    truth_variants = [item.variant for item in truth if item.variant is not None]
    query_variants = [item.variant for item in query if item.variant is not None]
    path = best_path(template, truth_variants, query_variants, options, squash=True, origin=origin)
    result.is_open |= not path.is_closed
    result.warnings.extend(_hard_warning(result.contig, region) for region in path.hard)
    for items, used in ((truth, path.truth), (query, path.query)):
        _sync_starts(path, items)
        for item in items:
            assert item.variant is not None
            status = used[item.variant.index]
            if status >= 0:
                item.verdict = Verdict.ALLELE_MATCH
            elif status == path_search.SKIPPED:
                item.verdict = Verdict.TOO_HARD
