"""The feature model: answers easy questions before a picture is drawn, and shares in the rest.

Boosted trees on the measured features, added to the likelihood of the counts times a learned scale:
what the counts say stands unless the trees have a reason. What is decisive counts for more, since
whatever makes counts lie at that strength is seen by the trees. DeepVariant's small model does the
same for its easy candidates; what is not sure goes on to the pictures, and there the two opinions
are pooled.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.feature_model.trees import Trees

_LEAST_PROBABILITY = 1e-30
"""None counts as impossible; 300 phred are more than any answer is worth, so nothing saturates."""


@dataclass(frozen=True, slots=True)
class TriageSettings:
    """What the trees begin with, and how their answers are used, fitted on held-out examples.

    Attributes
    ----------
    anchor
        Times the log likelihoods of the counts, and the bias of each answer: the trees are fitted
        to what these leave, so they belong to the trees.
    bias
        Added to these, for 0, 1 and 2 copies.
    decisive, beyond
        Where a likelihood is lower than the best by more than `decisive` nats, each nat more counts
        by `anchor + beyond` instead of `anchor`.
    temperature
        Divides the scores, those of the counts and the trees' together.
    sure
        Where the likeliest answer has at least this probability, no picture is drawn.
    weights
        Exponents of the picture's and of the trees' opinion in their pool.
    """

    temperature: float = 1.0
    sure: float = 1.0
    weights: tuple[float, float] = (1.0, 0.0)
    anchor: float = 0.0
    bias: tuple[float, ...] = (0.0, 0.0, 0.0)
    decisive: float = 0.0
    beyond: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no probability."""
        numbers = (
            self.temperature, self.sure, *self.weights, self.anchor, self.decisive, self.beyond,
        )  # fmt: skip
        is_sound = all(isfinite(number) and number >= 0 for number in numbers)
        is_sound &= all(isfinite(number) for number in self.bias)
        is_sound &= (len(self.weights), len(self.bias)) == (2, 3)
        if not (is_sound and self.temperature and self.sure):
            raise ModelError(f"The triage settings in the weights are broken: {asdict(self)}.")

    def to_mapping(self) -> dict[str, Any]:
        """Return the numbers as they stand in a weights file."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "TriageSettings":
        """Read what `to_mapping` gave.

        Raises
        ------
        ModelError
            Where a number is missing or no number.
        """
        try:
            first, second = (float(number) for number in values["weights"])
            temperature, sure = (float(values[name]) for name in ("temperature", "sure"))
            # Trees of before 0.2 begin with nothing; what they were trained on tells them apart.
            anchor = float(values.get("anchor", 0.0))
            bias = tuple(float(number) for number in values.get("bias", (0.0, 0.0, 0.0)))
            decisive, beyond = (float(values.get(name, 0.0)) for name in ("decisive", "beyond"))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The triage settings are broken: {error!r}.") from error
        return cls(temperature, sure, (first, second), anchor, bias, decisive, beyond)


@dataclass(frozen=True, slots=True)
class Triage:
    """Boosted trees and how their answers are used."""

    trees: Trees
    settings: TriageSettings = TriageSettings()

    def scores(
        self, features: NDArray[np.float32], likelihoods: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the logits of 0, 1, 2 copies before the temperature, float64 [n, 3].

        Parameters
        ----------
        features
            float32 [n, n_features].
        likelihoods
            float32 [n, 3], natural log likelihoods of 0, 1, 2 copies from the counts.
        """
        return anchored(likelihoods, self.settings) + self.trees.scores(features)

    def predict(
        self, features: NDArray[np.float32], likelihoods: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return P of 0, 1, 2 copies, float32 [n, 3], of what `scores` takes."""
        return softmax(self.scores(features, likelihoods) / self.settings.temperature)

    def is_sure(self, answers: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which answers of `predict` need no picture."""
        # By the others: 1 - 10^-9 is 1 in float32, and 1.0 is to leave every question to pictures.
        others = np.sort(answers, axis=1)[:, :-1].sum(axis=1)
        return np.asarray(others < 1.0 - self.settings.sure)

    def pool(
        self, pictured: NDArray[np.float32], answers: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Pool the picture's answers with the trees': a weighted product, normalised."""
        return pool(pictured, answers, self.settings.weights)

    def answer(
        self,
        features: NDArray[np.float32],
        likelihoods: NDArray[np.float32],
        pictured: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Answer alone where sure, and pool with the pictures' answers to the same questions."""
        answers = self.predict(features, likelihoods)
        return np.where(self.is_sure(answers)[:, None], answers, self.pool(pictured, answers))

    def with_settings(self, **settings: Any) -> "Triage":
        """Return the same trees with some `TriageSettings` changed."""
        return replace(self, settings=replace(self.settings, **settings))


def anchored(likelihoods: NDArray[np.float32], settings: TriageSettings) -> NDArray[np.float64]:
    """Return the scores that the trees begin with, float64 [n, 3]."""
    nats = likelihoods.astype(np.float64)
    decisive = np.maximum(0.0, -nats - settings.decisive)
    scores = settings.anchor * nats - settings.beyond * decisive
    return np.asarray(scores + np.asarray(settings.bias, np.float64))


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Turn scores [n, k] into probabilities, float32."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = exponents / exponents.sum(axis=1, keepdims=True)
    return np.asarray(shares, np.float32)


def pool(
    first: NDArray[np.float32], second: NDArray[np.float32], weights: tuple[float, float]
) -> NDArray[np.float32]:
    """Return the logarithmic opinion pool of two sets of probabilities, float32 [n, k]."""
    return softmax(weights[0] * log_of(first) + weights[1] * log_of(second))


def log_of(p: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithm of probabilities, of which none counts as impossible."""
    return np.asarray(np.log(np.maximum(p, _LEAST_PROBABILITY).astype(np.float64)))
