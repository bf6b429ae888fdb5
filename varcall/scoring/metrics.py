"""Confidence intervals of rates, and how well a score predicts correctness."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from varcall.scoring.happy.rows import Row

# 97.5 % quantile of the normal distribution: two-sided 95 % intervals.
NORMAL_QUANTILE = 1.959963984540054
RATES = {
    "METRIC.Recall": ("TRUTH.TP", ("TRUTH.TP", "TRUTH.FN")),
    "METRIC.Precision": ("QUERY.TP", ("QUERY.TP", "QUERY.FP")),
    "METRIC.Frac_NA": ("QUERY.UNK", ("QUERY.TOTAL",)),
}
INTERVAL_KEYS = ("Type", "Subtype", "Subset", "Filter")
INTERVAL_COLUMNS = (
    *INTERVAL_KEYS,
    *(column for rate in RATES for column in (rate, f"{rate}.Lower", f"{rate}.Upper")),
    "METRIC.F1_Score",
)
# Widest first: calibration bins of a phred-scaled score.
CALIBRATION_EDGES = (0, 5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 80, 100)


def wilson(successes: int, total: int, quantile: float = NORMAL_QUANTILE) -> tuple[float, float]:
    """Wilson's score interval of a binomial proportion (JASA 22:209, 1927).

    >>> tuple(round(bound, 4) for bound in wilson(9, 10))
    (0.5958, 0.9821)
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if total == 0:
        return 0.0, 1.0
    share = successes / total
    square = quantile * quantile
    middle = share + square / (2 * total)
    spread = quantile * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    scale = 1 + square / total
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def interval_row(row: Row) -> Row:
    """The rates of a table row with the bounds of their 95 % intervals."""
    found = {key: row[key] for key in INTERVAL_KEYS}
    for rate, (name, parts) in RATES.items():
        total = sum(int(row[part]) for part in parts)
        lower, upper = wilson(int(row[name]), total)
        found |= {rate: row[rate], f"{rate}.Lower": f"{lower:.6f}", f"{rate}.Upper": f"{upper:.6f}"}
    return found | {"METRIC.F1_Score": row["METRIC.F1_Score"]}


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Calls whose score lies in [low, high)."""

    low: float
    high: float
    mean_score: float
    correct: int
    total: int

    @property
    def observed(self) -> float:
        """Share of wrong calls as a phred score; infinite without any."""
        wrong = self.total - self.correct
        return -10 * math.log10(wrong / self.total) if wrong else math.inf


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """Sum of the scores, correct and all calls, by bin of the score; [bins] each.

    >>> (ScoreSums.of([(7, True)]) + ScoreSums.of([(8, False), (99, True)])).totals[[1, 11]]
    array([2, 1])
    """

    scores: npt.NDArray[np.float64]
    correct: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]

    @classmethod
    def of(cls, scored: Sequence[tuple[float, bool]]) -> "ScoreSums":
        """Add up (score, correct) pairs; scores below all bins are left out."""
        pairs = np.array(scored, np.float64).reshape(-1, 2)
        bins = np.searchsorted(CALIBRATION_EDGES, pairs[:, 0], "right")
        size = len(CALIBRATION_EDGES) + 1
        return cls(
            np.bincount(bins, pairs[:, 0], size)[1:].astype(np.float64),
            np.bincount(bins, pairs[:, 1], size)[1:].astype(np.int64),
            np.bincount(bins, minlength=size)[1:],
        )

    def __add__(self, other: "ScoreSums") -> "ScoreSums":
        return ScoreSums(
            self.scores + other.scores,
            self.correct + other.correct,
            self.totals + other.totals,
        )


def calibration(sums: ScoreSums) -> list[CalibrationBin]:
    """Bins of the score; empty ones are left out."""
    bounds = [*CALIBRATION_EDGES, math.inf]
    return [
        CalibrationBin(
            bounds[i],
            bounds[i + 1],
            float(sums.scores[i]) / total,
            int(sums.correct[i]),
            total,
        )
        for i, total in enumerate(sums.totals.tolist())
        if total
    ]
