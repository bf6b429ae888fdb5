"""Haplotype-aware matching of two call sets on one contig, as vcfeval does it (Cleary 2015)."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from varcall.scoring.intervals import Intervals
from varcall.scoring.span import Bases, start_of, text_of
from varcall.scoring.vcf_records import Record
from varcall.scoring.vcfeval import path_search
from varcall.scoring.vcfeval.decompose import decompose_records
from varcall.scoring.vcfeval.variants import (
    MAX_ALLELE_LENGTH,
    Allele,
    SkippedRecordError,
    Variant,
    all_alts_variant,
    orientations,
    sample_variant,
    trim_variants,
)

logger = logging.getLogger(__name__)

# vcfeval gives a region up beyond these (its defaults of max-paths and max-iterations).
MAX_PATHS = 50_000
MAX_ITERATIONS = 10_000_000
FIRST_QUEUE_SIZE = 8

# N and every IUPAC code are one "unknown" base that equals only itself, as in vcfeval.
_CODES = np.zeros(256, np.uint8)
for _code, _base in enumerate("NACGT"):
    _CODES[ord(_base)] = _CODES[ord(_base.lower())] = _code


# Bytes that sort as the codes do, but the other way round.
_INVERTED = bytes(255 - code for code in _CODES.tolist())


def encode(sequence: str) -> npt.NDArray[np.uint8]:
    """Codes of bases: N 0, A 1, C 2, G 3, T 4; any other character reads as N."""
    return _CODES[np.frombuffer(sequence.encode("latin-1"), np.uint8)]


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
    i = 0
    while i < len(records):
        j = i + 1
        while j < len(records) and records[j].start == records[i].start:
            j += 1
        ordered.extend(records[i:j] if j - i == 1 else _heap_order(records[i:j]))
        i = j
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
    record: Record,
    index: int,
    options: MatchOptions,
    length: int,
    is_sample_filtered: bool,
    all_alts: bool,
) -> Variant | None:
    longest = max(len(record.ref), *(len(alt) for alt in record.alts), 0)
    if longest > MAX_ALLELE_LENGTH:
        raise SkippedRecordError(f"an allele of {longest} bases is longer than {MAX_ALLELE_LENGTH}")
    if record.end > length:
        raise SkippedRecordError(f"it ends past the end of the contig ({length})")
    if all_alts:
        if record.is_filtered and not options.all_records:
            return None
        return all_alts_variant(record, index)
    if (record.is_filtered or is_sample_filtered) and not options.all_records:
        return None
    return sample_variant(record, index, options.ploidy)


def judged_records(
    contig: str,
    records: Sequence[Record],
    options: MatchOptions,
    length: int,
    regions: Intervals | None,
    *,
    all_alts: bool,
    sample_filter: Callable[[Record], str | None],
) -> tuple[list[JudgedRecord], list[str]]:
    """Turn the records of one side into variants; those that are not compared stay ``IGNORED``.

    Returns the records in matching order, and a sentence for each one that had to be skipped.
    """
    if options.decompose:
        records = decompose_records(records)
    judged = [JudgedRecord(record) for record in refined_order(records)]
    skipped: list[str] = []
    for index, item in enumerate(judged):
        record = item.record
        filters = sample_filter(record)
        is_sample_filtered = filters is not None and any(
            name not in ("PASS", ".") for name in filters.split(";")
        )
        try:
            item.variant = _used_variant(
                record, index, options, length, is_sample_filtered, all_alts
            )
        except SkippedRecordError as error:
            skipped.append(f"{contig}:{record.start + 1}: {error}")
    variants = [item.variant for item in judged if item.variant is not None]
    outside = {
        variant.index
        for variant in variants
        if regions is not None and not regions.overlap(variant.start, variant.end)
    }
    for index in outside:
        judged[index].is_outside = True
    if options.ref_overlap:
        trim_variants(variants)
    return judged, skipped


@dataclass(slots=True)
class _Side:
    """Flat arrays of one side for the search; records in order of their spans."""

    variants: list[Variant]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]  # [n + 1] into the orientations
    choices: list[tuple[int, ...]]
    alleles: npt.NDArray[np.int32]  # [orientations, ploidy]: rank of the allele or -1
    first: npt.NDArray[np.int32]  # [orientations]: allele index on the first haplotype
    owner: npt.NDArray[np.int32]  # [orientations]: record

    def arrays(self) -> path_search.Side:
        """The arrays in the order in which the search takes them."""
        return self.starts, self.ends, self.offsets, self.alleles, self.first, self.owner


def _rank_key(allele: Allele) -> tuple[int, int, int, bytes]:
    # vcfeval orders alleles of equal span and length by descending base code
    inverted = allele.bases.encode("latin-1").translate(_INVERTED)
    return allele.start, allele.end, len(allele.bases), inverted


def _side(
    variants: Sequence[Variant], ploidy: int, origin: int, *, squash: bool, ranks: dict[Allele, int]
) -> _Side:
    ordered = sorted(variants, key=lambda variant: (variant.start, variant.end))
    choices: list[tuple[int, ...]] = []
    offsets = [0]
    alleles: list[list[int]] = []
    owner: list[int] = []
    for i, variant in enumerate(ordered):
        for choice in orientations(variant, ploidy, squash=squash):
            choices.append(choice)
            alleles.append(
                [ranks[variant.alleles[a]] if a in variant.alleles else -1 for a in choice]
            )
            owner.append(i)
        offsets.append(len(choices))
    width = 1 if squash else ploidy
    return _Side(
        ordered,
        np.array([variant.start - origin for variant in ordered], np.int32),
        np.array([variant.end - origin for variant in ordered], np.int32),
        np.array(offsets, np.int32),
        choices,
        np.array(alleles, np.int32).reshape(-1, width),
        np.array([choice[0] for choice in choices], np.int32),
        np.array(owner, np.int32),
    )


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
    pool = sorted(
        {allele for variant in (*truth, *query) for allele in variant.alleles.values()},
        key=_rank_key,
    )
    ranks = {allele: rank for rank, allele in enumerate(pool)}
    lengths = np.array([len(allele.bases) for allele in pool], np.int32)
    a_offsets = np.zeros(len(pool), np.int32)
    np.cumsum(lengths[:-1], out=a_offsets[1:])
    ploidy = 1 if squash else options.ploidy
    q = _side(query, options.ploidy, origin, squash=squash, ranks=ranks)
    t = _side(truth, options.ploidy, origin, squash=squash, ranks=ranks)
    alleles = (
        np.array([allele.start - origin for allele in pool], np.int32),
        np.array([allele.end - origin for allele in pool], np.int32),
        lengths,
        a_offsets,
        encode("".join(allele.bases for allele in pool)),
    )
    queue_size = FIRST_QUEUE_SIZE
    while True:
        status, query_used, truth_used, syncs, hard, is_closed = path_search.search(
            template, alleles, q.arrays(), t.arrays(), ploidy, queue_size,
            options.max_paths, options.max_iterations, int(origin > 0),
        )  # fmt: skip
        if status == path_search.OK:
            break
        queue_size *= 2
    return BestPath(
        {variant.index: int(used) for variant, used in zip(q.variants, query_used, strict=True)},
        {variant.index: int(used) for variant, used in zip(t.variants, truth_used, strict=True)},
        (syncs + origin).tolist(),
        [(start + origin, end + origin, *rest) for start, end, *rest in hard.tolist()],
        is_closed,
    )


def _weights(path: BestPath, truth: list[JudgedRecord], query: list[JudgedRecord]) -> None:
    """Weigh each matching query record: truth records inside per query record of its block."""
    used_truth = sorted(
        (v.start, v.end, v.index)
        for item in truth
        if (v := item.variant) and path.truth[v.index] >= 0
    )
    used_query = sorted(
        (v.start, v.end, v.index)
        for item in query
        if (v := item.variant) and path.query[v.index] >= 0
    )
    t = q = 0
    for i, sync in enumerate(path.syncs):
        total = inside = counted = 0
        while t < len(used_truth) and used_truth[t][0] <= sync:
            total += 1
            inside += not truth[used_truth[t][2]].is_outside
            t += 1
        members: list[int] = []
        is_last = i == len(path.syncs) - 1
        while q < len(used_query) and (used_query[q][0] <= sync or is_last):
            counted += used_query[q][0] <= sync
            members.append(used_query[q][2])
            q += 1
        for index in members:
            if total and counted:
                query[index].weight = inside / counted
            else:  # past the last base of the contig a block can have no counted query record
                query[index].weight = math.inf if inside else 0.0


def _sync_starts(path: BestPath, items: list[JudgedRecord]) -> None:
    """Set the 1-based start of the sync block that each record lies in."""
    if not path.syncs:
        return
    starts = [item.variant.start - 1 for item in items if item.variant is not None]
    found = np.maximum(np.searchsorted(np.array(path.syncs), np.array(starts), "right") - 1, 0)
    for item, i in zip(
        (item for item in items if item.variant is not None), found.tolist(), strict=True
    ):
        if i < len(path.syncs):
            item.sync = path.syncs[i] + 2


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
                item.verdict = _verdict(used[item.variant.index])
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
        matched = item.verdict in (Verdict.MATCH, Verdict.ALLELE_MATCH)
        if (matched and item.weight == 0) or (item.verdict == Verdict.MISMATCH and item.is_outside):
            item.verdict = Verdict.OUTSIDE


def _verdict(used: int) -> Verdict:
    if used == path_search.SKIPPED:
        return Verdict.TOO_HARD
    return Verdict.MISMATCH if used == path_search.EXCLUDED else Verdict.MATCH


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
