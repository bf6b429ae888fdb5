"""The arrays of reads, taken in another order, are those of the same reads one by one."""

from collections.abc import Sequence

import numpy as np
import pytest

from pileup.arrays import ReadArrays, offsets_of
from tests.pileup.windows import random_batch, random_reference

PARTS = {
    "bases": "base_offset",
    "qualities": "base_offset",
    "cigar_op": "cigar_offset",
    "cigar_length": "cigar_offset",
}


def as_rows(reads: ReadArrays) -> list[list[object]]:
    """Return each read as the values of its fields."""
    rows = []
    for read in range(len(reads.read_start)):
        row: list[object] = []
        for name in reads._fields:
            values = getattr(reads, name)
            if name in PARTS:
                begins = getattr(reads, PARTS[name])
                row.append(values[begins[read] : begins[read + 1]].tolist())
            elif name not in PARTS.values():
                row.append(values[read].item())
        rows.append(row)
    return rows


def reads_of(seed: int, count: int) -> ReadArrays:
    random = np.random.default_rng(seed)
    return random_batch(random, random_reference(random), 1000, count)


@pytest.mark.parametrize(
    "order", [[], [0], [6, 5, 4, 3, 2, 1, 0], [2, 5], [3, 3, 0]], ids=["none", "one", *"abc"]
)
def test_reads_taken_in_another_order(order: Sequence[int]) -> None:
    reads = reads_of(seed=4, count=7)
    rows = as_rows(reads)
    taken = reads.take(np.array(order, np.int64))
    assert as_rows(taken) == [rows[read] for read in order]
    for name in reads._fields:
        assert getattr(taken, name).dtype == getattr(reads, name).dtype, name


def test_of_no_reads_none_are_taken() -> None:
    assert as_rows(reads_of(seed=1, count=0).take(np.zeros(0, np.int64))) == []


def test_offsets_begin_and_end_the_parts() -> None:
    assert offsets_of(np.array([3, 0, 2])).tolist() == [0, 3, 3, 5]
    assert offsets_of(np.zeros(0, np.int64)).tolist() == [0]
