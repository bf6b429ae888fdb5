import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError
from models.inference.rounding import SMALLEST, STEP, rounded

LOGS = st.lists(st.floats(-12, 0), min_size=3, max_size=3)


def answers(*logs: list[float]) -> np.ndarray:
    odds = 10.0 ** np.array(logs)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


def odds_in_steps(row: np.ndarray) -> np.ndarray:
    logs = np.log10(row.astype(np.float64))
    return (logs - logs.max()) / STEP


@given(LOGS)
def test_odds_become_whole_steps_near_what_was_answered(logs: list[float]) -> None:
    (said,) = answers(logs)
    (kept,) = rounded(said[None])
    assert kept.dtype == np.float32
    assert kept.sum() == pytest.approx(1, abs=1e-6)
    steps = odds_in_steps(kept)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    np.testing.assert_allclose(steps, odds_in_steps(said), atol=0.501)


@given(st.lists(st.integers(-1500, 0), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_the_last_bits_of_an_answer_change_nothing(steps: list[int], seed: int) -> None:
    """As far as an answer lies from the middle between two steps."""
    (said,) = answers([step * STEP for step in steps])
    noise = np.random.default_rng(seed).uniform(-1e-5, 1e-5, 3)
    nearly = np.asarray(said * (1 + noise), np.float32)
    np.testing.assert_array_equal(rounded(nearly[None]), rounded(said[None]))


def test_each_row_is_rounded_alone() -> None:
    rows = answers([0, -1.234567, -3], [-2.71828, 0, -0.5], [0, 0, 0])
    together = rounded(rows)
    for row, kept in zip(rows, together, strict=True):
        np.testing.assert_array_equal(rounded(row[None])[0], kept)
    assert rounded(rows[:0]).shape == (0, 3)


def test_what_an_engine_flushes_to_zero_is_what_it_keeps() -> None:
    tiny = np.array([[1.0, 0.0, 1e-38], [1.0, 1e-36, 0.0]], np.float32)
    kept = rounded(tiny)
    np.testing.assert_array_equal(kept[0], kept[1])
    assert kept[0, 1] == pytest.approx(SMALLEST)


@pytest.mark.parametrize("row", [[np.nan, 0.5, 0.5], [0.0, 0.0, 0.0], [-0.5, 0.5, 1.0], [1, 1, 1]])
def test_an_answer_that_is_no_probability_is_refused(row: list[float]) -> None:
    with pytest.raises(ModelError, match="no probability"):
        rounded(np.array([[0.2, 0.3, 0.5], row], np.float32))
