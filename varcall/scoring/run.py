"""``run_eval``: from the options to the files of the report."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.formats.text import write_text
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.scoring.comparator import Comparison, TypeCounts, compare
from varcall.scoring.evaluation import Inputs, haploid_note, read_inputs
from varcall.scoring.files import (
    CALLERS,
    INTERVALS,
    caller_names,
    caller_prefix,
    check_eval_files,
    rtg_folder,
    sdf_folder,
)
from varcall.scoring.ga4gh_vcf import write_annotated, write_split
from varcall.scoring.happy.comparison import HappyOptions, HappyResult, Matcher, Subsets, run_happy
from varcall.scoring.happy.record_tables import run_records
from varcall.scoring.happy.rows import Row
from varcall.scoring.happy.tables import (
    SUMMARY,
    csv_text,
    extended_rows,
    summary_rows,
    write_tables,
)
from varcall.scoring.intervals import read_bed
from varcall.scoring.metrics import (
    INTERVAL_COLUMNS,
    CalibrationBin,
    calibration,
    interval_row,
)
from varcall.scoring.options import DEFAULT_SCORE_FIELD, EvalOptions
from varcall.scoring.plots import plot_calibration, plot_precision_recall
from varcall.scoring.rtg.comparison import RtgEngine
from varcall.scoring.rtg.program import Rtg, find_rtg
from varcall.scoring.strata import read_stratification
from varcall.scoring.table import summary_table
from varcall.scoring.uncounted import uncounted_notes
from varcall.scoring.vcfeval.matching import Verdict

logger = logging.getLogger(__name__)

HAPPY_COUNTS = ("TRUTH.TP", "TRUTH.FN", "QUERY.FP", "QUERY.UNK", "FP.gt", "FP.al")


@dataclass(slots=True)
class CallerResult:
    """What the evaluation of one call set gave."""

    name: str
    counts: dict[str, TypeCounts]
    happy: HappyResult | None = None
    calibration: list[CalibrationBin] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def table(self) -> list[Row]:
        """Rows of hap.py's tables; none when only counts were wanted."""
        return self.happy.table if self.happy else []


def _counts_json(result: CallerResult) -> dict[str, object]:
    document: dict[str, object] = {
        kind: {
            "TRUTH.TP": c.truth_tp,
            "TRUTH.FN": c.truth_fn,
            "QUERY.TP": c.query_tp,
            "QUERY.FP": c.query_fp,
        }
        for kind, c in result.counts.items()
    }
    total = result.counts["SNP"] + result.counts["INDEL"]
    document |= {"tp_baseline": total.truth_tp, "tp_call": total.query_tp}
    document |= {"fp": total.query_fp, "fn": total.truth_fn}
    if result.happy is not None:
        document["happy"] = {
            row["Type"]: {name: int(row[name]) for name in HAPPY_COUNTS}
            for row in summary_rows(result.table)
            if row["Filter"] == "ALL"
        }
    return document


def _choose_engine(options: EvalOptions) -> RtgEngine | None:
    """Take rtg where it is there, with the formatted reference; None is the built-in one."""
    program = None if options.engine == "builtin" else find_rtg()
    if program is None:
        if options.engine == "rtg":
            raise InputError(
                "there is no rtg on PATH: install RTG Tools (Java 8 or later), or use "
                "--engine builtin"
            )
        logger.info("engine: built-in comparator")
        return None
    rtg = Rtg(program, options.rtg_memory, options.threads)
    logger.info("engine: %s at %s", rtg.version(), program)
    sdf = rtg.formatted(options.reference, sdf_folder(options))
    return RtgEngine(rtg, sdf, rtg_folder(options, caller_names(options)[0]))


def _scored(inputs: Inputs, comparison: Comparison) -> Iterable[tuple[float, bool]]:
    """GQ and correctness of the query records that count."""
    for match in comparison.contigs:
        for item in match.query:
            if item.verdict in (Verdict.MATCH, Verdict.MISMATCH):
                text = inputs.query.value(item.record, "GQ")
                if text is not None:
                    try:
                        yield float(text), item.verdict == Verdict.MATCH
                    except ValueError:
                        continue


def _rtg_matcher(engine: RtgEngine, *, all_records: bool) -> Matcher:
    return lambda truth, query: (engine.rows(truth, query, all_records=all_records), [])


def _evaluate_caller(
    options: EvalOptions, name: str, prefix: Path | None, engine: RtgEngine | None
) -> CallerResult:
    """Compare one call set and write its files."""

    def write(inputs: Inputs, comparison: Comparison, happy: HappyResult | None) -> None:
        if prefix is None or happy is None:
            return
        if options.split_vcfs:
            write_split(prefix, comparison, inputs.truth, inputs.query)
        _write_report(prefix, inputs, happy)

    result = score_calls(options, name, engine, tables=prefix is not None, then=write)
    for warning in result.warnings:
        logger.warning(warning)
    return result


Scored = Callable[[Inputs, Comparison, HappyResult | None], None]
"""Takes what was compared and the tables while the reference is open."""


def score_calls(
    options: EvalOptions,
    name: str = "",
    engine: RtgEngine | None = None,
    *,
    tables: bool = True,
    then: Scored | None = None,
) -> CallerResult:
    """Compare the first call set of the options with the truth; write nothing.

    Parameters
    ----------
    name
        Of the caller.
    engine
        Matches in place of the built-in comparator.
    tables
        Make hap.py's tables, not the counts alone.
    then
        Called before the reference is closed.

    Raises
    ------
    VarcallError
        An input is malformed, or rtg failed.
    """
    mismatch = options.ref_mismatch or ("error" if options.counts is None else "warn")
    inputs, warnings = read_inputs(
        options.truth,
        options.queries[0],
        options.reference,
        confident=options.confident,
        regions=options.regions,
        bed_regions=options.bed_regions,
        samples=options.samples,
        ref_mismatch=mismatch,
    )
    note = haploid_note(inputs)
    if note is not None and options.uses_genotypes and options.sample_ploidy == 2:
        warnings.append(note)
    try:
        comparison = _compared(options, inputs, engine)
        warnings.extend([*comparison.warnings, *uncounted_notes(inputs, comparison)])
        result = CallerResult(name, comparison.counts())
        result.calibration = calibration(_scored(inputs, comparison))
        if tables:
            result.happy = _tables(options, inputs, comparison, engine)
            warnings.extend(result.happy.warnings)
        if then is not None:
            then(inputs, comparison, result.happy)
    finally:
        inputs.reference.close()
    result.warnings = tuple(dict.fromkeys(warnings))
    return result


def _compared(options: EvalOptions, inputs: Inputs, engine: RtgEngine | None) -> Comparison:
    if engine is not None:
        return engine.compare(inputs, options)
    return compare(
        inputs.truth,
        inputs.query,
        inputs.reference,
        options.matching,
        regions=inputs.confident,
        ranges=inputs.ranges,
        threads=options.threads,
    )


def _tables(
    options: EvalOptions, inputs: Inputs, comparison: Comparison, engine: RtgEngine | None
) -> HappyResult:
    """hap.py's tables, or the same of the records as compared where genotypes do not count."""
    happy_options = HappyOptions(
        use_filtered_truth=options.all_records,
        pass_only=options.pass_only,
        double_haploid=True,
        ploidy=options.sample_ploidy,
        score_name=options.score_field or DEFAULT_SCORE_FIELD,
        low_scores_first=options.sort_order == "ascending",
    )
    rows = read_bed(options.confident) if options.confident else {}
    subsets = Subsets(
        read_stratification(options.stratification) if options.stratification else {},
        sum(end - start for items in rows.values() for start, end in items),
    )
    if not options.uses_genotypes:
        return run_records(inputs, comparison.contigs, happy_options, subsets=subsets)
    matcher = _rtg_matcher(engine, all_records=not options.pass_only) if engine else None
    return run_happy(
        inputs, happy_options, subsets=subsets, threads=options.threads, matcher=matcher
    )


def _write_report(prefix: Path, inputs: Inputs, happy: HappyResult) -> None:
    write_tables(prefix, happy.table)
    with AtomicOutput(f"{prefix}{INTERVALS}") as output:
        items = [interval_row(row) for row in extended_rows(happy.table)]
        write_text(output.path, csv_text(items, INTERVAL_COLUMNS))
    filters = sorted({name for row in happy.rows for name in row.filters})
    pairs = zip(happy.rows, happy.records, strict=True)
    write_annotated(Path(f"{prefix}.vcf.gz"), pairs, inputs.reference.lengths, filters)


def _side_by_side(callers: Mapping[str, list[Row]]) -> list[Row]:
    return [{"Caller": name} | row for name, rows in callers.items() for row in rows]


def run_eval(options: EvalOptions) -> None:
    """Evaluate each call set, write what the options ask for, and print the table.

    Raises
    ------
    VarcallError
        An input is malformed, rtg failed, or an output cannot be written.
    """
    if options.output is None and options.counts is None:
        raise UsageError("give -o PREFIX for the report or --counts FILE.json")
    check_eval_files(options)
    for target in (options.counts, options.output and Path(f"{options.output}{SUMMARY}")):
        if target is not None:
            check_writable(target)
    engine = _choose_engine(options)
    results = []
    for name, query in zip(caller_names(options), options.queries, strict=True):
        prefix = caller_prefix(options, name)
        own = engine and replace(engine, folder=rtg_folder(options, name))
        results.append(
            _evaluate_caller(replace(options, queries=(query,), names=()), name, prefix, own)
        )
    if options.counts is not None:
        with AtomicOutput(options.counts) as output:
            output.path.write_text(json.dumps(_counts_json(results[0]), indent=1) + "\n")
    if options.output is None:
        return
    tables = {result.name: result.table for result in results}
    summaries = {name: summary_rows(rows) for name, rows in tables.items()}
    if len(results) > 1:
        columns = ("Caller", *INTERVAL_COLUMNS)
        rows = {name: [interval_row(row) for row in items] for name, items in summaries.items()}
        with AtomicOutput(f"{options.output}{CALLERS}") as output:
            write_text(output.path, csv_text(_side_by_side(rows), columns))
    if options.plots and any(tables.values()):
        plot_precision_recall(options.output, tables)
        plot_calibration(options.output, {item.name: item.calibration or [] for item in results})
    sys.stdout.write(summary_table(summaries) + "\n")
