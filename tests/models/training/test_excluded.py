"""The recipes' BED of excluded stretches covers all that is scored, with 5 kb around it."""

from pathlib import Path

import pytest

BED = Path(__file__).parents[3] / "models/training/recipes/exclude_b37_chr20.bed"
#: GRCh38 coordinate less b37's on chromosome 20 below 10 Mb (found by sequence).
SHIFT = 19_353
MARGIN = 5_000
#: 1-based inclusive on b37, as the data's rules of use and the slices' names have them.
SCORED = [
    (9_900_001, 10_400_000),
    (50_000_001, 58_500_000),
    (55_001, 150_000),
    (18_783_981, 18_855_722),
    (20_156_208, 20_234_556),
    (36_018_823, 36_039_513),
    (38_386_265, 38_409_801),
    *(
        (first - SHIFT, last - SHIFT)
        for first, last in [(55_000, 170_000), (5_040_000, 5_085_000), (8_990_000, 9_110_000)]
    ),
]


@pytest.mark.parametrize(("first", "last"), SCORED)
def test_scored_stretches_are_excluded(first: int, last: int) -> None:
    rows = [line.split() for line in BED.read_text().splitlines() if not line.startswith("#")]
    assert {row[0] for row in rows} == {"20"}
    low, high = max(0, first - 1 - MARGIN), last + MARGIN
    assert any(int(row[1]) <= low and high <= int(row[2]) for row in rows)
