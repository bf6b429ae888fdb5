"""Calibrate probabilities: temperature, bias and quality map, fitted by likelihood."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.card import Calibration
from models.quality_map import KNOTS, QualityMap
from models.training.metrics import Predictions

_ITERATIONS = 100
TEMPERATURES = (0.5, 5.0)
"""Bounds of a fitted temperature: a small sample answered without error has no best one."""

_PSEUDO_WRONG = 1.0
"""Wrong answers that each free knot of a quality map is taken to have given as stated."""


def fit_calibration(predictions: Predictions, *, with_bias: bool = False) -> Calibration:
    """Fit a calibration to held-out predictions by minimal negative log likelihood.

    Parameters
    ----------
    predictions
        Uncalibrated, of examples that training never saw; each counts by its weight.
    with_bias
        Also fit a bias per option; it takes over the class balance of these examples, so it is
        right only where they are as mixed as real candidates are.
    """
    logits, labels = predictions.logits.double(), predictions.labels
    weights = predictions.weights.double()
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=with_bias)
    parameters = [log_temperature, bias] if with_bias else [log_temperature]
    optimiser = torch.optim.LBFGS(parameters, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = weighted_cross_entropy(logits * torch.exp(-log_temperature) + bias, labels, weights)
        value.backward()
        return value

    if len(labels):
        optimiser.step(loss)
    temperature = float(log_temperature.detach().exp().clamp(*TEMPERATURES))
    centred = (bias - bias.mean()).detach()
    return Calibration(temperature, tuple(float(b) for b in centred))


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean negative log likelihood of labels, each by its weight, in nats."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return (losses * weights).sum() / weights.sum()


def fit_calibrations(predictions: Mapping[str, Predictions]) -> dict[str, Calibration]:
    """Fit a calibration to each task that has predictions; see `fit_calibration`."""
    return {task: fit_calibration(own) for task, own in predictions.items() if len(own.labels)}


def fit_quality_map(
    answers: NDArray[np.float32], labels: NDArray[np.int64], weights: NDArray[np.float32]
) -> QualityMap:
    """Fit what the GQs of held-out answers are worth, those of 0 copies and the others apart.

    With q(s) the line through the knots, at the stated GQ s of an answer, and e = 10^(-q/10), the
    inner knots minimise

        sum over answers, by weight, of -log e if wrong, else -log (1 - e)
        + sum over inner knots k of w (-log e(k) - (10^(k/10) - 1) log (1 - e(k))).

    The first sum is the log loss of right and wrong alone: the map does not change how the error
    is shared between the two other options. The second stands for w wrong answers at each knot, and
    as many right ones as make its GQ true: they hold the line to the identity where there are few
    answers, and are outweighed where there are many. The rises between the knots are the shares of
    a softmax, so the line is monotone whatever the answers are.

    Parameters
    ----------
    answers
        float32 [n, 3], P of 0, 1 and 2 copies, as they would be given without a map.
    labels
        int64 [n], the copies there are.
    weights
        float32 [n].
    """
    answer = answers.argmax(axis=1)
    error = 1 - answers.max(axis=1, initial=0.0).astype(np.float64)
    quality = -10 * np.log10(np.maximum(error, 10 ** (-KNOTS[-1] / 10)))
    wrong = answer != labels
    lines = (
        _fit_line(quality[kind], wrong[kind], weights[kind].astype(np.float64))
        for kind in (answer == 0, answer > 0)
    )
    return QualityMap(KNOTS, *lines)


def _fit_line(
    quality: NDArray[np.float64], wrong: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, ...]:
    """Return the found GQ at each knot, for answers of one kind."""
    inside = (quality > KNOTS[0]) & (quality < KNOTS[-1])
    quality, wrong, weights = quality[inside], wrong[inside], weights[inside]
    inner = np.array(KNOTS[1:-1])
    # A line's value is linear in those at its knots: one column of hats for each.
    hats = np.stack([np.interp([*quality, *inner], KNOTS, hat) for hat in np.eye(len(KNOTS))], 1)
    shape = torch.from_numpy(hats)
    n_wrong = torch.from_numpy(np.append(wrong * weights, np.full(len(inner), _PSEUDO_WRONG)))
    n_right = torch.from_numpy(
        np.append(~wrong * weights, _PSEUDO_WRONG * (10 ** (inner / 10) - 1))
    )
    rises = torch.from_numpy(np.log(np.diff(KNOTS))).requires_grad_(True)
    optimiser = torch.optim.LBFGS([rises], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def line() -> Tensor:
        shares = torch.cat([torch.zeros(1, dtype=torch.float64), rises.softmax(0).cumsum(0)])
        return KNOTS[0] + (KNOTS[-1] - KNOTS[0]) * shares

    def loss() -> Tensor:
        optimiser.zero_grad()
        log_error = -math.log(10) / 10 * (shape @ line())
        log_right = torch.log1p(-torch.exp(log_error))
        value = -(n_wrong * log_error + n_right * log_right).sum() / len(n_wrong)
        value.backward()
        return value

    optimiser.step(loss)
    found = line().detach()[1:-1]
    return (KNOTS[0], *(round(float(quality), 2) for quality in found), KNOTS[-1])


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """Predictions whose stated quality lies in [quality_from, quality_to): how often wrong."""

    quality_from: float
    quality_to: float
    n: int
    stated_error: float
    observed_error: float


def reliability_table(
    predictions: Predictions, calibration: Calibration, step: float = 5.0, highest: float = 50.0
) -> list[ReliabilityRow]:
    """Compare stated with observed error by stated phred quality of the chosen option.

    Errors are means over the examples by their weights.
    """
    p = functional.softmax(calibration.apply(predictions.logits.double()), dim=1)
    error = (1 - p.max(1).values).clamp(min=10 ** (-highest / 10)).numpy()
    wrong = (p.argmax(1) != predictions.labels).numpy()
    weights = predictions.weights.double().numpy()
    quality: NDArray[np.float64] = -10 * np.log10(error)
    rows = []
    for low in np.arange(0.0, highest, step):
        at = (quality >= low) & (quality < low + step if low + step < highest else quality < np.inf)
        if n := int(at.sum()):
            stated, observed = (
                float(np.average(values[at], weights=weights[at])) for values in (error, wrong)
            )
            rows.append(ReliabilityRow(float(low), float(low + step), n, stated, observed))
    return rows
