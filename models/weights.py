"""Weights in and out: safetensors only, everything checked before it is believed."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from models import prompt
from models.calibrate import Calibration
from models.caller import VariantCaller, build_caller
from models.config import ModelConfig
from models.errors import ModelError

SUFFIX = ".safetensors"
LARGEST_HEADER = 1 << 20
LARGEST_FILE = 1 << 32
_BYTES = {"F32": 4, "F16": 2, "I64": 8}
_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a weights file says of its model.

    `pileup_spec` is `PileupSpec.to_dict()` of the images it reads; `features` names the columns of
    the measured features, in order; `recipe` and `training` tell how it came to be.
    """

    config: ModelConfig
    pileup_spec: dict[str, Any]
    features: tuple[str, ...]
    calibration: Calibration = field(default_factory=Calibration)
    recipe: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """Return the strings that safetensors keeps."""
        return {
            "format": "varcall",
            "config": self.config.to_json(),
            "pileup_spec": json.dumps(self.pileup_spec, sort_keys=True),
            "features": json.dumps(self.features),
            "calibration": json.dumps(self.calibration.to_mapping()),
            "recipe": json.dumps(self.recipe, sort_keys=True),
            "training": json.dumps(self.training, sort_keys=True),
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> "ModelCard":
        """Read what `to_metadata` gave.

        Raises
        ------
        ModelError
            When an entry is missing, broken, or of another version of the prompt.
        """
        try:
            parsed = {k: json.loads(v) for k, v in metadata.items() if k != "format"}
            config = ModelConfig.from_mapping(parsed["config"])
            card = cls(
                config,
                dict(parsed["pileup_spec"]),
                tuple(str(name) for name in parsed["features"]),
                Calibration.from_mapping(parsed["calibration"]),
                dict(parsed["recipe"]),
                dict(parsed["training"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The weights' metadata is broken: {error!r}.") from error
        if len(card.features) != config.n_features:
            raise ModelError("The weights' feature names do not match their number.")
        if config.prompt_version != prompt.VERSION:
            raise ModelError(
                f"The weights were trained on prompt version {config.prompt_version}, this package "
                f"writes version {prompt.VERSION}; use weights made for it."
            )
        return card


def save_weights(
    path: Path, caller: VariantCaller, card: ModelCard, dtype: torch.dtype = torch.float32
) -> str:
    """Write a model to a safetensors file, whole or not at all.

    Parameters
    ----------
    path
        Ends in .safetensors.
    caller, card
        The model, and what to say of it.
    dtype
        Of the stored weights: float32, or float16 for half the size.

    Returns
    -------
    The file's SHA-256.
    """
    _check_suffix(path)
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().cpu()
        for name, tensor in caller.state_dict().items()
    }
    content = save_tensors({k: v.contiguous() for k, v in tensors.items()}, card.to_metadata())
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def load_weights(path: Path, sha256: str | None = None) -> tuple[VariantCaller, ModelCard, str]:
    """Read a model, in eval mode and float32, with its card and the file's SHA-256.

    Parameters
    ----------
    path
        A file that `save_weights` wrote.
    sha256
        The hash the file must have, if it is known.

    Raises
    ------
    ModelError
        When the file is of another kind, damaged, or does not fit this package.
    """
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ModelError(f"The model weights {path} are damaged: their SHA-256 is not {sha256}.")
    try:
        header, data_bytes = _read_header(content)
        card = ModelCard.from_metadata(header.pop("__metadata__", {}))
        with torch.device("meta"):
            caller = build_caller(card.config)
        _check_tensors(header, caller.state_dict(), data_bytes)
    except ModelError as error:
        raise ModelError(f"Cannot use the model weights {path}: {error}") from error
    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in load_tensors(content).items()
    }
    if any(not t.isfinite().all() for t in tensors.values() if t.is_floating_point()):
        raise ModelError(f"Cannot use the model weights {path}: a number is not finite.")
    caller.load_state_dict(tensors, assign=True)
    caller.register_buffer("options", torch.tensor(card.config.options), persistent=False)
    return caller.eval(), card, digest


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a passing name and rename it, so that no half file is ever seen."""
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        passing.write_bytes(content)
        os.replace(passing, path)
    except OSError as error:
        passing.unlink(missing_ok=True)
        raise ModelError(f"Cannot write {path}: {error.strerror}.") from error


def _check_suffix(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise ModelError(
            f"{path} does not end in {SUFFIX}: weights are read and written as safetensors only, "
            "since other formats can run code."
        )


def _read(path: Path) -> bytes:
    _check_suffix(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"The model weights {path} are larger than {LARGEST_FILE} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read the model weights {path}: {error.strerror}.") from error


def _read_header(content: bytes) -> tuple[dict[str, Any], int]:
    """Return the JSON header of a safetensors file and the number of bytes after it."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(LARGEST_HEADER, len(content) - 8):
        raise ModelError("it is no safetensors file, or its end is missing.")
    try:
        header = json.loads(content[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise ModelError("its header is not JSON.") from error
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ModelError("its header is not a JSON object.")
    return header, len(content) - 8 - size


def _check_tensors(header: dict[str, Any], expected: dict[str, Tensor], data_bytes: int) -> None:
    """Compare names, types, shapes and places of the tensors with what the model needs."""
    if odd := set(header).symmetric_difference(expected):
        raise ModelError(f"tensors are missing or unknown, such as {min(odd)}.")
    spans = []
    for name, entry in header.items():
        want = expected[name]
        try:
            dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the entry of tensor {name} is broken.") from error
        allowed = {"F32", "F16"} if want.is_floating_point() else {_NAMES[want.dtype]}
        if dtype not in allowed or shape != list(want.shape):
            raise ModelError(f"tensor {name} is {dtype} {shape}, not {list(want.shape)}.")
        if type(start) is not int or type(end) is not int:
            raise ModelError(f"the entry of tensor {name} is broken.")
        if end - start != prod(shape) * _BYTES[dtype]:
            raise ModelError(f"tensor {name} does not have the bytes of its shape.")
        spans.append((start, end))
    at = 0
    for start, end in sorted(spans):
        if start != at:
            raise ModelError("its tensors overlap or leave gaps.")
        at = end
    if at != data_bytes:
        raise ModelError("its length does not match its header; it may be cut off.")
