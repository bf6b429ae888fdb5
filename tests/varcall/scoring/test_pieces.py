"""The parts that both tools share: intervals, rates, calibration, strata."""

import math
from pathlib import Path

import numpy as np
import pytest

from varcall.errors import InputError
from varcall.scoring.intervals import Intervals
from varcall.scoring.metrics import ScoreSums, calibration, wilson
from varcall.scoring.strata import read_stratification


def test_intervals() -> None:
    intervals = Intervals.merged([(10, 20), (20, 30), (50, 60), (5, 8)])
    assert intervals.pairs() == [(5, 8), (10, 30), (50, 60)]
    assert intervals.overlap(29, 40)
    assert not intervals.overlap(30, 50)
    assert intervals.overlap(15, 15)
    assert not intervals.overlap(10, 10)
    assert not intervals.overlap(30, 30)
    starts, ends = np.array([[29, 40], [30, 50], [15, 15], [10, 10], [30, 30], [10, 30], [8, 11]]).T
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    assert intervals.overlaps(starts, ends).tolist() == [intervals.overlap(*pair) for pair in pairs]
    assert intervals.contain(starts[-2:], ends[-2:]).tolist() == [True, False]
    assert not Intervals.merged([]).overlaps(starts, ends).any()
    assert intervals.size() == 33
    assert intervals.intersected(Intervals.merged([(0, 11), (55, 99)])).pairs() == [
        (5, 8),
        (10, 11),
        (55, 60),
    ]


def test_wilson_intervals_hold_the_rate() -> None:
    for successes, total in ((0, 5), (5, 5), (990, 1000)):
        lower, upper = wilson(successes, total)
        assert 0 <= lower <= successes / total <= upper <= 1
    # Newcombe 1998 (Statistics in Medicine 17:857), 81 of 263 by the score method
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_calibration_bins() -> None:
    bins = calibration(ScoreSums.of([(7, True), (8, False)]) + ScoreSums.of([(99, True)]))
    assert [(item.low, item.total, item.correct) for item in bins] == [(5, 2, 1), (80, 1, 1)]
    assert bins[0].observed == pytest.approx(3.01, abs=0.01)
    assert math.isinf(bins[1].observed)


def test_stratification_file(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_text("c1\t0\t10\n")
    table = tmp_path / "strat.tsv"
    table.write_text("easy\ta.bed\n\n")
    assert read_stratification(table) == {"easy": {"c1": [(0, 10)]}}
    for text, words in (
        ("easy\n", "a tab"),
        ("easy\ta.bed\neasy\ta.bed\n", "taken"),
        ("easy\tb.bed\n", "not there"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=words):
            read_stratification(table)
