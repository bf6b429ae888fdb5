"""Answering questions: one interface, whatever runs the network."""

from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.caller import VariantCaller
from models.config import IMAGE_SHAPE
from models.errors import ModelError
from models.memory import keep_freed_memory
from models.prompt import PREFIX_TOKENS
from models.registry import weights_path
from models.weights import ModelCard, load_weights

_T = TypeVar("_T", bound=np.generic)

PRECISIONS = ("auto", "fp32", "bf16")
CPU_BATCH = 32
CUDA_BATCH = 1024
"""Rows the network always sees at once: with one shape, a row's answer has one bit pattern."""


class Engine(Protocol):
    """What answers: torch today, other run times behind the same methods."""

    @property
    def card(self) -> ModelCard:
        """What the weights say of the model."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of the weights file."""
        ...

    def predict(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the probability of each option, float32 [n, options].

        A row's answer does not depend, to the bit, on the other rows, their number or its place.

        Parameters
        ----------
        images
            uint8 [n, 224, 224, 3] pileup images.
        tokens
            int32 [n, PROMPT_LENGTH] prompts of `models.prompt.write_tokens`.
        features
            float32 [n, n_features], in the order of `card.features`.
        """
        ...


class TorchEngine:
    """The reference engine: batch normalisation folded, instruction read once, fixed batches."""

    def __init__(
        self, caller: VariantCaller, card: ModelCard, sha256: str, device: str, precision: str
    ) -> None:
        keep_freed_memory()
        self._card, self._sha256 = card, sha256
        self.device = torch.device(device)
        self.batch_size = CPU_BATCH if self.device.type == "cpu" else CUDA_BATCH
        with torch.inference_mode():
            caller.eval().image_encoder.fold()
            self._caller = caller.to(self.device).channels_last()
            self._prefix = caller.decoder.prefix(torch.tensor(PREFIX_TOKENS, device=self.device))
        # Pixels 0..255 are exact in bf16; the small rest gains nothing from it.
        self._image_dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._caller.image_encoder.to(self._image_dtype)

    @property
    def card(self) -> ModelCard:
        """What the weights say of the model."""
        return self._card

    @property
    def sha256(self) -> str:
        """Hash of the weights file."""
        return self._sha256

    def predict(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Answer as `Engine.predict` says.

        Raises
        ------
        ValueError
            When the arrays do not fit the model or a prompt has another instruction.
        """
        self._check(images, tokens, features)
        n, size = len(images), self.batch_size
        answers = np.empty((n, len(self._card.config.options)), np.float32)
        with torch.inference_mode():
            for start in range(0, n, size):
                rows = slice(start, min(start + size, n))
                answers[rows] = self._answer(images[rows], tokens[rows], features[rows])
        return answers

    def _answer(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        n = len(images)
        pixels, words, values = (
            torch.from_numpy(_padded(x, self.batch_size)).to(self.device, non_blocking=True)
            for x in (images, tokens, features)
        )
        caller = self._caller
        logits = caller.read(
            caller.image_encoder(pixels).float(),
            caller.feature_encoder(values),
            words,
            prefix=self._prefix,
        )
        calibrated = self._card.calibration.apply(logits)
        p: NDArray[np.float32] = functional.softmax(calibrated, dim=1).cpu().numpy()[:n]
        return p

    def _check(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
    ) -> None:
        config, n = self._card.config, len(images)
        if images.shape[1:] != IMAGE_SHAPE or images.dtype != np.uint8:
            raise ValueError(f"images {images.dtype} {images.shape} are not uint8 [n, 224, 224, 3]")
        if tokens.shape != (n, config.prompt_length) or features.shape != (n, config.n_features):
            raise ValueError(f"tokens {tokens.shape} or features {features.shape} do not fit")
        if not (tokens[:, : config.prefix_length] == PREFIX_TOKENS).all():
            raise ValueError("a prompt does not start with the instruction of models.prompt")


def load_engine(
    path_or_name: str | Path, device: str = "auto", precision: str = "auto", threads: int = 1
) -> Engine:
    """Load a model and make it ready to answer.

    Parameters
    ----------
    path_or_name
        A weights file, or the name of weights that come with the package.
    device
        "cpu", "cuda" (also "cuda:1"), or "auto" for CUDA where there is one.
    precision
        "fp32", "bf16", or "auto": bf16 where the hardware multiplies it, else fp32.
    threads
        CPU threads of this process; workers use one each.

    Raises
    ------
    ModelError
        When the weights, the device or the precision cannot be used.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"There is no precision {precision!r}; use {', '.join(PRECISIONS)}.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise ModelError(f"There is no device {device!r}; use auto, cpu or cuda.")
    is_cuda = device.startswith("cuda")
    if is_cuda and not torch.cuda.is_available():
        raise ModelError("No CUDA device is visible to torch; use the device cpu.")
    fast = is_cuda or cpu_multiplies_bf16()
    if precision == "bf16" and not fast:
        raise ModelError("This CPU has no bf16 arithmetic; use the precision fp32.")
    if precision == "auto":
        precision = "bf16" if fast else "fp32"
    torch.set_num_threads(threads)
    path, sha256 = weights_path(path_or_name)
    caller, card, digest = load_weights(path, sha256)
    return TorchEngine(caller, card, digest, device, precision)


def cpu_multiplies_bf16() -> bool:
    """Return whether this CPU has bf16 arithmetic; emulated, it would be slower than fp32."""
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        return "amx_bf16" in flags or "avx512_bf16" in flags
    return False


def _padded(rows: NDArray[_T], size: int) -> NDArray[_T]:
    """Return contiguous rows, filled up with zeros to `size`."""
    if len(rows) == size:
        return np.ascontiguousarray(rows)
    full = np.zeros((size, *rows.shape[1:]), rows.dtype)
    full[: len(rows)] = rows
    return full
