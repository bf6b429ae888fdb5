"""``run_eval``: from the options to the files of the report."""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.formats.text import write_text
from varcall.inputs.contig_sequences import ContigSequences
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.scoring.comparator import TypeCounts
from varcall.scoring.evaluated import evaluated
from varcall.scoring.files import (
    CALLERS,
    caller_names,
    caller_prefix,
    check_eval_files,
    rtg_folder,
    sdf_folder,
)
from varcall.scoring.happy.rows import Row
from varcall.scoring.happy.tables import SUMMARY, csv_text, summary_rows
from varcall.scoring.metrics import INTERVAL_COLUMNS, CalibrationBin, calibration, interval_row
from varcall.scoring.options import EvalOptions
from varcall.scoring.outcomes import Outcomes, score_plan
from varcall.scoring.plots import plot_calibration, plot_precision_recall
from varcall.scoring.report_files import report_files
from varcall.scoring.rtg.comparison import RtgEngine
from varcall.scoring.rtg.program import Rtg, find_rtg
from varcall.scoring.table import summary_table

logger = logging.getLogger(__name__)

HAPPY_COUNTS = ("TRUTH.TP", "TRUTH.FN", "QUERY.FP", "QUERY.UNK", "FP.gt", "FP.al")


@dataclass(frozen=True, slots=True)
class CallerResult:
    """What the evaluation of one call set gave; ``table`` has rows of hap.py's tables."""

    name: str
    counts: dict[str, TypeCounts]
    table: list[Row]
    calibration: list[CalibrationBin]
    warnings: tuple[str, ...]


def _counts_json(result: CallerResult, *, has_tables: bool) -> dict[str, object]:
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
    if has_tables:
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


def score_calls(
    options: EvalOptions,
    name: str = "",
    engine: RtgEngine | None = None,
    *,
    tables: bool = True,
    prefix: Path | None = None,
) -> CallerResult:
    """Compare the first call set of the options with the truth.

    Parameters
    ----------
    name
        Of the caller.
    engine
        Matches in place of the built-in comparator.
    tables
        Make hap.py's tables, not the counts alone.
    prefix
        Of the files of the report; None writes nothing.

    Raises
    ------
    VarcallError
        An input is malformed, rtg failed, or a file cannot be written.
    """
    with ContigSequences(options.reference) as reference, ExitStack() as stack:
        plan = score_plan(options, reference, tables=tables, writes=prefix is not None)
        outcomes = Outcomes(plan, reference)
        files = None
        if prefix is not None:
            files = stack.enter_context(report_files(plan, prefix, reference.lengths))
        for outcome in evaluated(plan, reference, engine, outcomes):
            counted = outcomes.add(outcome)
            if files is not None:
                files.add(outcome, counted)
        with nullcontext() if files is None else files.finished(options.threads):
            table = outcomes.table()
            if files is not None:
                files.write_tables(table)
    return CallerResult(
        name, outcomes.counts, table, calibration(outcomes.scores), outcomes.warnings()
    )


def _evaluate_caller(
    options: EvalOptions, name: str, prefix: Path | None, engine: RtgEngine | None
) -> CallerResult:
    result = score_calls(options, name, engine, tables=prefix is not None, prefix=prefix)
    for warning in result.warnings:
        logger.warning(warning)
    return result


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
            output.path.write_text(
                json.dumps(
                    _counts_json(results[0], has_tables=options.output is not None), indent=1
                )
                + "\n"
            )
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
