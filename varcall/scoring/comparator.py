"""Compare two call sets over all contigs and count records by verdict."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from varcall.errors import InputError
from varcall.formats.contig_names import some_names
from varcall.inputs.contig_sequences import ContigSequences
from varcall.scoring.intervals import EMPTY, Intervals
from varcall.scoring.vcf_records import CallSet, Record
from varcall.scoring.vcfeval.matching import (
    ContigMatch,
    JudgedRecord,
    MatchOptions,
    Verdict,
    judged_records,
    match_contig,
)
from varcall.scoring.vcfeval.variants import is_snp

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """Numbers of records of one type by verdict; the two sides count their own records."""

    truth_tp: int = 0
    truth_fn: int = 0
    query_tp: int = 0
    query_fp: int = 0

    @property
    def recall(self) -> float:
        """Share of the truth that was found; NaN without truth."""
        total = self.truth_tp + self.truth_fn
        return self.truth_tp / total if total else float("nan")

    @property
    def precision(self) -> float:
        """Share of the calls that are right; NaN without calls."""
        total = self.query_tp + self.query_fp
        return self.query_tp / total if total else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; NaN where one of them is."""
        both = self.recall + self.precision
        return (
            2 * self.recall * self.precision / both if both else 0.0 if both == 0 else float("nan")
        )

    def __add__(self, other: "TypeCounts") -> "TypeCounts":
        return TypeCounts(
            self.truth_tp + other.truth_tp,
            self.truth_fn + other.truth_fn,
            self.query_tp + other.query_tp,
            self.query_fp + other.query_fp,
        )


@dataclass(slots=True)
class Comparison:
    """All contigs matched, in the order of the reference."""

    contigs: list[ContigMatch] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    options: MatchOptions = field(default_factory=MatchOptions)

    def counts(self) -> dict[str, TypeCounts]:
        """Counts of SNP and INDEL records (INDEL is everything that is no SNP)."""
        numbers = {kind: [0, 0, 0, 0] for kind in ("SNP", "INDEL")}
        for match in self.contigs:
            for items, offset, all_alts in (
                (match.truth, 0, self.options.truth_all_alts),
                (match.query, 2, self.options.query_all_alts),
            ):
                for item in items:
                    if item.verdict == Verdict.MATCH:
                        column = offset
                    elif item.verdict in (Verdict.MISMATCH, Verdict.ALLELE_MATCH):
                        column = offset + 1
                    else:
                        continue
                    numbers["SNP" if is_snp(item.record, use_all_alts=all_alts) else "INDEL"][
                        column
                    ] += 1
        return {kind: TypeCounts(*row) for kind, row in numbers.items()}


def _compared_contigs(
    truth: CallSet,
    query: CallSet,
    reference: Mapping[str, int],
    ranges: Mapping[str, Intervals] | None,
) -> list[str]:
    """Contigs with records on either side, in the order of the reference."""
    used = set(truth.contigs) | set(query.contigs)
    declared_truth = set(truth.contigs) | set(truth.declared)
    declared_query = set(query.contigs) | set(query.declared)
    if declared_truth and declared_query and not declared_truth & declared_query:
        raise InputError(
            f"truth ({some_names(sorted(declared_truth))}) and query "
            f"({some_names(sorted(declared_query))}) have no contig "
            "in common: were they made on the same reference?"
        )
    if not used & set(reference):
        names = some_names(sorted(used)) if used else "neither file has a record"
        raise InputError(
            f"no contig of truth or query is in the reference ({names}): is it the right reference?"
        )
    chosen = [
        contig for contig in reference if contig in used and (ranges is None or contig in ranges)
    ]
    if not chosen:
        raise InputError(
            "the regions hold no contig that the reference and the call sets have: check "
            "--region or --bed-regions"
        )
    return chosen


def _in_ranges(records: Iterable[Record], ranges: Intervals) -> list[Record]:
    """Records whose REF, with its anchor base, overlaps the ranges."""
    return [record for record in records if ranges.overlap(record.start, record.end)]


def _contig_warnings(
    truth: CallSet, query: CallSet, reference: Mapping[str, int], chosen: Iterable[str]
) -> list[str]:
    found = []
    for contig in chosen:
        if contig not in query.contigs:
            found.append(f"contig {contig} has truth records but no query records")
        elif contig not in truth.contigs:
            found.append(f"contig {contig} has query records but no truth records")
    for label, calls in (("truth", truth), ("query", query)):
        missing = [contig for contig in calls.contigs if contig not in reference]
        if missing:
            found.append(
                f"{label} records on contigs that the reference lacks are ignored: "
                f"{some_names(missing)}"
            )
    return found


def judged_side(
    calls: CallSet,
    label: str,
    contig: str,
    length: int,
    options: MatchOptions,
    *,
    regions: Intervals | None,
    ranges: Intervals | None,
) -> tuple[list[JudgedRecord], list[str]]:
    """Records of one file on a contig of ``length`` bases, ready to be matched.

    Parameters
    ----------
    label
        ``truth`` or ``query``.
    regions, ranges
        As for :func:`compare`, on this contig.

    Returns
    -------
    tuple
        The records in matching order, and a sentence for each one that cannot be compared.

    Raises
    ------
    InputError
        A record cannot be read as a variant.
    """
    records = calls.contigs.get(contig, [])
    if ranges is not None:
        records = _in_ranges(records, ranges)
    try:
        return judged_records(
            contig,
            records,
            options,
            length,
            regions,
            all_alts=options.truth_all_alts if label == "truth" else options.query_all_alts,
            sample_filter=lambda record: calls.value(record, "FT"),
        )
    except ValueError as error:
        raise InputError(
            f"the {label} file {calls.path} has a bad record on {contig}: {error}"
        ) from error


def compare(
    truth: CallSet,
    query: CallSet,
    reference: ContigSequences,
    options: MatchOptions,
    *,
    regions: Mapping[str, Intervals] | None = None,
    ranges: Mapping[str, Intervals] | None = None,
    threads: int = 1,
) -> Comparison:
    """Match truth and query on every contig.

    Parameters
    ----------
    regions
        Where records are counted (``-e``, the confident regions); None counts everywhere, an empty
        mapping nowhere.
    ranges
        Where records are read at all (``--bed-regions``, ``--region``).
    threads
        Contigs matched at a time.

    Raises
    ------
    InputError
        No contig in common, or a record that cannot be read as a variant.
    """
    chosen = _compared_contigs(truth, query, reference.lengths, ranges)
    result = Comparison(
        warnings=_contig_warnings(truth, query, reference.lengths, chosen)
        if ranges is None
        else [],
        options=options,
    )

    skipped: dict[str, list[str]] = {"truth": [], "query": []}

    def side(contig: str, label: str) -> list[JudgedRecord]:
        judged, notes = judged_side(
            truth if label == "truth" else query,
            label,
            contig,
            reference.lengths[contig],
            options,
            regions=None if regions is None else regions.get(contig, EMPTY),
            ranges=None if ranges is None else ranges[contig],
        )
        skipped[label].extend(notes)
        for note in notes:
            logger.debug("%s record skipped at %s", label, note)
        return judged

    with ThreadPoolExecutor(max(1, threads)) as pool:
        running: deque[Future[ContigMatch]] = deque()
        for contig in chosen:
            if len(running) > threads:  # few sequences in memory at a time
                result.contigs.append(running.popleft().result())
            sides = side(contig, "truth"), side(contig, "query")
            sequence = reference.sequence(contig)
            running.append(pool.submit(match_contig, contig, sequence, *sides, options))
        result.contigs.extend(match.result() for match in running)
    result.warnings.extend(note for match in result.contigs for note in match.warnings)
    result.warnings.extend(
        _skipped_warning(label, notes) for label, notes in skipped.items() if notes
    )
    return result


def _skipped_warning(label: str, notes: Sequence[str]) -> str:
    if len(notes) == 1:
        return f"1 {label} record could not be compared and is counted nowhere, {notes[0]}"
    return (
        f"{len(notes)} {label} records could not be compared and are counted nowhere (-v names "
        f"them), the first {notes[0]}"
    )
