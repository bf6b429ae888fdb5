"""Windows that go to one process together."""

from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varcall.inputs.regions import Region, windows
from varcall.workers.schedule import EACH, EMPTY_TOGETHER, TOGETHER, bundle_windows

SIZE = 1000
CONTIGS = {"a": 700_000, "b": 50_000}


def inputs() -> Any:
    return SimpleNamespace(contigs=CONTIGS, header_contigs=CONTIGS, index="an index")


def bundled(
    occupied: list[tuple[int, int, int]], processes: int, patch: pytest.MonkeyPatch
) -> tuple[tuple[Region, ...], list[tuple[Region, ...]]]:
    patch.setattr("varcall.inputs.open.occupied_spans", lambda path: tuple(occupied))
    todo = windows([Region(name, 0, length) for name, length in CONTIGS.items()], SIZE)
    return todo, list(bundle_windows(todo, inputs(), processes))


def with_reads(bundle: tuple[Region, ...], occupied: list[tuple[int, int, int]]) -> int:
    names = list(CONTIGS)
    return sum(
        any(
            window.contig == names[number] and start < window.end and end > window.start
            for number, start, end in occupied
        )
        for window in bundle
    )


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 690_000), st.integers(1, 200_000)), max_size=5
    ),
    processes=st.integers(1, 4),
)
def test_all_windows_in_order_and_few_with_reads_in_each(
    spans: list[tuple[int, int, int]], processes: int
) -> None:
    occupied = [(number, start, start + length) for number, start, length in spans]
    with pytest.MonkeyPatch.context() as patch:
        todo, bundles = bundled(occupied, processes, patch)
    assert tuple(chain.from_iterable(bundles)) == todo
    assert all(1 <= len(bundle) <= EMPTY_TOGETHER for bundle in bundles)
    filled = [with_reads(bundle, occupied) for bundle in bundles]
    assert max(filled) <= TOGETHER
    if sum(filled) >= EACH * processes:
        assert sum(count > 0 for count in filled) >= EACH * processes


def test_neighbours_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    todo, bundles = bundled([(0, 100_000, 700_000)], 2, monkeypatch)
    # What comes before the reads goes with the first that have some.
    assert bundles[0] == todo[: 100 + TOGETHER]
    assert bundles[1] == todo[100 + TOGETHER : 100 + 2 * TOGETHER]


def test_few_windows_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _, bundles = bundled([(1, 10_000, 14_000)], 2, monkeypatch)
    assert [with_reads(bundle, [(1, 10_000, 14_000)]) for bundle in bundles].count(1) == 4
