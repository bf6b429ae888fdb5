"""An engine that is loaded at the first question: many windows need no picture."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.inference.base import KnownWeights
from models.weights.weights_file import read_weights

if TYPE_CHECKING:
    from models.inference.engine import Engine


class DeferredEngine(KnownWeights):
    """Knows its weights at once, and loads the engine that `load` returns at the first question.

    Parameters
    ----------
    path, sha256
        The weights, as `models.registry.weights_path` gives them.
    load
        Returns an engine with these weights.

    Raises
    ------
    ModelError
        When the weights cannot be used.
    """

    def __init__(self, path: Path, sha256: str | None, load: "Callable[[], Engine]") -> None:
        weights = read_weights(path, sha256)
        super().__init__(weights.card, weights.sha256)
        self._load = load

    @cached_property
    def _engine(self) -> "Engine":
        return self._load()

    def predict(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
        likelihoods: NDArray[np.float32],
        task: str,
    ) -> NDArray[np.float32]:
        """Answer as `Engine.predict` says."""
        return self._engine.predict(images, tokens, features, likelihoods, task)
