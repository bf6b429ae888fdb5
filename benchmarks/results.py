"""Sections of RESULTS.md, each with its date, commit and machine."""

from datetime import UTC, datetime

from benchmarks.machine import RESULTS, ROOT, commit, describe


def append(heading: str, text: str) -> None:
    """Append a section: what was measured, and its markdown."""
    title = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit(ROOT)}, {describe()}"
    with RESULTS.open("a") as out:
        out.write(f"\n## {heading}: {title}\n\n{text.rstrip()}\n")


def markdown_table(titles: list[str], rows: list[list[str]]) -> str:
    """Format rows of cells as markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
