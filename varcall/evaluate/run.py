"""``run_eval``: from the options to the files of the report."""

import json
import logging

from varcall.atomic import AtomicOutput
from varcall.evaluate.comparator import TypeCounts
from varcall.evaluate.evaluation import evaluate
from varcall.evaluate.matching import MatchOptions
from varcall.evaluate.options import EvalOptions

logger = logging.getLogger(__name__)


def _match_options(options: EvalOptions) -> MatchOptions:
    truth_sample, query_sample = options.samples
    return MatchOptions(
        all_records=options.all_records,
        squash_ploidy=options.squash_ploidy,
        ref_overlap=options.ref_overlap,
        decompose=options.decompose,
        ploidy=options.sample_ploidy,
        truth_all_alts=truth_sample == "ALT",
        query_all_alts=query_sample == "ALT",
    )


def _counts_json(counts: dict[str, TypeCounts]) -> dict[str, object]:
    rows: dict[str, object] = {
        kind: {"TRUTH.TP": c.truth_tp, "TRUTH.FN": c.truth_fn, "QUERY.TP": c.query_tp, "QUERY.FP": c.query_fp}
        for kind, c in counts.items()
    }
    total = counts["SNP"] + counts["INDEL"]
    return rows | {"tp_baseline": total.truth_tp, "tp_call": total.query_tp, "fp": total.query_fp, "fn": total.truth_fn}


def run_eval(options: EvalOptions) -> None:
    """Evaluate and write what the options ask for."""
    evaluation = evaluate(
        options.truth, options.queries[0], options.reference,
        confident=options.confident, regions=options.regions, bed_regions=options.bed_regions,
        samples=options.samples, options=_match_options(options),
        ref_mismatch=options.ref_mismatch or ("error" if options.counts is None else "warn"), threads=options.threads,
    )  # fmt: skip
    for warning in evaluation.warnings:
        logger.warning(warning)
    if options.counts is not None:
        with AtomicOutput(options.counts) as output:
            output.path.write_text(json.dumps(_counts_json(evaluation.counts), indent=1) + "\n")
