"""Rows of the GA4GH form: which mismatches are near a record of the other side."""

from collections import deque
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from varcall.scoring.vcfeval.superloci import Row, RowSide, mark_loose_matches

DECISIONS = {"truth": ("TP", "FN", "N", "."), "query": ("TP", "FP", "N", ".")}
KINDS = (".", ".", "am")
DISTANCE = 5


def mark_if(row: Row, is_near: Callable[[deque[Row]], bool], near: dict[str, deque[Row]]) -> None:
    """Mark the mismatches of a row that are near the other side."""
    for side, word, other in ((row.query, "FP", "truth"), (row.truth, "FN", "query")):
        if side.decision == word and side.kind == "." and near[other] and is_near(near[other]):
            side.kind = "lm"


def stream(rows: list[Row]) -> None:
    """Mark as vcfeval does: by what came before a row, and by what came after when it leaves."""
    waiting: deque[Row] = deque()
    near: dict[str, deque[Row]] = {"truth": deque(), "query": deque()}

    def release() -> None:
        row = waiting.popleft()
        for items in near.values():
            while items and items[0].end <= row.start:
                items.popleft()
        mark_if(row, lambda items: items[0].start - DISTANCE < row.end, near)

    for row in rows:
        while waiting and waiting[0].end < row.start - DISTANCE:
            release()
        mark_if(row, lambda items: row.start < items[-1].end + DISTANCE, near)  # noqa: B023
        waiting.append(row)
        for name, words in (("query", ("TP", "FP")), ("truth", ("TP", "FN"))):
            if getattr(row, name).decision in words:
                near[name].append(row)
    while waiting:
        release()


@st.composite
def sorted_rows(draw: st.DrawFn) -> list[Row]:
    """Rows with spans of up to twelve bases, sorted, some with a kind already."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        start = draw(st.integers(0, 60))
        truth, query = (
            RowSide(decision=draw(st.sampled_from(words)), kind=draw(st.sampled_from(KINDS)))
            for words in DECISIONS.values()
        )
        end = start + draw(st.sampled_from([1, 1, 2, 12]))
        found.append(Row("c", start, end, "A" * (end - start), (), (), [], truth, query))
    return sorted(found, key=lambda row: (row.start, row.end))


@given(sorted_rows())
def test_loose_matches_are_those_of_the_stream(rows: list[Row]) -> None:
    kinds = [[row.truth.kind, row.query.kind] for row in rows]
    stream(rows)
    expected = [[row.truth.kind, row.query.kind] for row in rows]
    for row, (truth, query) in zip(rows, kinds, strict=True):
        row.truth.kind, row.query.kind = truth, query
    mark_loose_matches(rows, DISTANCE)
    assert [[row.truth.kind, row.query.kind] for row in rows] == expected
