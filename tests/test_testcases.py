"""Runs every folder of tests/testcases; see the README there."""

import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysam
import pytest

from tests.builders import bam_to_cram, sam_to_bam
from varcall.cli import run as run_varcall
from varcall.inputs.regions import Region, parse_region
from varcall.workers.window_worker import Worker

FOLDER = Path(__file__).parent / "testcases"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/case.toml"))


@dataclass(frozen=True)
class Case:
    """One folder, copied so that indexes may be made beside its files."""

    folder: Path
    kind: str
    says: str | None
    cuts: str | None

    @classmethod
    def load(cls, name: str, tmp_path: Path) -> "Case":
        folder = Path(shutil.copytree(FOLDER / name, tmp_path / "case"))
        about = tomllib.loads((folder / "case.toml").read_text())
        assert set(about) <= {"about", "kind", "says", "cuts"}
        assert about["about"].endswith(".")
        return cls(folder, about["kind"], about.get("says"), about.get("cuts"))

    @property
    def reference(self) -> Path:
        return self.folder / "ref.fa"


def cases_of(kind: str) -> list[str]:
    return [
        name for name in CASES if f'kind = "{kind}"' in (FOLDER / name / "case.toml").read_text()
    ]


def has_cuts(name: str) -> bool:
    return "\ncuts = " in (FOLDER / name / "case.toml").read_text()


def test_every_case_has_a_kind_that_is_run() -> None:
    assert sorted(cases_of("call") + cases_of("eval")) == CASES
    assert len(CASES) >= 10


def check_failure(says: str, said: str) -> None:
    lines = said.strip().splitlines()
    assert lines[-1].startswith("varcall: error: ")
    assert re.search(says, lines[-1]), lines[-1]
    assert "Traceback" not in said


Call = Callable[..., tuple[int, list[list[str]]]]


@pytest.fixture
def call(untrained_model: Path, tmp_path: Path) -> Call:
    """Call one file; return the exit code and the columns of the records."""

    def run(reads: Path, reference: Path, *more: str) -> tuple[int, list[list[str]]]:
        output = tmp_path / "out.vcf"
        output.unlink(missing_ok=True)
        words = ["call", str(reads), "--ref", str(reference), "-o", str(output), "--quiet"]
        status = run_varcall([*words, "--model", str(untrained_model), *more])
        assert output.exists() == (status == 0)
        lines = output.read_text().splitlines() if status == 0 else []
        return status, [line.split("\t") for line in lines if not line.startswith("#")]

    return run


def check_alleles(records: list[list[str]], reference: Path) -> None:
    with pysam.FastaFile(str(reference)) as fasta:
        for contig, pos, _, ref, alts, *_ in records:
            start = int(pos) - 1
            letters = fasta.fetch(contig, start, start + len(ref)).upper()
            assert ref == "".join(letter if letter in "ACGT" else "N" for letter in letters)
            assert set(ref + alts) <= set("ACGTN,*"), (pos, ref, alts)


@pytest.mark.parametrize("name", cases_of("call"))
def test_call(name: str, call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case.load(name, tmp_path)
    pysam.faidx(str(case.reference))
    bam = sam_to_bam((case.folder / "reads.sam").read_text(), case.folder / "reads.bam")
    status, records = call(bam, case.reference)
    if case.says is not None:
        assert status == 1
        check_failure(case.says, capsys.readouterr().err)
        return
    assert status == 0
    assert records
    check_alleles(records, case.reference)
    for window in ("500", "1000"):
        assert call(bam, case.reference, "--window", window) == (0, records), window
    cram = bam_to_cram(bam, case.folder / "reads.cram", case.reference)
    assert call(cram, case.reference) == (0, records)


@pytest.mark.parametrize("name", [name for name in cases_of("call") if has_cuts(name)])
def test_cut_at_every_base(
    name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.load(name, tmp_path)
    assert case.cuts is not None
    pysam.faidx(str(case.reference))
    bam = sam_to_bam((case.folder / "reads.sam").read_text(), case.folder / "reads.bam")
    plans: list[Any] = []

    def keep_plan(plan: Any, *rest: Any, **options: Any) -> Any:
        plans.append(plan)
        return iter(())

    monkeypatch.setattr("varcall.workers.executor.call_windows", keep_plan)
    with pysam.FastaFile(str(case.reference)) as fasta:
        lengths = dict(zip(fasta.references, fasta.lengths, strict=True))
    span = parse_region(case.cuts, lengths)
    call(bam, case.reference, "--regions", case.cuts)
    worker = Worker(plans[0])
    whole = worker.call(span).lines
    assert whole
    for cut in range(span.start + 1, span.end):
        left = worker.call(Region(span.contig, span.start, cut)).lines
        right = worker.call(Region(span.contig, cut, span.end)).lines
        assert left + right == whole, f"cut at {cut}"


@pytest.mark.parametrize("name", cases_of("eval"))
def test_eval(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case.load(name, tmp_path)
    output = tmp_path / "report"
    words = ["eval", "--engine", "builtin", "--ref", str(case.reference), "--no-plots"]
    words += ["--truth", str(case.folder / "truth.vcf"), "-o", str(output)]
    status = run_varcall([*words, "--query", str(case.folder / "query.vcf")])
    assert Path(f"{output}.summary.csv").exists() == (case.says is None)
    assert status == (0 if case.says is None else 1)
    if case.says is not None:
        check_failure(case.says, capsys.readouterr().err)
