"""The table of faults: its rows have tests that exist, and guards that can be taken out."""

from collections import Counter
from pathlib import Path

from tests.faults.mutations import GUARDS, read_guards, read_table


def test_rows_are_unique_and_each_has_a_file_of_guards(root: Path) -> None:
    rows = [row.name for row in read_table(root)]
    assert len(rows) >= 34
    assert Counter(rows) == Counter(path.stem for path in (root / GUARDS).iterdir())


def test_every_test_of_the_table_exists(root: Path) -> None:
    for row in read_table(root):
        assert row.tests, row.name
        for test in (*row.tests, *row.campaigns):
            file, _, function = test.partition("::")
            assert f"def {function}(" in (root / "tests" / file).read_text(), test


def test_the_table_names_the_guards_of_each_row(root: Path) -> None:
    guards = read_guards(root)
    for row in read_table(root):
        names = [guard.name for guard in guards if guard.row == row.name]
        assert names, row.name
        assert row.guards == "; ".join(names), row.name


def test_guards_are_of_tests_of_their_row(root: Path) -> None:
    tests = {row.name: row.tests for row in read_table(root)}
    for guard in read_guards(root):
        test, _, _ = guard.test.partition("[")  # its parameters may be narrowed down
        assert test in tests[guard.row], (guard.row, guard.name)


def test_every_guard_can_be_taken_out(root: Path) -> None:
    """A guard that is moved or reworded needs its file in tests/faults/guards changed as well."""
    for guard in read_guards(root):
        source = (root / guard.file).read_text()
        assert guard.file.endswith(".py"), guard
        without = guard.taken_out(source)
        assert without != source, guard
        compile(without, guard.file, "exec")
