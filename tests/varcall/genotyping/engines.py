"""Engines that a process of its own loads in the tests; each must be importable there."""

import os
import signal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.errors import ModelError
from models.inference.engine import Engine, load_engine


class Broken:
    """Fails whenever it is asked."""

    def __init__(self, card: ModelCard, way: str) -> None:
        self.card, self.sha256, self._way = card, "", way

    def predict(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
        likelihoods: NDArray[np.float32],
        task: str,
    ) -> NDArray[np.float32]:
        """End the process, or raise what torch raises."""
        if self._way == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("CUDA out of memory.\nTried to allocate 2 TiB")


def refuse() -> None:
    """Refuse to load."""
    raise ModelError("No CUDA device is visible to torch; use the device cpu.")


def die() -> None:
    """Die while loading."""
    os.kill(os.getpid(), signal.SIGKILL)


def nothing() -> None:
    """Load nothing."""


def broken(folder: str, card: ModelCard) -> Broken:
    """Load an engine, and note in a folder which process did."""
    Path(folder, str(os.getpid())).touch()
    return Broken(card, "fails")


def on_cpu(model: str, device: str, precision: str, *, engine: str) -> Engine:
    """Take the place of CUDA."""
    return load_engine(model, "cpu", precision, engine=engine)
