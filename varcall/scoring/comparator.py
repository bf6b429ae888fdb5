"""Compare two call sets over all contigs and count records by verdict."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from varcall.errors import InputError
from varcall.formats.contig_names import some_names
from varcall.inputs.contig_sequences import ContigReader
from varcall.scoring.intervals import EMPTY, Intervals
from varcall.scoring.span import Bases
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


TYPES = ("SNP", "INDEL")


def count_records(match: ContigMatch, options: MatchOptions) -> dict[str, TypeCounts]:
    """Counts of SNP and INDEL records (INDEL is everything that is no SNP)."""
    numbers = {kind: [0, 0, 0, 0] for kind in TYPES}
    for items, offset, all_alts in (
        (match.truth, 0, options.truth_all_alts),
        (match.query, 2, options.query_all_alts),
    ):
        for item in items:
            if item.verdict == Verdict.MATCH:
                column = offset
            elif item.verdict in (Verdict.MISMATCH, Verdict.ALLELE_MATCH):
                column = offset + 1
            else:
                continue
            kind = "SNP" if is_snp(item.record, use_all_alts=all_alts) else "INDEL"
            numbers[kind][column] += 1
    return {kind: TypeCounts(*row) for kind, row in numbers.items()}


def total_counts(parts: Iterable[Mapping[str, TypeCounts]]) -> dict[str, TypeCounts]:
    """Sum of the counts of all contigs."""
    total = {kind: TypeCounts() for kind in TYPES}
    for part in parts:
        for kind, counts in part.items():
            total[kind] += counts
    return total


@dataclass(slots=True)
class Comparison:
    """All contigs matched, in the order of the reference."""

    contigs: list[ContigMatch] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    options: MatchOptions = field(default_factory=MatchOptions)

    def counts(self) -> dict[str, TypeCounts]:
        """Counts of records by type."""
        return total_counts(count_records(match, self.options) for match in self.contigs)


class WithContigs(Protocol):
    """A call set as far as its contigs go: those with records, and those of the header."""

    @property
    def contigs(self) -> Collection[str]:
        """Contigs with records, in the order of the file."""
        ...

    @property
    def declared(self) -> Collection[str]:
        """Contigs of the header."""
        ...


def compared_contigs(
    truth: WithContigs,
    query: WithContigs,
    reference: Mapping[str, int],
    ranges: Mapping[str, Intervals] | None,
) -> list[str]:
    """Contigs with records on either side, in the order of the reference.

    Raises
    ------
    InputError
        There is none, or truth and query have none in common.
    """
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


def contig_warnings(
    truth: WithContigs, query: WithContigs, reference: Mapping[str, int], chosen: Iterable[str]
) -> list[str]:
    """A sentence for each contig with records on one side only, and for those of no reference."""
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
            sample_filters=lambda ordered: calls.values(ordered, "FT"),
        )
    except ValueError as error:
        raise InputError(
            f"the {label} file {calls.path} has a bad record on {contig}: {error}"
        ) from error


def compare_contig(
    truth: CallSet,
    query: CallSet,
    contig: str,
    sequence: Bases,
    length: int,
    options: MatchOptions,
    *,
    regions: Intervals | None,
    ranges: Intervals | None,
    has_both_sides: bool = False,
) -> ContigMatch:
    """Match truth and query on a contig of ``length`` bases, or on a part of it.

    Parameters
    ----------
    sequence
        The contig, or the part that the records lie in.
    regions, ranges
        As for :func:`compare`, on this contig.
    has_both_sides
        As for `match_contig`.

    Raises
    ------
    InputError
        A record cannot be read as a variant.
    """
    sides: dict[str, list[JudgedRecord]] = {}
    skipped: dict[str, list[str]] = {}
    for label, calls in (("truth", truth), ("query", query)):
        sides[label], skipped[label] = judged_side(
            calls, label, contig, length, options, regions=regions, ranges=ranges
        )
        for note in skipped[label]:
            logger.debug("%s record skipped at %s", label, note)
    match = match_contig(
        contig,
        sequence,
        sides["truth"],
        sides["query"],
        options,
        has_both_sides=has_both_sides,
    )
    match.skipped = skipped
    return match


def compare(
    truth: CallSet,
    query: CallSet,
    reference: ContigReader,
    options: MatchOptions,
    *,
    regions: Mapping[str, Intervals] | None = None,
    ranges: Mapping[str, Intervals] | None = None,
) -> Comparison:
    """Match truth and query on every contig.

    Parameters
    ----------
    regions
        Where records are counted (``-e``, the confident regions); None counts everywhere, an empty
        mapping nowhere.
    ranges
        Where records are read at all (``--bed-regions``, ``--region``).

    Raises
    ------
    InputError
        No contig in common, or a record that cannot be read as a variant.
    """
    chosen = compared_contigs(truth, query, reference.lengths, ranges)
    result = Comparison(options=options)
    if ranges is None:
        result.warnings = contig_warnings(truth, query, reference.lengths, chosen)
    for contig in chosen:
        result.contigs.append(
            compare_contig(
                truth, query, contig, reference.sequence(contig), reference.lengths[contig],
                options,
                regions=None if regions is None else regions.get(contig, EMPTY),
                ranges=None if ranges is None else ranges[contig],
            )
        )  # fmt: skip
    result.warnings.extend(match_warnings(result.contigs))
    return result


def match_warnings(matches: Sequence[ContigMatch]) -> list[str]:
    """Sentences about what could not be compared."""
    skipped = {
        label: [note for match in matches for note in match.skipped.get(label, [])]
        for label in ("truth", "query")
    }
    return [
        *(note for match in matches for note in match.warnings),
        *(skipped_warning(label, notes) for label, notes in skipped.items() if notes),
    ]


def skipped_warning(label: str, notes: Sequence[str]) -> str:
    """A sentence about the records of a side that could not be compared."""
    if len(notes) == 1:
        return f"1 {label} record could not be compared and is counted nowhere, {notes[0]}"
    return (
        f"{len(notes)} {label} records could not be compared and are counted nowhere (-v names "
        f"them), the first {notes[0]}"
    )
