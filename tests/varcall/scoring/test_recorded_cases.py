"""The comparator against what rtg vcfeval and hap.py answered, in the recorded cases."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from tests.varcall.scoring.conftest import CASES, Case, load_case, recorded_cases
from varcall.errors import VarcallError
from varcall.scoring.evaluation import evaluate, read_inputs
from varcall.scoring.happy.comparison import HappyOptions, HappyResult, Subsets, run_happy
from varcall.scoring.happy.rows import Row
from varcall.scoring.happy.tables import (
    ALL_COLUMNS,
    SUMMARY_COLUMNS,
    extended_rows,
    summary_rows,
)
from varcall.scoring.intervals import read_bed
from varcall.scoring.strata import read_stratification
from varcall.scoring.vcfeval.matching import MatchOptions

# Two million steps until vcfeval gives up; 200 kb each; a whole chr20 to read for each caller.
SLOW = {"too_complex", "big_dense_two_contigs", "big_whole_contig", "big_with_regions"}
SLOW |= {f"real_D1_{caller}" for caller in ("bcftools", "elprep", "octopus", "platypus", "strelka")}
# hap.py has no option for a sample and compares what rtg, and this program, refuse.
NOT_COMPARABLE = {"error_sample_not_there"}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in recorded_cases()
]

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the recorded cases (../shared/vcfeval_cases)"
)


def match_options(case: Case) -> MatchOptions:
    """Options of the recorded rtg run."""
    options = case.options
    truth, query = case.samples
    return MatchOptions(
        all_records=options["all_records"],
        squash_ploidy=options["squash_ploidy"],
        ref_overlap=options["ref_overlap"],
        decompose=options["decompose"],
        ploidy=int(options["sample_ploidy"] or 2),
        truth_all_alts=truth == "ALT",
        query_all_alts=query == "ALT",
    )


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_rtg(name: str) -> None:
    case = load_case(name)
    if not case.reference.exists():
        pytest.skip("needs the real reference (../shared/data)")
    region, bed = case.options["region"], case.options["bed_regions"]

    def run() -> dict[str, Any]:
        evaluation = evaluate(
            case.folder / "truth.vcf",
            case.folder / "query.vcf",
            case.reference,
            confident=case.confident,
            regions=(region,) if region else (),
            bed_regions=case.folder / bed if bed else None,
            samples=case.samples,
            options=match_options(case),
            ref_mismatch="warn",
        )
        document: dict[str, Any] = {
            kind: {
                "TRUTH.TP": c.truth_tp,
                "TRUTH.FN": c.truth_fn,
                "QUERY.TP": c.query_tp,
                "QUERY.FP": c.query_fp,
            }
            for kind, c in evaluation.counts.items()
        }
        total = evaluation.total
        return document | {
            "tp_baseline": total.truth_tp,
            "fn": total.truth_fn,
            "tp_call": total.query_tp,
            "fp": total.query_fp,
        }

    expected = case.counts
    if expected is None:
        with pytest.raises(VarcallError):
            run()
    else:
        assert run() == expected


def run_case(case: Case) -> HappyResult:
    """hap.py's comparison of a case."""
    options = case.happy_options
    location = options[options.index("-l") + 1] if "-l" in options else None
    targets = options[options.index("-T") + 1] if "-T" in options else None
    inputs, _ = read_inputs(
        case.folder / "truth.vcf",
        case.folder / "query.vcf",
        case.reference,
        confident=case.confident,
        regions=(location,) if location else (),
        bed_regions=case.folder / targets if targets else None,
        samples=case.samples,
        ref_mismatch="warn",
    )
    rows = read_bed(case.confident) if case.confident else {}
    strata = read_stratification(case.folder / case.stratification) if case.stratification else None
    try:
        return run_happy(
            inputs,
            HappyOptions("--usefiltered-truth" in options, "--pass-only" in options),
            subsets=Subsets(
                strata or {}, sum(end - start for items in rows.values() for start, end in items)
            ),
        )
    finally:
        inputs.reference.close()


def same(a: str, b: str) -> bool:
    """Equal texts, or numbers that agree to hap.py's six decimals."""
    try:
        x, y = float(a), float(b)
    except ValueError:
        return a == b
    return (math.isnan(x) and math.isnan(y)) or abs(x - y) < 2e-6


def assert_table(rows: list[Row], path: Path, columns: tuple[str, ...]) -> None:
    with path.open() as handle:
        expected = list(csv.DictReader(handle))
    assert len(rows) == len(expected)
    for mine, theirs in zip(rows, expected, strict=True):
        different = {
            column: (mine.get(column, ""), theirs[column])
            for column in columns
            if not same(mine.get(column, ""), theirs[column])
        }
        assert not different, (mine["Type"], mine.get("Subtype"), mine.get("Subset"))


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_those_of_happy(name: str) -> None:
    case = load_case(name)
    expected = case.folder / "expected" / "happy"
    if name in NOT_COMPARABLE or not (expected / "summary.csv").exists():
        pytest.skip("hap.py has no answer for this case")
    if not case.reference.exists():
        pytest.skip("needs the real reference (../shared/data)")
    table = run_case(case).table
    assert_table(summary_rows(table), expected / "summary.csv", SUMMARY_COLUMNS)
    assert_table(extended_rows(table), expected / "extended.csv", ALL_COLUMNS)
    if (expected / "roc.all.csv").exists():
        assert_table(table, expected / "roc.all.csv", ALL_COLUMNS)
