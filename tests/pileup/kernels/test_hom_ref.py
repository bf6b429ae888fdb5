"""The kernels that rate the reference at every base equal their slow twins on random windows."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pileup.arrays import CoverArrays
from pileup.kernels.hom_ref.confidence import LONGEST_UNIT, mark_repeats, rate_bases, rate_counts
from pileup.kernels.hom_ref.cover import cover_reads
from pileup.kernels.hom_ref.rows import LONGEST_NUMBER, write_rows
from pileup.kernels.hom_ref.runs import N_COLUMNS, START, cut_blocks, join_blocks
from pileup.twins import confidence, cover
from pileup.twins import rows as rows_twin
from pileup.twins import runs as blocks_twin
from pileup.twins.alignment import unpack_reads
from tests.pileup.windows import (
    EAGER,
    Window,
    counts,
    offsets,
    random_reference,
    random_window,
    repeatable,
    seeds,
    twin_scan,
)

BY_MAPQ = np.array([1000 - 700 // (mapq + 1) for mapq in range(256)], np.int32)
BY_QUALITY = np.array([1000 - 999 // (quality + 1) for quality in range(256)], np.int32)
# Terms of 0, 1 and 2 copies; two kinds of indels, for runs below 9 and from 9 on.
TABLES = np.random.default_rng(7).integers(-90_000, 90_000, (3, 3, 3, 31)).astype(np.int32)
TABLE_OF_RUN = np.array([1] * 9 + [2] * 4)


def covered(window: Window, first: int, n: int) -> CoverArrays:
    found = CoverArrays(
        *(np.zeros((2, n), np.int32) for _ in range(2)),
        *(np.zeros(n, np.int64) for _ in range(2)),
        *(np.zeros(n, np.int32) for _ in range(3)),
    )
    scan = window.scan
    cover_reads(window.reads, scan.events, scan.unlike, first, BY_MAPQ, BY_QUALITY, found)
    return found


@given(seeds, counts, st.integers(0, 120), st.integers(1, 140))
@repeatable
def test_cover(seed: int, count: int, offset: int, n: int) -> None:
    window = random_window(seed, count)
    first = window.reference.start + offset
    found = covered(window, first, n)
    slow = cover.cover_reads(
        unpack_reads(window.reads),
        twin_scan(window).events,
        window.stretch,
        (first, first + n),
        EAGER.min_base_quality,
        (BY_MAPQ.tolist(), BY_QUALITY.tolist()),
    )
    places = range(first, first + n)
    for name in ("fragments", "unlike"):
        by_strand: Counter[tuple[int, int]] = getattr(slow, name)
        assert getattr(found, name).tolist() == [
            [by_strand[strand, at] for at in places] for strand in (0, 1)
        ]
    for name in ("begun", "ended", "lost", "other", "indels"):
        by_place: Counter[int] = getattr(slow, name)
        assert getattr(found, name).tolist() == [by_place[at] for at in places]


def repeats_of(codes: NDArray[np.uint8], n: int) -> NDArray[np.int32]:
    repeat = np.zeros((2, n), np.int32)
    mark_repeats(codes, repeat)
    return repeat


@given(seeds)
@repeatable
def test_repeats(seed: int) -> None:
    codes = random_reference(np.random.default_rng(seed))
    n = len(codes) - LONGEST_UNIT
    slow = [confidence.repeat_after(codes.tolist(), at, n - 1 - at) for at in range(n)]
    assert repeats_of(codes, n).T.tolist() == [list(pair) for pair in slow]


@given(seeds, counts)
@repeatable
def test_bases(seed: int, count: int) -> None:
    window = random_window(seed, count)
    codes, n = window.reference.codes, len(window.reference.codes) - LONGEST_UNIT
    found = covered(window, window.reference.start, n)
    pl = np.zeros((n - 20, 2), np.int32)
    rate_bases(found, codes, repeats_of(codes, n), TABLES, TABLE_OF_RUN, pl)
    lists = {name: getattr(found, name).tolist() for name in CoverArrays._fields}
    for at, rated in enumerate(pl.tolist()):
        slow = confidence.rate_base(
            lists, codes.tolist(), at, TABLES.tolist(), TABLE_OF_RUN.tolist()
        )
        assert tuple(rated) == slow


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90))))
@repeatable
def test_counts(pairs: list[tuple[int, int]]) -> None:
    n, k = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    pl = np.zeros((len(n), 2), np.int32)
    table = np.arange(len(n)) % 3
    rate_counts(TABLES, table, n, k, pl)
    assert [tuple(row) for row in pl.tolist()] == [
        confidence.rate(TABLES[number % 3].tolist(), *pair) for number, pair in enumerate(pairs)
    ]


def random_blocks(
    seed: int, n: int, apart: int
) -> tuple[NDArray[np.int32], list[blocks_twin.Block]]:
    """Rows of n bases by the kernel, and blocks by the twin."""
    random = np.random.default_rng(seed)
    start = int(random.integers(0, 10**6))
    ploidy = np.sort(random.integers(1, 3, n)).astype(np.int8)
    codes = random.integers(0, 5, n).astype(np.uint8)
    depth = random.integers(0, 50, n).astype(np.int32)
    pl = random.integers(-40, 140, (n, 2)).astype(np.int32)
    top = np.array([0, 30, 60, 99])
    label = np.repeat(random.integers(0, 4, n), random.integers(1, 9, n))[:n].astype(np.uint8)
    hidden = random.random(n) < 0.05
    rows = np.zeros((n, N_COLUMNS), np.int32)
    found = cut_blocks(start, apart, codes, depth, pl, label, top, hidden, ploidy, rows)
    bases = [
        None
        if hidden[at]
        else blocks_twin.of_base(
            start + at,
            int(codes[at]),
            int(depth[at]),
            pl[at].tolist(),
            int(ploidy[at]),
            int(top[label[at]]),
        )
        for at in range(n)
    ]
    return rows[:found], blocks_twin.cut(bases, label.tolist(), apart)


@given(seeds, st.integers(1, 80), st.integers(0, 20))
@repeatable
def test_blocks(seed: int, n: int, apart: int) -> None:
    rows, slow = random_blocks(seed, n, apart)
    assert rows.tolist() == [block.row() for block in slow]


@given(seeds, st.integers(1, 80), st.integers(-1, 20))
@repeatable
def test_joined_blocks(seed: int, n: int, apart: int) -> None:
    rows, slow = random_blocks(seed, n, n)
    band = np.arange(100) // 20
    apart += int(rows[0, START]) if len(rows) else 0
    left = join_blocks(rows, band, apart)
    joined = blocks_twin.join(slow, band.tolist(), apart)
    assert rows[:left].tolist() == [block.row() for block in joined]


PIECES = ["chr1\t", "\t.\t", "\t<*>\tEND=", "\tGT\t", ".:", "0:", "./.:", "0/0:"]


@given(seeds, st.integers(1, 80))
@repeatable
def test_lines(seed: int, n: int) -> None:
    rows, slow = random_blocks(seed, n, 0)
    sizes = np.array([len(piece) for piece in PIECES])
    text = np.zeros(len(rows) * (sizes.sum() + 7 * LONGEST_NUMBER), np.uint8)
    ends = np.zeros(len(rows), np.int64)
    letters = np.frombuffer("".join(PIECES).encode(), np.uint8)
    write_rows(rows, letters, offsets(sizes), text, ends)
    written = text[: ends[-1] if len(ends) else 0].tobytes().decode()
    lines = [rows_twin.write(block, PIECES) for block in slow]
    assert written == "".join(lines)
    assert ends.tolist() == np.cumsum([len(line) for line in lines]).tolist()
