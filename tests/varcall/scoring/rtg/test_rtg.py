"""The wrapper of rtg, against a fake that replays recorded runs and failures."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.varcall.scoring.conftest import CASES, Files, load_case, recorded_cases
from varcall.errors import InputError, UsageError
from varcall.scoring.options import EvalOptions
from varcall.scoring.rtg.program import Rtg, RtgRun, parse_roc, parse_summary
from varcall.scoring.run import run_eval

# All recorded failures are among these, and each option and warning of rtg.
REPLAYED = (
    "error_", "empty_", "contig", "multi", "sites_only", "truth_sites", "too_complex", "triploid",
    "decompose", "roc_", "region", "ref_allele", "bed_regions", "squash", "filtered_all", "stratif",
    "missing_score", "score_field", "position_past", "haploid",
)  # fmt: skip
RECORDS = ["c1 100 A C 0/1", "c1 300 A C 1/1"]
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the recorded cases (../shared/vcfeval_cases)"
)


@pytest.fixture
def files(make_files: Callable[..., Files]) -> Files:
    sequences = {"c1": "A" * 1000, "c2": "C" * 1000}
    return make_files(RECORDS, RECORDS[:1], sequences)


def options_of(files: Files, tmp_path: Path) -> EvalOptions:
    return EvalOptions(
        files.truth,
        (files.query,),
        files.reference,
        counts=tmp_path / "counts.json",
        engine="rtg",
        sdf=tmp_path / "ref.sdf",
    )


@needs_cases
@pytest.mark.parametrize("name", [n for n in recorded_cases() if n.startswith(REPLAYED)])
def test_replayed_runs_give_the_recorded_counts(
    name: str, fake_rtg: Callable[[str], Path], tmp_path: Path
) -> None:
    case = load_case(name)
    fake_rtg(str(case.folder))
    bed = case.options["bed_regions"]
    region = case.options["region"]
    options = EvalOptions(
        case.folder / "truth.vcf",
        (case.folder / "query.vcf",),
        case.reference,
        counts=tmp_path / "counts.json",
        confident=case.confident,
        regions=(region,) if region else (),
        bed_regions=case.folder / bed if bed else None,
        sample=case.options["sample"],
        engine="rtg",
    )
    if case.counts is None:
        with pytest.raises(InputError):
            run_eval(options)
        assert not (tmp_path / "counts.json").exists()
    else:
        run_eval(options)
        assert json.loads((tmp_path / "counts.json").read_text()) == case.counts


@needs_cases
@pytest.mark.parametrize("name", ["multiallelic_split_joined", "mnp_vs_snps", "dense_cluster"])
def test_tables_from_a_replayed_ga4gh_run(
    name: str, fake_rtg: Callable[[str], Path], tmp_path: Path
) -> None:
    case = load_case(name)
    fake_rtg(str(case.folder))
    run_eval(
        EvalOptions(
            case.folder / "truth.vcf",
            (case.folder / "query.vcf",),
            case.reference,
            output=tmp_path / "report",
            engine="rtg",
            plots=False,
        )
    )
    mine = (tmp_path / "report.summary.csv").read_text().splitlines()
    theirs = (case.folder / "expected/happy/summary.csv").read_text().splitlines()
    assert [line.split(",")[:10] for line in mine] == [line.split(",")[:10] for line in theirs]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("no-java", "install Java"),
        ("out-of-memory", "--rtg-mem"),
        ("no-index", "tabix"),
        ("bad-sdf", "--sdf"),
        ("bad-reference", "rtg format failed"),
        ("stopped", "no 'done'"),
    ],
)
def test_failures_are_passed_on_with_a_hint(
    behaviour: str,
    words: str,
    fake_rtg: Callable[[str], Path],
    files: Files,
    tmp_path: Path,
) -> None:
    fake_rtg(behaviour)
    with pytest.raises(InputError, match=words):
        run_eval(options_of(files, tmp_path))
    assert not (tmp_path / "counts.json").exists()


def test_the_sdf_is_made_once_and_not_beside_the_inputs(
    fake_rtg: Callable[[str], Path], files: Files, tmp_path: Path
) -> None:
    rtg = Rtg(fake_rtg("stopped"))
    sdf = tmp_path / "cache" / "ref.sdf"
    assert rtg.formatted(files.reference, sdf) == sdf
    before = (sdf / "mainIndex").stat().st_mtime_ns
    assert rtg.formatted(files.reference, sdf) == sdf
    assert (sdf / "mainIndex").stat().st_mtime_ns == before
    assert not list(files.reference.parent.glob("*.sdf"))


def test_a_folder_that_is_no_sdf_is_left_alone(
    fake_rtg: Callable[[str], Path], files: Files, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    with pytest.raises(InputError, match="no SDF"):
        Rtg(fake_rtg("stopped")).formatted(files.reference, mine)
    assert mine.is_dir()


def test_no_rtg_on_path(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no rtg on PATH"):
        run_eval(options_of(files, tmp_path))


def test_memory_is_checked() -> None:
    with pytest.raises(UsageError, match="4g"):
        Rtg(Path("rtg"), memory="lots")


def test_summary_and_roc_are_read() -> None:
    lines = [
        "Threshold  True-pos-baseline  True-pos-call  False-pos  False-neg  Precision  ...",
        "-" * 60,
        "   50.000             25             33          3          5   0.9167  0.8333  0.8730",
        "     None             25             33          3          5      NaN  0.8333  0.8730",
    ]
    rows = parse_summary(lines)
    assert [row.threshold for row in rows] == [50.0, None]
    assert rows[0].true_positives_call == 33
    assert parse_summary(["0 total baseline variants, no summary statistics available"]) == []
    points = parse_roc(["#score\ttp", "50.000\t25.00\t3.00\t33.00", "None\t26.00\t4.00\t34.00"])
    assert [(point.score, point.true_positives_call) for point in points] == [(50, 33), (None, 34)]


def test_missing_outputs_are_empty(tmp_path: Path) -> None:
    run = RtgRun(tmp_path)
    assert run.lines("tp.vcf") == []
    (tmp_path / "tp.vcf.gz").write_bytes(gzip.compress(b"a\nb\n"))
    assert run.lines("tp.vcf") == ["a", "b"]


@pytest.mark.tools("rtg")
def test_the_real_rtg_agrees_with_the_builtin_comparator(files: Files, tmp_path: Path) -> None:
    assert shutil.which("rtg") is not None
    results = []
    for engine in ("rtg", "builtin"):
        counts = tmp_path / f"{engine}.json"
        run_eval(
            EvalOptions(files.truth, (files.query,), files.reference, counts=counts, engine=engine)
        )
        results.append(json.loads(counts.read_text()))
    assert results[0] == results[1]
