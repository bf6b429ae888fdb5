"""`varcall.evaluate` gives the numbers of the tables of `varcall eval`."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

import varcall
from varcall.cli import run
from varcall.simulate import SimulatedSample


@pytest.fixture(scope="module")
def calls(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls that lack the last variants."""
    output = tmp_path_factory.mktemp("calls") / "calls.vcf.gz"
    varcall.call(small_sample.bam, small_sample.reference, output=output, regions="sim:1-10000")
    return output


def test_numbers_are_those_of_the_tables(
    small_sample: SimulatedSample, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    files = small_sample.truth, calls, small_sample.reference
    result = varcall.evaluate(*files, confident=small_sample.bed)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    words = ["eval", "-b", files[0], "-c", files[1], "--ref", files[2], "-e", small_sample.bed]
    words += ["--engine", "builtin", "--no-plots", "--quiet", "-o", "report"]
    assert run([*map(str, words)]) == 0
    for name in ("extended", "intervals"):
        with open(f"report.{name}.csv") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(result.rows) > 10
        for row, mine in zip(rows, result.rows, strict=True):
            check(row, mine)
    assert result.snp.truth_fn > 0
    assert result.snp is result.row("SNP", filter="PASS")
    assert run([*map(str, words[:-2]), "--counts", "counts.json"]) == 0
    counts = json.loads(Path("counts.json").read_text())
    for kind in ("SNP", "INDEL"):
        assert counts[kind]["TRUTH.TP"] == result.counts[kind].truth_tp
        assert counts[kind]["QUERY.FP"] == result.counts[kind].query_fp


def check(row: dict[str, str], mine: varcall.EvalRow) -> None:
    columns = {
        "Type": mine.type, "Subtype": mine.subtype, "Subset": mine.subset, "Filter": mine.filter,
        "TRUTH.TOTAL": mine.truth_total, "TRUTH.TP": mine.truth_tp, "TRUTH.FN": mine.truth_fn,
        "QUERY.TOTAL": mine.query_total, "QUERY.TP": mine.query_tp, "QUERY.FP": mine.query_fp,
        "QUERY.UNK": mine.query_unk, "FP.gt": mine.fp_gt, "FP.al": mine.fp_al,
        "METRIC.Recall": mine.recall, "METRIC.Precision": mine.precision,
        "METRIC.Recall.Lower": mine.recall_lower, "METRIC.Recall.Upper": mine.recall_upper,
        "METRIC.Precision.Lower": mine.precision_lower,
        "METRIC.Precision.Upper": mine.precision_upper,
        "METRIC.Frac_NA": mine.frac_na, "METRIC.F1_Score": mine.f1,
    }  # fmt: skip
    for name, value in columns.items():
        if name not in row:
            continue
        if isinstance(value, str):
            assert row[name] == value
        elif row[name] == "":
            assert math.isnan(value)
        else:
            assert float(row[name]) == pytest.approx(value), name


def test_arrays_and_rows(small_sample: SimulatedSample, calls: Path) -> None:
    result = varcall.evaluate(
        small_sample.truth, calls, small_sample.reference, regions="sim:1-6000"
    )
    table = result.to_numpy()
    assert len(table) == len(result.rows)
    assert table["truth_total"].dtype == np.int64
    chosen = table[(table["type"] == "INDEL") & (table["subtype"] == "*")]
    assert result.indel.recall in chosen["recall"]
    assert sum(b.total for b in result.calibration) >= result.snp.query_tp > 0
    with pytest.raises(KeyError):
        result.row("MNP")
    pandas = pytest.importorskip("pandas", reason="needs pandas: pip install '.[pandas]'")
    assert isinstance(result.to_pandas(), pandas.DataFrame)


def test_what_goes_wrong_has_a_type(
    small_sample: SimulatedSample, calls: Path, tmp_path: Path
) -> None:
    truth, reference = small_sample.truth, small_sample.reference
    with pytest.raises(varcall.InputError, match=r"absent\.vcf"):
        varcall.evaluate(tmp_path / "absent.vcf", calls, reference)
    with pytest.raises(varcall.UsageError, match="--sample-ploidy"):
        varcall.evaluate(truth, calls, reference, sample_ploidy=9)
    # Genotypes of three alleles have counts, but no tables.
    assert varcall.evaluate(truth, calls, reference, sample_ploidy=3).rows == ()


def test_warnings_are_in_the_result(small_sample: SimulatedSample, tmp_path: Path) -> None:
    haploid = tmp_path / "haploid.vcf"
    header = "##fileformat=VCFv4.2\n##contig=<ID=sim,length=12000>\n"
    header += '##FORMAT=<ID=GT,Number=1,Type=String,Description="">\n'
    header += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts\n"
    base = small_sample.reference.read_text().split("\n")[1][9]
    alt = "A" if base != "A" else "C"
    haploid.write_text(header + f"sim\t10\t.\t{base}\t{alt}\t30\tPASS\t.\tGT\t1\n")
    result = varcall.evaluate(small_sample.truth, haploid, small_sample.reference)
    assert any("haploid" in sentence for sentence in result.warnings)
