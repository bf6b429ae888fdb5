"""Measurements kept as files, and the pages whose tables are written from them."""

import argparse
import json
import subprocess
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.runs import history
from benchmarks.runs.history import HISTORY, Measurement, Table, newest_tables, read_all, slug
from benchmarks.runs.machine import ROOT, commit, is_changed

TABLE = Table("all", ["caller", "wrong"], [["varcall", "1"], ["peer", "2"]], ["one\nday"])
OTHER = Table("by-size", ["size", "wrong"], [["1-5 bp", "0"]], [])
MEASURED = Measurement(
    "errors", "Errors", "2026-11-28T05:00:00+00:00", "2d1c0da898", False, "a machine",
    "python -m benchmarks.errors", [TABLE, OTHER],
)  # fmt: skip
PAGE = """before
<!-- errors -->
old
<!-- /errors -->
between
<!-- errors/by-size -->
<!-- /errors/by-size -->
<!-- errors/all: 2 -->
| old |
<!-- /errors/all -->
after
"""
STAMP = "Measured 2026-11-28, commit 2d1c0da898, a machine, by `python -m benchmarks.errors`.\n"
WRITTEN = f"""before
<!-- errors -->
| caller | wrong |
| --- | --- |
| varcall | 1 |
| peer | 2 |

- one
day

{STAMP}<!-- /errors -->
between
<!-- errors/by-size -->
| size | wrong |
| --- | --- |
| 1-5 bp | 0 |

{STAMP}<!-- /errors/by-size -->
<!-- errors/all: 2 -->
| caller | wrong |
| --- | --- |
| peer | 2 |

- one
day

{STAMP}<!-- /errors/all -->
after
"""

BENCHMARKS = (
    "simulated_libraries", "other_simulators",
    "ablation", "accuracy", "calibration", "ceiling", "cluster", "compare_callers", "eval_scale",
    "given_sites", "gvcf", "indel_strata", "joint", "learning_curve", "libraries", "loaded_caller",
    "microbenchmarks", "modalities", "peers", "phasing", "profile_effect", "scaling",
    "sex_and_ploidy", "simulated", "specialists", "tasks",
)  # fmt: skip


def _repository(folder: Path) -> Path:
    (folder / "benchmarks" / "history").mkdir(parents=True)
    for name in ("code.py", "README.md", "benchmarks/RESULTS.md", "benchmarks/history/a.json"):
        (folder / name).write_text("first\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, with one page that shows errors."""
    root = _repository(tmp_path / "project")
    (root / "README.md").write_text(PAGE)
    for module in (history, results):
        monkeypatch.setattr(module, "ROOT", root)
        monkeypatch.setattr(module, "HISTORY", root / "benchmarks" / "history")
    (root / "benchmarks" / "history" / "a.json").unlink()
    monkeypatch.setattr(results, "PAGES", (root / "README.md",))
    monkeypatch.setattr(
        "sys.argv", ["/anywhere/benchmarks/errors.py", "--work", "/tmp/a/b c", "x=/tmp/a/d"]
    )
    monkeypatch.delenv(results.ENVIRONMENT, raising=False)
    return root


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    results.add_options(parser)
    return parser.parse_args(words)


def test_a_file_says_what_was_measured_when_on_what_and_how(project: Path) -> None:
    results.report(_options(), "errors", "Errors", [TABLE, OTHER])
    (path,) = (project / "benchmarks" / "history").iterdir()
    read = Measurement.read(path)
    assert path.name == f"{read.date}-{commit(project)}-errors.json"
    assert (read.name, read.title, read.is_changed) == ("errors", "Errors", False)
    assert read.command == "python -m benchmarks.errors --work 'b c' x=d"
    assert read.tables == [TABLE, OTHER]
    assert "cores" in read.machine
    assert json.loads(path.read_text())["tables"][1]["rows"] == [["1-5 bp", "0"]]


def test_a_run_of_changed_code_says_so_in_its_file_and_its_name(project: Path) -> None:
    (project / "code.py").write_text("second\n")
    results.report(_options(), "errors", "Errors", [TABLE, OTHER])
    (path,) = (project / "benchmarks" / "history").iterdir()
    assert path.name.endswith(f"-{commit(project)}-dirty-errors.json")
    assert json.loads(path.read_text())["is_changed"] is True
    assert f"commit {commit(project)}-dirty, " in (project / "README.md").read_text()


def test_what_benchmarks_write_is_no_change_of_the_code(tmp_path: Path) -> None:
    root = _repository(tmp_path)
    for name in ("README.md", "benchmarks/RESULTS.md", "benchmarks/history/a.json"):
        (root / name).write_text("second\n")
    assert not is_changed(root)
    (root / "code.py").write_text("second\n")
    assert is_changed(root)
    assert commit(tmp_path.parent) == "unknown"


def test_a_run_is_printed_and_put_into_the_pages(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results.report(_options(), "errors", "Errors of all", [TABLE, OTHER])
    assert "Errors of all\n\n| caller | wrong |" in capsys.readouterr().out
    lines = (project / "README.md").read_text().splitlines()
    assert lines[:5] == ["before", "<!-- errors -->", *TABLE.markdown().splitlines()[:3]]
    assert lines[-1] == "after"
    assert "| 1-5 bp | 0 |" in lines


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_run_can_be_written_elsewhere(
    project: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "mine"
    if how == "environment":
        monkeypatch.setenv(results.ENVIRONMENT, str(elsewhere))
    words = ["--history", str(elsewhere)] if how == "option" else []
    results.report(_options(*words), "errors", "Errors", [TABLE, OTHER])
    assert [item.name for item in read_all(elsewhere)] == ["errors"]
    assert (project / "README.md").read_text() == PAGE
    assert not list((project / "benchmarks" / "history").iterdir())


def test_nothing_is_written_where_that_is_asked(project: Path) -> None:
    results.report(_options("--no-record"), "errors", "Errors", [TABLE])
    assert (project / "README.md").read_text() == PAGE
    assert not list((project / "benchmarks" / "history").iterdir())


def test_marked_tables_are_written_anew_and_nothing_else(tmp_path: Path) -> None:
    MEASURED.write(tmp_path)
    written = results.filled(PAGE, newest_tables(tmp_path))
    assert written == WRITTEN
    assert results.filled(written, newest_tables(tmp_path)) == written


def test_the_newest_of_each_table_is_taken(tmp_path: Path) -> None:
    newer = replace(
        MEASURED,
        recorded="2026-11-28T06:00:00+00:00",
        commit="0000000000",
        tables=[replace(TABLE, rows=[["varcall", "0"]])],
    )
    for item in (newer, MEASURED):
        item.write(tmp_path)
    found = newest_tables(tmp_path)
    assert found["errors", "all"][1].rows == [["varcall", "0"]]
    assert found["errors", ""] == found["errors", "all"]
    assert found["errors", "by-size"][0].commit == MEASURED.commit


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("speed", "no file of the history has the table speed: run its benchmark"),
        ("errors/speed", "has the table errors/speed"),
        ("errors/all: nobody; peer", "the table all has no row with nobody"),
    ],
)
def test_a_mark_without_its_table_is_an_error(tmp_path: Path, mark: str, said: str) -> None:
    MEASURED.write(tmp_path)
    page = f"<!-- {mark} -->\n<!-- /{mark.partition(':')[0]} -->\n"
    with pytest.raises(SystemExit, match=said):
        results.filled(page, newest_tables(tmp_path))


def test_names_are_made_of_titles() -> None:
    assert slug("HG002 30x 10.0M, 20 times") == "hg002-30x-10-0m-20-times"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_takes_a_folder_for_what_it_measured(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [f"benchmarks/{name}.py", "--help"])
    with pytest.raises(SystemExit, match="0"):
        import_module(f"benchmarks.{name}").main()
    assert {"--history", "--no-record"} <= set(capsys.readouterr().out.replace("]", " ").split())


def test_every_program_of_the_folder_is_a_known_benchmark() -> None:
    mains = {path.stem for path in HISTORY.parent.glob("*.py") if "\ndef main" in path.read_text()}
    assert mains == {*BENCHMARKS, "results"}


def test_files_of_the_history_are_named_for_what_they_hold() -> None:
    for path in HISTORY.glob("*.json"):
        item = Measurement.read(path)
        assert path.name == item.file_name
        assert path.read_text() == item.to_json()
        names = [table.name for table in item.tables]
        assert all(name == slug(name) for name in (item.name, *names))
        assert len(set(names)) == len(names)
        for table in item.tables:
            assert {len(row) for row in table.rows} <= {len(table.columns)}


@pytest.mark.parametrize("page", results.PAGES, ids=lambda page: page.name)
def test_pages_are_what_would_be_written(page: Path) -> None:
    assert page.is_relative_to(ROOT)
    text = page.read_text()
    assert results.filled(text, newest_tables(HISTORY)) == text
    assert "<!-- /" in text
