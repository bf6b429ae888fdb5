"""The table of faults names every row once, and only tests that exist."""

import re
from pathlib import Path

ROWS = [
    *(f"F{number}" for number in range(1, 25)),
    *("D1", "D2", "D3"),
    *(f"S{number}" for number in range(1, 6)),
    *("X1", "X2"),
]


def test_the_table_is_whole_and_names_tests_that_exist(root: Path) -> None:
    table = (root / "tests" / "faults" / "README.md").read_text()
    assert re.findall(r"^\| ([FDSX]\d+) \|", table, re.MULTILINE) == ROWS
    for line in table.splitlines():
        assert not line.startswith("|") or line.count("|") == 6, line
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", table)
    assert len(named) > len(ROWS)
    for file, test in named:
        assert f"def {test}(" in (root / "tests" / file).read_text(), f"{file}::{test}"
