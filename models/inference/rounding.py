"""What an engine answers, rounded before it is used.

CPUs and engines add up the network's sums in different orders, so their answers differ in the last
bits: between onnxruntime, OpenVINO and PyTorch by 4e-7 of log10 on average and 3e-6 at most (369
pictures of a 30x genome, fp32). Rounded to hundredths, one answer in ten thousand still differs, by
a tenth of a phred; all others are the same on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

STEP = 0.01
"""In units of log10: a tenth of a phred."""

SMALLEST = 1e-30
"""Smaller probabilities count as this one: a float32 softmax ends at 1e-38, engines before that."""

_TOLERANCE = 0.01


def rounded(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round the odds of each option against the likeliest one to `STEP`, float32 [n, options].

    Parameters
    ----------
    probabilities
        float32 [n, options] of `Engine.predict`.

    Raises
    ------
    ModelError
        When a row is no probability.
    """
    shares = probabilities.astype(np.float64)
    _check_probabilities(shares)
    logs = np.log10(np.maximum(shares, SMALLEST))
    steps = np.rint((logs - logs.max(axis=1, keepdims=True)) / STEP)
    odds = 10.0 ** (steps * STEP)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


def _check_probabilities(shares: NDArray[np.floating]) -> None:
    """Refuse rows [n, options] that do not sum to 1 or have a negative share.

    Raises
    ------
    ModelError
        Naming the first of them.
    """
    is_probability = (abs(shares.sum(axis=1) - 1.0) < _TOLERANCE) & (shares >= 0.0).all(axis=1)
    if not is_probability.all():
        bad = tuple(shares[~is_probability][0].tolist())
        raise ModelError(
            f"the model answered {bad}, which is no probability: "
            "the weights are damaged or the engine failed; try --engine torch"
        )
