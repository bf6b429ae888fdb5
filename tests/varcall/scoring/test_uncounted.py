"""A score of zero is explained in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.varcall.scoring.conftest import Files, snv
from varcall.cli import run as run_varcall

TRUTH = [snv(100, "0/1"), snv(200, "1/1")]


def warnings_of(
    files: Files, folder: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> list[str]:
    """Run the command; its warnings that name the query or the truth file."""
    arguments = ["eval", "-b", str(files.truth), "-c", str(files.query), "--engine", "builtin"]
    arguments += ["--ref", str(files.reference), "-o", str(folder / "report"), "--no-plots"]
    assert run_varcall([*arguments, *more]) == 0
    return [line for line in capsys.readouterr().err.splitlines() if " file " in line]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ([], "has no records"),
        (
            [snv(100, "0/1", "50", "LowQual"), snv(200, "1/1", "50", "LowQual")],
            "counts: 2 filtered (--all-records uses them)",
        ),
        (
            [snv(100, "./."), snv(200, "0/0"), snv(300, "0/1", "50", "LowQual")],
            "counts: 2 without a called ALT allele, 1 filtered (--all-records uses them)",
        ),
        ([snv(100, "0/1/1")], "counts: 1 not comparable"),
    ],
)
def test_a_query_of_which_nothing_counts(
    query: list[str],
    words: str,
    make_files: Callable[..., Files],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = make_files(TRUTH, query)
    (said,) = warnings_of(files, tmp_path, capsys)
    assert f"query file {files.query}" in said
    assert said.endswith(words)


def test_filtered_calls_that_are_used_need_no_line(
    make_files: Callable[..., Files], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = make_files(TRUTH, [snv(100, "0/1", "50", "LowQual")])
    assert not warnings_of(files, tmp_path, capsys, "--all-records")


def test_sites_without_alt_alleles(
    make_files: Callable[..., Files], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = snv(100, "0/1").split()[2]
    files = make_files(TRUTH, [f"c1 100 {base} . 0/0"])
    (said,) = warnings_of(files, tmp_path, capsys, "--sample", "ALT")
    assert said.endswith("1 without a called ALT allele")


@pytest.mark.parametrize("option", ["-e", "-R"])
def test_regions_that_hold_nothing(
    option: str,
    make_files: Callable[..., Files],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = make_files(TRUTH, TRUTH)
    bed = tmp_path / "regions.bed"
    bed.write_text("c1\t500\t600\n")
    said = warnings_of(files, tmp_path, capsys, option, str(bed))
    assert ["truth file" in line for line in said] == [True, False]
    assert all(": 2 outside the " in line for line in said)


def test_a_confident_bed_without_rows(
    make_files: Callable[..., Files], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = make_files(TRUTH, TRUTH)
    bed = tmp_path / "regions.bed"
    bed.write_text("")
    said = warnings_of(files, tmp_path, capsys, "-e", str(bed))
    assert "confident regions has no rows: the tables count every record" in said[-1]
    said = warnings_of(files, tmp_path, capsys, "-e", str(bed), "--squash-ploidy")
    assert not [line for line in said if "every record" in line]
