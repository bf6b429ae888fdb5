"""The reference engine: the model itself, on the CPU or on CUDA."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.card import ModelCard
from models.config import IMAGE_SHAPE
from models.errors import ModelError
from models.inference.arrays import check_arrays
from models.inference.base import KnownWeights
from models.network.caller import VariantCaller
from models.network.memory import keep_freed_memory
from models.prompt import PREFIX_TOKENS, PROMPT_LENGTH, packed, words_of
from models.tasks import ANSWERS, COPIES, answer_columns
from models.weights.model_weights import load_weights

BATCH = 32
"""Rows the network always sees at once: with one shape, a row's answer has one bit pattern.

A window asks about a dozen pictures.
"""

CUDA_BATCH = 128
"""The same on CUDA, where one process answers for all workers."""


_WIDTHS = (128, 160, PROMPT_LENGTH)
"""Words that a row is padded to, the least that suffices: SNVs, all of "copies", all."""


class _Rows:
    """One input of the network: a batch on the device, and the host's memory it is copied from.

    Rows beyond those of the last `fill` hold what they held: no row's answer depends on another.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        is_cuda = device.type == "cuda"
        # Only from pinned memory does a copy leave the CPU free.
        self._host = torch.zeros(shape, dtype=dtype, pin_memory=is_cuda)
        self._device = self._host.to(device) if is_cuda else self._host
        self._written = self._host.numpy()

    def fill(self, rows: NDArray[Any]) -> torch.Tensor:
        """Copy rows to the front of the batch and return the whole of it."""
        n = len(rows)
        self._written[:n] = rows
        if self._device is not self._host:
            self._device[:n].copy_(self._host[:n], non_blocking=True)
        return self._device


class TorchEngine(KnownWeights):
    """Batch normalisation folded, instruction read once, fixed batches."""

    def __init__(
        self, caller: VariantCaller, card: ModelCard, sha256: str, device: str, precision: str
    ) -> None:
        keep_freed_memory()
        super().__init__(card, sha256)
        self.device = torch.device(device)
        # Pixels 0..255 are exact in bf16; the small rest gains nothing from it.
        image_dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        with torch.inference_mode():
            caller.eval().image_encoder.fold()
            self._caller = caller.to(self.device).channels_last()
            self._caller.image_encoder.to(image_dtype)
            self._prefix = caller.decoder.prefix(
                torch.tensor(PREFIX_TOKENS, device=self.device),
                torch.arange(len(PREFIX_TOKENS), device=self.device),
            )
        self._batch = CUDA_BATCH if self.device.type == "cuda" else BATCH
        self._inputs = (
            self._rows(IMAGE_SHAPE, torch.uint8),
            self._rows((card.config.n_features,), torch.float32),
            self._rows((len(COPIES.options),), torch.float32),
        )
        self._words = {
            width: (self._rows((width,), torch.int32), self._rows((width,), torch.int32))
            for width in _WIDTHS
        }

    def _rows(self, shape: tuple[int, ...], dtype: torch.dtype) -> _Rows:
        return _Rows((self._batch, *shape), dtype, self.device)

    def predict(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
        likelihoods: NDArray[np.float32],
        task: str,
    ) -> NDArray[np.float32]:
        """Answer as `Engine.predict` says.

        Raises
        ------
        ValueError
            As `check_arrays` does.
        """
        check_arrays(self._card.config, images, tokens, features, likelihoods, task)
        logits = np.empty((len(images), len(ANSWERS)), np.float32)
        # By its own words alone, so that no other row decides in which shape a row is calculated.
        width_of = np.searchsorted(_WIDTHS, words_of(tokens))
        with torch.inference_mode():
            for i, width in enumerate(_WIDTHS):
                alike = np.flatnonzero(width_of == i)
                for start in range(0, len(alike), self._batch):
                    rows = alike[start : start + self._batch]
                    words = packed(tokens[rows], width)
                    logits[rows] = self._answer(
                        (images[rows], features[rows], likelihoods[rows]), words, width
                    )
        chosen = logits[:, answer_columns(task)]
        return self._card.calibration_of(task).probabilities(chosen)

    def _answer(
        self, asked: Sequence[NDArray[Any]], words: Sequence[NDArray[np.int32]], width: int
    ) -> NDArray[np.float32]:
        pixels, features, likelihoods, tokens, columns = (
            batch.fill(rows)
            for batch, rows in zip(
                (*self._inputs, *self._words[width]), (*asked, *words), strict=True
            )
        )
        caller = self._caller
        logits: NDArray[np.float32] = (
            caller.read(
                caller.image_encoder(pixels).float(),
                caller.feature_encoder(features),
                likelihoods,
                tokens,
                columns,
                prefix=self._prefix,
            )
            .cpu()
            .numpy()
        )
        return logits[: len(asked[0])]


def has_cuda() -> bool:
    """Return whether torch sees a CUDA device."""
    return torch.cuda.is_available()


def build(path: Path, sha256: str | None, device: str, precision: str, threads: int) -> TorchEngine:
    """Build the engine for "cpu", "cuda" or "cuda:N"; use `models.inference.engine.load_engine`.

    Raises
    ------
    ModelError
        When the weights or the device cannot be used.
    """
    if device != "cpu" and not has_cuda():
        raise ModelError("No CUDA device is visible to torch; use the device cpu.")
    torch.set_num_threads(threads)
    # TF32, PyTorch's default for convolutions on CUDA, keeps ten bits: not what fp32 says.
    torch.backends.cudnn.allow_tf32 = False
    return TorchEngine(*load_weights(path, sha256), device, precision)
