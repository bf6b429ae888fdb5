"""Make stated probabilities honest: one temperature and a bias per option, fitted by likelihood."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.card import Calibration
from models.metrics import Predictions

_ITERATIONS = 100
TEMPERATURES = (0.5, 5.0)
"""Bounds of a fitted temperature: a small sample answered without error has no best one."""


def fit_calibration(predictions: Predictions, *, with_bias: bool = False) -> Calibration:
    """Fit a calibration to held-out predictions by minimal negative log likelihood.

    Parameters
    ----------
    predictions
        Uncalibrated, of examples that training never saw.
    with_bias
        Also fit a bias per option; it takes over the class balance of these examples, so it is
        right only where they are as mixed as real candidates are.
    """
    logits, labels = predictions.logits.double(), predictions.labels
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=with_bias)
    parameters = [log_temperature, bias] if with_bias else [log_temperature]
    optimiser = torch.optim.LBFGS(parameters, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = functional.cross_entropy(logits * torch.exp(-log_temperature) + bias, labels)
        value.backward()
        return value

    if len(labels):
        optimiser.step(loss)
    temperature = float(log_temperature.detach().exp().clamp(*TEMPERATURES))
    centred = (bias - bias.mean()).detach()
    return Calibration(temperature, tuple(float(b) for b in centred))


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
    """Compare stated with observed error by stated phred quality of the chosen option."""
    p = functional.softmax(calibration.apply(predictions.logits.double()), dim=1)
    error = (1 - p.max(1).values).clamp(min=10 ** (-highest / 10)).numpy()
    wrong = (p.argmax(1) != predictions.labels).numpy()
    quality: NDArray[np.float64] = -10 * np.log10(error)
    rows = []
    for low in np.arange(0.0, highest, step):
        at = (quality >= low) & (quality < low + step if low + step < highest else quality < np.inf)
        if n := int(at.sum()):
            stated, observed = float(error[at].mean()), float(wrong[at].mean())
            rows.append(ReliabilityRow(float(low), float(low + step), n, stated, observed))
    return rows
