"""Calibration: the arithmetic of the bins, the file of figures, and the plot."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibration import Bin, bin_table, bins, write_json
from benchmarks.runs.answered import Answered, joined
from benchmarks.scores.calibration_plot import Point, plot


def answered(error: float, n: int, wrong: int) -> Answered:
    probabilities = np.tile([error, 1 - error, 0.0], (n, 1))
    labels = np.repeat([0, 1], (wrong, n - wrong))
    return Answered(probabilities, labels, np.zeros(n, bool), np.zeros(n, bool))


def test_questions_are_sorted_by_their_stated_error() -> None:
    parts = [answered(0.009, 1000, 12), answered(0.02, 100, 1), answered(1e-9, 50, 0)]
    assert bins(joined(parts)) == [
        Bin(15, 100, 1, pytest.approx(0.02)),
        Bin(20, 1000, 12, pytest.approx(0.009)),
        Bin(45, 50, 0, pytest.approx(1e-5)),
    ]


def test_what_nothing_tells_is_counted_apart() -> None:
    lost = replace(answered(0.009, 30, 20), misled=np.ones(30, bool))
    (found,) = bins(joined([answered(0.009, 1000, 12), lost]))
    assert found == Bin(20, 1000, 12, pytest.approx(0.009), 30, 20)
    assert bin_table("short", [found]).rows[0][-2:] == ["30", "20"]


def test_bounds_hold_what_was_found() -> None:
    item = Bin(20, 1000, 10, 0.008)
    low, high = item.bounds
    assert item.found == pytest.approx(20)
    assert low == pytest.approx(17.4, abs=0.1)
    assert high == pytest.approx(22.6, abs=0.1)
    assert (
        "| 20-25 | 1000 | 10 | 21.0 | 20.0 | 17.4 to 22.6 |" in bin_table("real", [item]).markdown()
    )


def test_bin_without_errors_has_a_lower_bound_only() -> None:
    item = Bin(45, 100, 0, 1e-5)
    assert item.found is None
    assert (
        "| 45- | 100 | 0 | 50.0 | > 20.0 | 14.3 to 60.0 |" in bin_table("real", [item]).markdown()
    )
    assert item.to_mapping()["found"] is None


def test_table_says_which_bins_are_not_honest() -> None:
    good, early = Bin(20, 10_000, 80, 0.008), Bin(25, 10_000, 60, 0.002)
    # Of 20 answers nothing is known well enough, and above 40 nothing is asked.
    unknown, late = Bin(30, 20, 0, 0.001), Bin(40, 10_000, 80, 0.0001)
    assert good.is_honest
    assert not early.is_honest
    assert unknown.is_honest
    (note,) = bin_table("hifi", [good, early, late]).notes
    assert note.endswith("between 5 and 40: GQ 25-30; the largest difference is -4.8")
    (note,) = bin_table("hifi", [good, late]).notes
    assert note.endswith("between 5 and 40: no GQ; the largest difference is +0.0")


def test_figures_lie_beside_the_weights(tmp_path: Path, untrained_model: Path) -> None:
    weights = shutil.copy(untrained_model, tmp_path / "own.safetensors")
    path = write_json(str(weights), {"short": [Bin(20, 1000, 10, 0.008)]})
    assert path == tmp_path / "own.calibration.json"
    about = json.loads(path.read_text())
    assert about["calibration"] == {}
    assert about["triage"] is None
    assert about["found"]["short"] == [
        {
            "gq": "20-25", "n": 1000, "wrong": 10, "stated": 20.97, "found": 20.0,
            "found_from": 17.37, "found_to": 22.64, "misled": 0, "misled_wrong": 0,
        }
    ]  # fmt: skip


def test_equal_figures_give_equal_plots(tmp_path: Path) -> None:
    points = [Point(12.0, 11.0, (10.0, 12.5)), Point(40.0, None, (25.0, 60.0))]
    for name in ("a.svg", "b.svg"):
        plot(tmp_path / name, {"held-out": points, "real": points[:1]})
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "held-out" in text
    assert "GQ stated" in text
