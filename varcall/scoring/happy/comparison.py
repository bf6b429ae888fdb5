"""The comparison as hap.py makes it: prepared query, matching, types and regions, tables."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from varcall.scoring.comparator import compare_contig, match_warnings
from varcall.scoring.evaluation import Inputs
from varcall.scoring.happy.normalize_query import normalize_contig
from varcall.scoring.happy.rows import Row as TableRow
from varcall.scoring.happy.table_totals import StretchPlace, Subsets, TableTotals, annotated
from varcall.scoring.intervals import EMPTY, Intervals
from varcall.scoring.scores import score_of
from varcall.scoring.span import Bases
from varcall.scoring.vcf_records import CallSet, Record
from varcall.scoring.vcfeval.matching import ContigMatch, MatchOptions
from varcall.scoring.vcfeval.superloci import Row, contig_rows

SEX_CONTIGS = frozenset({"X", "chrX", "Y", "chrY"})
X_CONTIGS = ("X", "chrX", "x", "chrx")


@dataclass(frozen=True, slots=True)
class HappyOptions:
    """What changes hap.py's counting."""

    use_filtered_truth: bool = False
    pass_only: bool = False
    # hap.py doubles haploid genotypes on X and Y of a male truth only: elsewhere a call of 1
    # becomes 0/1 and does not even match itself
    double_haploid: bool = False
    ploidy: int = 2  # 1 leaves out what has another number of alleles, as vcfeval does
    score_name: str = "QUAL"
    low_scores_first: bool = False


@dataclass(frozen=True, slots=True)
class HappyResult:
    """Rows of the tables, and what was odd."""

    table: list[TableRow]
    warnings: list[str]


def is_haploid_x(truth: CallSet) -> bool:
    """Whether the truth's X has haploid genotypes only (hap.py's sign of a male sample)."""
    ploidies = {
        len(record.genotype)
        for contig in X_CONTIGS
        for record in truth.contigs.get(contig, [])
        if record.genotype
    }
    return ploidies == {1}


def own_column(records: Iterable[Record], column: int) -> list[Record]:
    """Records cut down to the chosen sample's column."""
    return [
        record
        if column < 0 or column + 1 == len(record.fields) == 10
        else record._replace(fields=(*record.fields[:9], record.fields[column]))
        for record in records
    ]


def scored(calls: CallSet, record: Record, options: HappyOptions) -> Record:
    """The record with the chosen score in the place of QUAL, which becomes QQ.

    Where low scores are good their sign is changed, since QQ is better when higher.
    """
    if options.score_name == "QUAL" and not options.low_scores_first:
        return record
    score = score_of(calls, record, options.score_name)
    if options.low_scores_first:
        score = -score
    text = "." if math.isnan(score) else repr(score)
    return record._replace(fields=(*record.fields[:5], text, *record.fields[6:]))


def _doubled(records: Sequence[Record]) -> list[Record]:
    """Haploid genotypes written as homozygous."""
    return [
        record._replace(genotype=record.genotype * 2)
        if record.genotype is not None and len(record.genotype) == 1
        else record
        for record in records
    ]


def prepared_records(
    inputs: Inputs, contig: str, sequence: Bases, options: HappyOptions, *, double: bool
) -> tuple[list[Record], list[Record]]:
    """Truth without its filtered records, and the query in primitives, on one contig."""
    ranges = None if inputs.ranges is None else inputs.ranges.get(contig, EMPTY)
    truth = [
        record
        for record in inputs.truth.contigs.get(contig, [])
        if _is_read(record, ranges)
        and _has_ploidy(record, options.ploidy)
        and (options.use_filtered_truth or not record.is_filtered)
    ]
    truth = own_column(truth, inputs.truth.sample_column)
    calls = [
        scored(inputs.query, record, options)
        for record in inputs.query.contigs.get(contig, [])
        if _is_read(record, ranges)
        and _has_ploidy(record, options.ploidy)
        and not (options.pass_only and record.is_filtered)
    ]
    calls = own_column(calls, inputs.query.sample_column)
    query = normalize_contig(sequence, contig, calls, double_haploid=double)
    return _doubled(truth) if double else truth, query


def one_contig(calls: CallSet, contig: str, records: list[Record]) -> CallSet:
    """A call set of prepared records, which have the chosen sample's column alone."""
    return replace(calls, contigs={contig: records} if records else {}, sample_column=9)


def _is_read(record: Record, ranges: Intervals | None) -> bool:
    # bcftools view -T/-t takes a record by its POS
    return ranges is None or ranges.overlap(record.start, record.start + 1)


def _has_ploidy(record: Record, ploidy: int) -> bool:
    return ploidy == 2 or record.genotype is None or len(record.genotype) == ploidy


def happy_matching(options: HappyOptions) -> MatchOptions:
    """The options under which hap.py runs vcfeval."""
    return MatchOptions(all_records=not options.pass_only, ref_overlap=True, allele_pass=True)


def builtin_match(
    truth: CallSet,
    query: CallSet,
    place: StretchPlace,
    length: int,
    options: HappyOptions,
    *,
    has_both_sides: bool = False,
) -> ContigMatch:
    """The built-in comparator's match of prepared records, on a contig of ``length`` bases."""
    return compare_contig(
        truth,
        query,
        place.contig,
        place.sequence,
        length,
        happy_matching(options),
        regions=None,
        ranges=None,
        has_both_sides=has_both_sides,
    )


# Prepared records of truth and query by contig, and what makes GA4GH rows of such call sets.
Prepared = dict[str, tuple[list[Record], list[Record]]]
Matcher = Callable[[CallSet, CallSet], dict[str, list[Row]]]


def run_happy(
    inputs: Inputs,
    options: HappyOptions,
    *,
    subsets: Subsets | None = None,
    matcher: Matcher | None = None,
) -> HappyResult:
    """Compare as hap.py does with its vcfeval engine.

    Parameters
    ----------
    matcher
        What compares; the built-in comparator when None.
    """
    totals = TableTotals(subsets or Subsets(), inputs.confident, inputs.reference)
    matches = []
    prepared = prepared_contigs(inputs, options)
    by_contig = None if matcher is None else matched_rows(inputs, prepared, matcher)
    for contig, (truth, query) in prepared.items():
        place = StretchPlace.whole(contig, inputs.reference)
        if by_contig is None:
            sides = one_contig(inputs.truth, contig, truth), one_contig(inputs.query, contig, query)
            match = builtin_match(*sides, place, inputs.reference.lengths[contig], options)
            matches.append(match)
            rows = contig_rows(match)
        else:
            rows = by_contig.get(contig, [])
        totals.add(annotated(rows, place, totals.subsets, inputs.confident, truth, query).part)
    warnings = [*totals.warnings(inputs.query.contigs), *match_warnings(matches)]
    return HappyResult(totals.table(options.score_name), warnings)


def prepared_contigs(inputs: Inputs, options: HappyOptions) -> Prepared:
    """Prepared records on the contigs where the truth has any."""
    found = {}
    is_male = is_haploid_x(inputs.truth)
    for contig in inputs.reference.lengths:
        if contig in inputs.truth.contigs:
            double = options.double_haploid or (is_male and contig in SEX_CONTIGS)
            sequence = inputs.reference.sequence(contig)
            truth, query = prepared_records(inputs, contig, sequence, options, double=double)
            if truth:
                found[contig] = truth, query
    return found


def matched_rows(inputs: Inputs, prepared: Prepared, matcher: Matcher) -> dict[str, list[Row]]:
    """Rows of all contigs by a comparator that takes whole call sets."""
    if not prepared:
        return {}
    truth = {contig: records for contig, (records, _) in prepared.items()}
    query = {contig: records for contig, (_, records) in prepared.items() if records}
    return matcher(
        replace(inputs.truth, contigs=truth, sample_column=9),
        replace(inputs.query, contigs=query, sample_column=9),
    )
