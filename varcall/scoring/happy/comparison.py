"""The comparison as hap.py makes it: prepared query, matching, types and regions, tables."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from varcall.formats.contig_names import some_names
from varcall.inputs.contig_sequences import ContigSequences
from varcall.scoring.comparator import compare
from varcall.scoring.evaluation import Inputs
from varcall.scoring.happy.annotate import (
    BOUNDARY,
    CONFIDENT,
    CONTAINED,
    Stratum,
    annotate_contig,
    confident_variants,
)
from varcall.scoring.happy.normalize_query import normalize_contig
from varcall.scoring.happy.rows import AnnotatedRecord, count_rows
from varcall.scoring.happy.rows import Row as TableRow
from varcall.scoring.intervals import EMPTY, Intervals
from varcall.scoring.scores import score_of
from varcall.scoring.vcf_records import CallSet, Record
from varcall.scoring.vcfeval.matching import MatchOptions
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
    """Rows of the annotated VCF in reference order, and of the tables."""

    rows: list[Row]
    records: list[AnnotatedRecord]
    table: list[TableRow]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Subsets:
    """Regions that get rows of their own.

    ``stratification`` has the rows of the BED file of each named region, by contig;
    ``confident_size`` the bases of the rows of the confident BED file, overlaps counted twice
    (hap.py's Subset.Size).
    """

    stratification: Mapping[str, Mapping[str, list[tuple[int, int]]]] = field(default_factory=dict)
    confident_size: int = 0


def _is_haploid_x(truth: CallSet) -> bool:
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
    found = []
    for record in records:
        fields = record.fields if column < 0 else (*record.fields[:9], record.fields[column])
        found.append(record if fields == record.fields else replace(record, fields=fields))
    return found


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
    return replace(record, fields=(*record.fields[:5], text, *record.fields[6:]))


def _doubled(records: Sequence[Record]) -> list[Record]:
    """Haploid genotypes written as homozygous."""
    return [
        replace(record, genotype=record.genotype * 2)
        if record.genotype is not None and len(record.genotype) == 1
        else record
        for record in records
    ]


def _prepared(inputs: Inputs, options: HappyOptions) -> tuple[CallSet, CallSet]:
    """Truth without its filtered records, query in primitives; only contigs of the truth."""
    truth: dict[str, list[Record]] = {}
    query: dict[str, list[Record]] = {}
    is_haploid_x = _is_haploid_x(inputs.truth)
    for contig in inputs.truth.contigs:
        if contig not in inputs.reference.lengths:
            continue
        ranges = None if inputs.ranges is None else inputs.ranges.get(contig, EMPTY)
        double = options.double_haploid or (is_haploid_x and contig in SEX_CONTIGS)
        records = [
            record
            for record in inputs.truth.contigs[contig]
            if _is_read(record, ranges)
            and _has_ploidy(record, options.ploidy)
            and (options.use_filtered_truth or not record.is_filtered)
        ]
        records = own_column(records, inputs.truth.sample_column)
        if not records:
            continue
        truth[contig] = _doubled(records) if double else records
        calls = [
            scored(inputs.query, record, options)
            for record in inputs.query.contigs.get(contig, [])
            if _is_read(record, ranges)
            and _has_ploidy(record, options.ploidy)
            and not (options.pass_only and record.is_filtered)
        ]
        calls = own_column(calls, inputs.query.sample_column)
        query[contig] = normalize_contig(
            inputs.reference.sequence(contig), contig, calls, double_haploid=double
        )
    query = {contig: records for contig, records in query.items() if records}
    return replace(inputs.truth, contigs=truth, sample_column=9), replace(
        inputs.query, contigs=query, sample_column=9
    )


def _is_read(record: Record, ranges: Intervals | None) -> bool:
    # bcftools view -T/-t takes a record by its POS
    return ranges is None or ranges.overlap(record.start, record.start + 1)


def _has_ploidy(record: Record, ploidy: int) -> bool:
    return ploidy == 2 or record.genotype is None or len(record.genotype) == ploidy


def _strata(
    inputs: Inputs,
    truth: CallSet,
    subsets: Subsets,
) -> list[Stratum]:
    found = []
    if inputs.confident is not None:
        intervals: dict[str, Intervals] = {}
        size = subsets.confident_size
        for contig in {*inputs.confident, *truth.contigs}:
            regions = inputs.confident.get(contig, EMPTY) if inputs.confident else None
            spans = confident_variants(
                (
                    (record.start, record.ref, record.alts)
                    for record in truth.contigs.get(contig, [])
                ),
                inputs.reference.sequence(contig) if contig in truth.contigs else "",
                regions,
            )
            size += sum(end - start for start, end in spans)
            intervals[contig] = Intervals.merged([*(regions.pairs() if regions else ()), *spans])
        found.append(Stratum(CONFIDENT, intervals, size))
    for name, rows in subsets.stratification.items():
        merged = {contig: Intervals.merged(pairs) for contig, pairs in rows.items()}
        found.append(
            Stratum(
                name, merged, sum(end - start for pairs in rows.values() for start, end in pairs)
            )
        )
    return found


def _sizes(
    strata: Sequence[Stratum], reference: ContigSequences, contigs: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Columns Subset.Size, Subset.IS_CONF.Size and Subset.Level of every subset."""
    confident = next((stratum for stratum in strata if stratum.name == CONFIDENT), None)
    in_use = [contig for contig in reference.lengths if strata or contig in contigs]
    called = {contig: called_length(reference.sequence(contig)) for contig in in_use}

    def row(size: float | int, shared: int | None, level: int = 0) -> dict[str, str]:
        text = str(size) if isinstance(size, int) else f"{size:.6f}"
        columns = {"Subset.Size": text, "Subset.Level": f"{level:.6f}"}
        # hap.py has the column only where there are confident regions
        return columns | {"Subset.IS_CONF.Size": "" if shared is None else f"{shared:.6f}"}

    inside = None if confident is None else confident.size
    sizes = {"*": row(sum(called[contig] for contig in contigs), inside)}
    sizes[BOUNDARY] = row(float(sum(called.values())), inside)
    sizes[CONTAINED] = row(float(inside or 0), inside)
    for stratum in strata:
        if stratum is confident:
            continue
        shared = None
        if confident is not None:
            shared = sum(
                intervals.intersected(confident.intervals.get(contig, EMPTY)).size()
                for contig, intervals in stratum.intervals.items()
            )
        sizes[stratum.name] = row(float(stratum.size), shared, stratum.level)
    return sizes


def called_length(sequence: str) -> int:
    """Length without the runs of N at both ends."""
    return len(sequence.strip("N"))


# Makes the GA4GH rows of prepared call sets: by contig, with warnings.
Matcher = Callable[[CallSet, CallSet], tuple[dict[str, list[Row]], list[str]]]


def builtin_matcher(inputs: Inputs, options: HappyOptions, threads: int) -> Matcher:
    """The built-in comparator with the options under which hap.py runs vcfeval."""
    match_options = MatchOptions(
        all_records=not options.pass_only,
        ref_overlap=True,
        allele_pass=True,
    )

    def matched(truth: CallSet, query: CallSet) -> tuple[dict[str, list[Row]], list[str]]:
        comparison = compare(truth, query, inputs.reference, match_options, threads=threads)
        rows = {match.contig: contig_rows(match) for match in comparison.contigs}
        return rows, comparison.warnings

    return matched


def run_happy(
    inputs: Inputs,
    options: HappyOptions,
    *,
    subsets: Subsets | None = None,
    threads: int = 1,
    matcher: Matcher | None = None,
) -> HappyResult:
    """Compare as hap.py does with its vcfeval engine.

    Parameters
    ----------
    matcher
        What compares; the built-in comparator when None.
    """
    truth, query = _prepared(inputs, options)
    warnings = []
    left_out = [contig for contig in inputs.query.contigs if contig not in truth.contigs]
    if left_out:
        warnings.append(
            "the tables leave out, as hap.py does, query records on contigs without truth records: "
            + some_names(left_out)
        )
    if inputs.confident is not None and not inputs.confident:
        warnings.append(
            "the BED file of confident regions has no rows: the tables count every record, as "
            "hap.py does, and the split files and --counts none, as rtg does"
        )
    if not truth.contigs:
        return HappyResult(
            [], [], [], [*warnings, "the truth has no records: the tables are empty"]
        )
    by_contig, notes = (matcher or builtin_matcher(inputs, options, threads))(truth, query)
    result = tabulated(inputs, truth, by_contig, options.score_name, subsets, only_confident=True)
    return replace(result, warnings=[*warnings, *notes])


def tabulated(
    inputs: Inputs,
    truth: CallSet,
    by_contig: Mapping[str, list[Row]],
    score_name: str,
    subsets: Subsets | None,
    *,
    only_confident: bool,
) -> HappyResult:
    """Annotate the rows of all contigs and count them.

    Parameters
    ----------
    truth
        The truth as it was compared.
    only_confident
        What lies outside the confident regions becomes UNK, whatever its verdict.
    """
    subsets = subsets or Subsets()
    strata = _strata(inputs, truth, subsets)
    has_confident = only_confident and any(stratum.name == CONFIDENT for stratum in strata)
    rows: list[Row] = []
    records: list[AnnotatedRecord] = []
    used = [contig for contig in inputs.reference.lengths if contig in by_contig]
    for contig in used:
        sequence = inputs.reference.sequence(contig)
        annotated = annotate_contig(
            sequence, by_contig[contig], strata, has_confident=has_confident
        )
        rows.extend(row for row, _ in annotated)
        records.extend(record for _, record in annotated)
    names = [stratum.name for stratum in strata if stratum.name != CONFIDENT]
    sizes = _sizes(strata, inputs.reference, used)
    return HappyResult(rows, records, count_rows(records, score_name, names, sizes), [])
