"""Sections of RESULTS.md, each with its date, commit and machine."""

from datetime import UTC, datetime

from benchmarks.machine import RESULTS, ROOT, commit, describe

README = ROOT / "README.md"


def stamp() -> str:
    """Return the date, commit and machine of what is measured now."""
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {commit(ROOT)}, {describe()}"


def append(heading: str, text: str) -> None:
    """Append a section: what was measured, and its markdown."""
    with RESULTS.open("a") as out:
        out.write(f"\n## {heading}: {stamp()}\n\n{text.rstrip()}\n")


def write_readme(mark: str, text: str) -> None:
    """Put text between the README's comments `mark` and `/mark`, with when it was measured."""
    first, last = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, _, rest = README.read_text().partition(first)
    _, _, after = rest.partition(last)
    body = f"{text.rstrip()}\n\nMeasured {stamp()}."
    README.write_text(f"{before}{first}\n{body}\n{last}{after}")


def markdown_table(titles: list[str], rows: list[list[str]]) -> str:
    """Format rows of cells as markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
