"""The campaign that takes guards out, on a project of one guard that is made for it."""

from pathlib import Path

import pytest

from tests.faults.mutations import GUARDS, TABLE, run

SOURCE = """\
import sys


def half(number):
    if number % 2:
        raise ValueError("odd")
    return number // 2


if __name__ == "__main__":
    print(half(int(sys.argv[1])))
"""
TESTS = """\
import subprocess
import sys

import pytest

from package.half import half


def test_odd_numbers_are_refused():
    with pytest.raises(ValueError, match="odd"):
        half(3)


def test_odd_numbers_are_refused_by_the_command(tmp_path):
    command = [sys.executable, "-m", "package.half", "3"]
    assert subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE).returncode == 1


def test_even_numbers():
    assert half(4) == 2


def test_that_fails_anyway():
    assert half(4) == 3


def test_that_is_skipped():
    pytest.skip("no reason")


@pytest.fixture
def odd():
    with pytest.raises(ValueError, match="odd"):
        half(3)


def test_with_a_fixture(odd):
    pass


def test_that_kills():
    try:
        half(3)
    except ValueError:
        return
    import os

    os._exit(3)
"""
GUARD = """
[[guard]]
name = "the refusal of odd numbers"
test = "test_half.py::{test}"
file = "package/half.py"
old = "{old}"
new = "if False:"
"""
NAMES = """\
test_odd_numbers_are_refused test_odd_numbers_are_refused_by_the_command test_even_numbers
test_that_fails_anyway test_that_is_skipped test_with_a_fixture test_that_kills test_of_nothing
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for folder in ("package", GUARDS):
        (root / folder).mkdir(parents=True)
    parts = '[tool.hatch.build.targets.sdist]\nonly-include = ["package", "tests", "notes.txt"]\n'
    (root / "pyproject.toml").write_text(parts)
    (root / "notes.txt").touch()
    (root / "package" / "__init__.py").touch()
    (root / "package" / "half.py").write_text(SOURCE)
    (root / "tests" / "test_half.py").write_text(TESTS)
    tests = ", ".join(f"`test_half.py::{name}`" for name in NAMES.split())
    table = f"| row | fault | tests | guards | holds |\n| F1 | odd | {tests} | guards | yes |\n"
    (root / TABLE).write_text(table)
    return root


REFUSAL = "if number % 2:"
ENDS = {
    ("test_odd_numbers_are_refused", REFUSAL): "failed as expected",
    ("test_odd_numbers_are_refused_by_the_command", REFUSAL): "failed as expected",
    ("test_even_numbers", REFUSAL): "SURVIVED",
    ("test_that_fails_anyway", REFUSAL): "FAILED BEFORE",
    ("test_that_is_skipped", REFUSAL): "skipped",
    ("test_with_a_fixture", REFUSAL): "NO RESULT",
    ("test_that_kills", REFUSAL): "NO RESULT",
    ("test_odd_numbers_are_refused", "if number % 3:"): "DOES NOT APPLY",
    ("test_odd_numbers_are_refused", "number"): "DOES NOT APPLY",
}


def contents(project: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_only_a_test_that_fails_without_the_guard_will_do(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "".join(GUARD.format(test=test, old=old) for test, old in ENDS)
    (project / GUARDS / "F1.toml").write_text(text)
    before = contents(project)
    assert run(project) == 6
    assert contents(project) == before
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "7 tests with all guards in place"
    assert [line[5:25].strip() for line in lines] == list(ENDS.values())
    assert "DID NOT RAISE" in lines[0]
    assert "found 0 times in package/half.py" in lines[-2]
    assert "found 3 times in package/half.py" in lines[-1]
    assert last.endswith("2 failed as expected, 1 skipped, 6 not")
