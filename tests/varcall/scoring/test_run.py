"""The whole command on small files: what it writes and prints."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from tests.varcall.scoring.conftest import (
    CASES,
    SEQUENCES,
    Files,
    load_case,
    other,
    rows_of,
    snv,
)
from varcall.errors import InputError, UsageError
from varcall.scoring.evaluation import evaluate
from varcall.scoring.options import EvalOptions
from varcall.scoring.run import run_eval

TRUTH = [snv(100, "0/1"), snv(200, "1/1"), snv(300, "0/1"), snv(400, "1/1"), snv(500, "0/1")]
# right, wrong zygosity, missed, filtered, right, extra, extra outside, extra on the other contig
QUERY = [
    snv(100, "0/1", "60"),
    snv(200, "0/1", "30"),
    snv(400, "1/1", "20", "LowQual"),
    snv(500, "0/1", "50"),
    snv(600, "0/1", "10", "PASS", "8"),
    snv(900, "0/1", "40"),
]


@pytest.fixture
def options(make_files: Callable[..., Files], tmp_path: Path) -> EvalOptions:
    files = make_files(TRUTH, QUERY)
    bed = tmp_path / "confident.bed"
    bed.write_text("c1\t0\t700\n")
    return EvalOptions(
        files.truth,
        (files.query,),
        files.reference,
        output=tmp_path / "report",
        counts=tmp_path / "counts.json",
        confident=bed,
        engine="builtin",
    )


def test_the_summary_has_happys_counts(options: EvalOptions) -> None:
    run_eval(replace(options, plots=False))
    rows = {row["Filter"]: row for row in rows_of(Path(f"{options.output}.summary.csv"))}
    both = rows["ALL"]
    names = ("TRUTH.TOTAL", "TRUTH.TP", "TRUTH.FN", "QUERY.FP", "QUERY.UNK", "FP.gt")
    assert [both[name] for name in names] == ["5", "3", "2", "2", "1", "1"]
    passing = rows["PASS"]
    assert [passing[name] for name in names] == ["5", "2", "3", "2", "1", "1"]


def test_the_score_of_the_levels_can_be_chosen(options: EvalOptions) -> None:
    run_eval(replace(options, score_field="GQ", plots=False))
    rows = rows_of(Path(f"{options.output}.roc.all.csv.gz"))
    assert {row["QQ.Field"] for row in rows} == {"GQ"}
    levels = {row["QQ"] for row in rows if row["Type"] == "SNP" and row["Filter"] == "ALL"}
    assert {"8.000000", "40.000000"} <= levels
    assert "60.000000" not in levels


def test_multiqc_finds_the_summary(options: EvalOptions) -> None:
    run_eval(replace(options, plots=False))
    header = Path(f"{options.output}.summary.csv").read_text().splitlines()[0]
    # MultiQC looks for "Type,Filter,TRUTH" in *.summary.csv; hap.py's whole header is this
    assert header == (
        "Type,Filter,TRUTH.TOTAL,TRUTH.TP,TRUTH.FN,QUERY.TOTAL,QUERY.FP,QUERY.UNK,FP.gt,FP.al,"
        "METRIC.Recall,METRIC.Precision,METRIC.Frac_NA,METRIC.F1_Score,TRUTH.TOTAL.TiTv_ratio,"
        "QUERY.TOTAL.TiTv_ratio,TRUTH.TOTAL.het_hom_ratio,QUERY.TOTAL.het_hom_ratio"
    )


def test_all_files_are_written(options: EvalOptions, capsys: pytest.CaptureFixture[str]) -> None:
    run_eval(replace(options, split_vcfs=True))
    prefix = str(options.output)
    for suffix in (
        ".summary.csv", ".extended.csv", ".intervals.csv", ".roc.all.csv.gz", ".metrics.json.gz",
        ".vcf.gz", ".vcf.gz.tbi", ".tp.vcf.gz", ".tp-baseline.vcf.gz", ".fp.vcf.gz", ".fn.vcf.gz",
        ".precision_recall.png", ".precision_recall.svg", ".calibration.png", ".calibration.svg",
    ):  # fmt: skip
        assert Path(prefix + suffix).stat().st_size > 0, suffix
    with gzip.open(f"{prefix}.metrics.json.gz", "rt") as handle:
        names = [table["id"] for table in json.load(handle)["metrics"]]
    assert names[:3] == ["summary.metrics", "all.metrics", "roc.all"]
    with pysam.VariantFile(f"{prefix}.vcf.gz") as annotated:
        assert list(annotated.header.samples) == ["TRUTH", "QUERY"]
        found = [(r.pos, r.samples["TRUTH"]["BD"], r.samples["QUERY"]["BD"]) for r in annotated]
    assert found[0] == (100, "TP", "TP")
    assert found[1] == (200, "FN", "FP")
    assert found[-1][2] == "UNK"
    with pysam.VariantFile(f"{prefix}.fn.vcf.gz") as missed:
        assert [record.pos for record in missed] == [200, 300, 400]
    printed = capsys.readouterr().out
    assert "SNP" in printed
    assert "Precision" in printed


def test_equal_inputs_give_equal_files(options: EvalOptions) -> None:
    run_eval(options)
    prefix = Path(str(options.output))
    first = {path.name: path.read_bytes() for path in prefix.parent.glob("report.*")}
    run_eval(replace(options, threads=2))
    second = {path.name: path.read_bytes() for path in prefix.parent.glob("report.*")}
    assert first == second


def test_counts_are_vcfevals(options: EvalOptions) -> None:
    run_eval(replace(options, output=None))
    assert options.counts is not None
    counts = json.loads(options.counts.read_text())
    assert (counts["tp_baseline"], counts["tp_call"], counts["fp"], counts["fn"]) == (2, 2, 2, 3)
    assert counts["SNP"]["TRUTH.FN"] == 3
    assert "happy" not in counts


def test_several_callers_stand_side_by_side(
    options: EvalOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = (options.queries[0], options.truth)
    run_eval(replace(options, queries=queries, counts=None, names=("mine", "best"), plots=False))
    rows = rows_of(tmp_path / "report.callers.csv")
    assert {row["Caller"] for row in rows} == {"mine", "best"}
    best = next(row for row in rows if row["Caller"] == "best" and row["Filter"] == "ALL")
    assert best["METRIC.Recall"] == "1.0"
    assert float(best["METRIC.Recall.Lower"]) < 1
    assert (tmp_path / "report.mine.summary.csv").exists()
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert "best" in printed


def test_strata_have_rows_of_their_own(options: EvalOptions, tmp_path: Path) -> None:
    (tmp_path / "first.bed").write_text("c1\t0\t250\n")
    (tmp_path / "none.bed").write_text("c2\t0\t5\n")
    (tmp_path / "strat.tsv").write_text("first\tfirst.bed\nnone\tnone.bed\n")
    run_eval(replace(options, stratification=tmp_path / "strat.tsv", plots=False))
    rows = rows_of(tmp_path / "report.extended.csv")
    total = {
        row["Subset"]: row["TRUTH.TOTAL"]
        for row in rows
        if row["Subtype"] == "*" and row["Filter"] == "ALL"
    }
    assert total["first"] == "2"
    assert total["none"] == "0"
    assert {"*", "TS_contained"} <= set(total)


def test_regions_restrict_what_is_read(options: EvalOptions) -> None:
    run_eval(replace(options, regions=("c1:150-450",), output=None, confident=None))
    assert options.counts is not None
    counts = json.loads(options.counts.read_text())
    assert (counts["tp_baseline"], counts["fn"], counts["fp"]) == (0, 3, 1)


def test_without_genotypes_the_tables_count_alleles(options: EvalOptions) -> None:
    run_eval(replace(options, sample="ALT"))
    assert options.counts is not None
    assert json.loads(options.counts.read_text())["tp_baseline"] == 3
    (row,) = [r for r in rows_of(Path(f"{options.output}.summary.csv")) if r["Filter"] == "ALL"]
    names = ("TRUTH.TP", "TRUTH.FN", "QUERY.FP", "QUERY.UNK", "FP.gt")
    assert [row[name] for name in names] == ["3", "2", "1", "1", "0"]


def test_an_empty_truth_gives_empty_tables(
    make_files: Callable[..., Files], tmp_path: Path
) -> None:
    files = make_files([], QUERY)
    run_eval(
        EvalOptions(
            files.truth, (files.query,), files.reference, output=tmp_path / "r", engine="builtin"
        )
    )
    assert rows_of(tmp_path / "r.summary.csv") == []


def test_another_reference_is_an_error_unless_only_counts_are_wanted(
    make_files: Callable[..., Files], tmp_path: Path
) -> None:
    base = SEQUENCES["c1"][99]
    files = make_files([f"c1 100 {other(base)} {base} 0/1"], TRUTH)
    with pytest.raises(InputError, match="another reference"):
        evaluate(files.truth, files.query, files.reference)
    assert evaluate(files.truth, files.query, files.reference, ref_mismatch="warn").warnings
    counts = tmp_path / "c.json"
    run_eval(
        EvalOptions(files.truth, (files.query,), files.reference, counts=counts, engine="builtin")
    )
    assert counts.exists()


def test_options_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for wrong in (
        {"engine": "other", "counts": path},
        {"sort_order": "up", "counts": path},
        {"names": ("a", "b"), "counts": path},
        {"regions": ("c1",), "bed_regions": path, "counts": path},
        {"sample_ploidy": 0, "counts": path},
        {"sample_ploidy": 3, "output": path},
    ):
        with pytest.raises(UsageError):
            EvalOptions(path, (path,), path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="-o PREFIX"):
        run_eval(EvalOptions(path, (path,), path))


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the recorded cases")
def test_evaluate_is_the_function_for_others() -> None:
    case = load_case("genotype_errors")
    found = evaluate(case.folder / "truth.vcf", case.folder / "query.vcf", case.reference)
    assert case.counts is not None
    assert found.total.truth_tp == case.counts["tp_baseline"]
    assert found.counts["SNP"].recall == pytest.approx(
        case.counts["SNP"]["TRUTH.TP"]
        / (case.counts["SNP"]["TRUTH.TP"] + case.counts["SNP"]["TRUTH.FN"])
    )
