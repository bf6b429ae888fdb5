"""Answering questions: one interface, whatever runs the network."""

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.config import IMAGE_SHAPE
from models.errors import ModelError
from models.prompt import PromptContext, write_tokens
from models.registry import weights_path
from models.tasks import COPIES

_log = logging.getLogger(__name__)

ENGINES = ("auto", "torch", "openvino", "onnx")
PRECISIONS = ("auto", "fp32", "bf16")
_EXTRAS = {"openvino": "openvino", "onnx": "onnxruntime"}
"""The package behind each engine that is an extra of this one."""

_FASTEST_FIRST = ("onnx", "openvino", "torch")
"""As measured. Neither a clock nor the CPU decides, nor does the precision: the same command gives
the same records on every node of a cluster."""

_BF16_ENGINES = ("openvino", "torch")
_LEVELS_WITHOUT_BF16 = frozenset(
    ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")
)
"""Values of ONEDNN_MAX_CPU_ISA, as oneDNN's manual lists them."""

_PROBE_TOLERANCE = 1e-3

_CUDA_SIGNS = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/dxg")
"""Without one of these there is no CUDA device, and torch need not be imported."""


class Engine(Protocol):
    """What answers."""

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
        likelihoods: NDArray[np.float32],
        task: str,
    ) -> NDArray[np.float32]:
        """Return the probability of each option of a task, float32 [n, options].

        A row's answer does not depend, to the bit, on the other rows, their number or its place.

        Parameters
        ----------
        images
            uint8 [n, 224, 224, 3] pileup images.
        tokens
            int32 [n, PROMPT_LENGTH] prompts of the task, by `models.prompt.write_tokens`.
        features
            float32 [n, n_features], in the order of `card.features`.
        likelihoods
            float32 [n, 3], natural logarithms of the likelihoods of 0, 1 and 2 copies that counts
            of reads give; the highest of a row is 0, and all are where no read tells.
        task
            Name of the task, of `models.tasks.TASKS`.
        """
        ...


def load_engine(
    path_or_name: str | Path,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 1,
    engine: str = "auto",
) -> Engine:
    """Load a model and make it ready to answer.

    Parameters
    ----------
    path_or_name
        A weights file, or the name of weights that come with the package.
    device
        "cpu", "cuda" (also "cuda:1"), or "auto" for CUDA where there is one.
    precision
        "fp32", "bf16", or "auto" for fp32: other arithmetic gives other records.
    threads
        CPU threads of this process; workers use one each.
    engine
        "torch", "openvino", "onnx", or "auto": torch on CUDA, elsewhere the first of
        `_FASTEST_FIRST` that is installed and passes a probe.

    Raises
    ------
    ModelError
        When the weights, the device, the precision or the engine cannot be used.
    """
    on_cuda = load_cuda_engine(path_or_name, device, precision, threads, engine)
    if on_cuda is not None:
        return on_cuda
    if device not in ("auto", "cpu"):
        raise ModelError(f"The engine {engine} runs on the CPU only; use the engine torch there.")
    if precision == "bf16" and not (cpu_multiplies_bf16() and engine in ("auto", *_BF16_ENGINES)):
        lacks = "The engine onnx" if engine == "onnx" else "This CPU"
        raise ModelError(f"{lacks} has no bf16 arithmetic; use the precision fp32.")
    chosen = _Choice(path_or_name, "cpu", _stated(precision), threads)
    if engine != "auto":
        return chosen.load(engine)
    return chosen.load_first(
        [name for name in _FASTEST_FIRST if precision != "bf16" or name in _BF16_ENGINES]
    )


def may_use_cuda(device: str = "auto", engine: str = "auto") -> bool:
    """Return whether `load_engine` would look for CUDA, without loading torch (seconds)."""
    if engine not in ("auto", "torch") or device == "cpu":
        return False
    return device != "auto" or any(Path(sign).exists() for sign in _CUDA_SIGNS)


def load_cuda_engine(
    path_or_name: str | Path,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 1,
    engine: str = "auto",
) -> Engine | None:
    """Load a model as `load_engine` does where that takes CUDA; return None where it does not.

    Raises
    ------
    ModelError
        When the weights, the device, the precision or the engine cannot be used.
    """
    _check_names(device, precision, engine)
    if not may_use_cuda(device, engine) or (device == "auto" and not _has_cuda()):
        return None
    device = "cuda" if device == "auto" else device
    return _Choice(path_or_name, device, _stated(precision), threads).load("torch")


def _stated(precision: str) -> str:
    return "fp32" if precision == "auto" else precision


@dataclass(frozen=True, slots=True)
class _Choice:
    """How a model is to run, but for the engine."""

    path_or_name: str | Path
    device: str
    precision: str
    threads: int

    def load(self, engine: str) -> Engine:
        """Load one engine.

        Raises
        ------
        ModelError
            When its package is missing or the weights cannot be used.
        """
        try:
            return self._load(engine)
        except ImportError as error:
            raise ModelError(
                f"The engine {engine} cannot be loaded ({error}): "
                f"pip install 'varcall-pileup[{engine}]', or choose another engine."
            ) from error

    def load_first(self, engines: Sequence[str]) -> Engine:
        """Load the first engine that is installed and answers; the last one is not probed."""
        for engine in engines[:-1]:
            if find_spec(_EXTRAS[engine]) is None:
                continue
            try:
                loaded = self._load(engine)
                _probe(loaded)
            except ModelError:
                raise
            except Exception as error:  # whatever a broken installation raises
                reason = str(error).partition("\n")[0]
                _log.warning("the engine %s does not work here and is not used: %s", engine, reason)
            else:
                return loaded
        return self.load(engines[-1])

    def _load(self, engine: str) -> Engine:
        path, sha256 = weights_path(self.path_or_name)
        # Each back end costs up to seconds to import: only the chosen one is.
        if engine == "onnx":
            from models.inference import onnx

            return onnx.build(path, sha256, self.threads)
        if engine == "openvino":
            from models.inference import openvino

            return openvino.build(path, sha256, self.precision, self.threads)
        from models.inference import torch

        return torch.build(path, sha256, self.device, self.precision, self.threads)


def cpu_multiplies_bf16() -> bool:
    """Return whether this CPU has bf16 arithmetic; emulated, it would be slower than fp32.

    ONEDNN_MAX_CPU_ISA can keep PyTorch and OpenVINO from it.
    """
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _LEVELS_WITHOUT_BF16:
        return False
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        return "amx_bf16" in flags or "avx512_bf16" in flags
    return False


def _check_names(device: str, precision: str, engine: str) -> None:
    if precision not in PRECISIONS:
        raise ModelError(f"There is no precision {precision!r}; use {', '.join(PRECISIONS)}.")
    if engine not in ENGINES:
        raise ModelError(f"There is no engine {engine!r}; use {', '.join(ENGINES)}.")
    if device.split(":")[0] not in ("auto", "cpu", "cuda"):
        raise ModelError(f"There is no device {device!r}; use auto, cpu or cuda.")


def _has_cuda() -> bool:
    from models.inference import torch

    return torch.has_cuda()


def _probe(engine: Engine) -> None:
    """Ask an engine about a blank image.

    Raises
    ------
    ArithmeticError
        When the answer is no probability.
    """
    tokens = write_tokens(PromptContext(), ["A"], [("C",)])
    features = np.zeros((1, engine.card.config.n_features), np.float32)
    likelihoods = np.zeros((1, len(COPIES.options)), np.float32)
    answer = engine.predict(
        np.zeros((1, *IMAGE_SHAPE), np.uint8), tokens, features, likelihoods, COPIES.name
    )
    if not (np.isfinite(answer).all() and abs(answer.sum() - 1) < _PROBE_TOLERANCE):
        raise ArithmeticError(f"it answers {answer.tolist()}")
