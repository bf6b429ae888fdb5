"""Weights of a torch model, in and out; `models.weights.weights_file` is what reads the file."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as save_tensors
from torch import Tensor

from models.card import ModelCard
from models.errors import ModelError
from models.feature_model.triage import Triage
from models.network.caller import VariantCaller, build_caller
from models.weights.weights_file import check_suffix, read_tensors, read_weights, unusable


def save_weights(
    path: Path,
    caller: VariantCaller,
    card: ModelCard,
    dtype: torch.dtype = torch.float32,
    triage: Triage | None = None,
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
    triage
        The feature model; its settings go into the card.

    Returns
    -------
    The file's SHA-256.
    """
    check_suffix(path)
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().cpu()
        for name, tensor in caller.state_dict().items()
    }
    if triage is not None:
        card = replace(card, triage=triage.settings)
        tensors |= {
            name: torch.from_numpy(array) for name, array in triage.trees.to_tensors().items()
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
    weights = read_weights(path, sha256)
    card, arrays = weights.card, read_tensors(path)
    with torch.device("meta"):
        caller = build_caller(card.config)
    try:
        _check_tensors(arrays, caller.state_dict())
    except ModelError as error:
        raise unusable(path, error) from error
    tensors = {name: _tensor(array) for name, array in arrays.items()}
    caller.load_state_dict(tensors, assign=True)
    return caller.eval(), card, weights.sha256


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it: a half-written file is never seen."""
    passing = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        passing.write_bytes(content)
        os.replace(passing, path)
    except OSError as error:
        passing.unlink(missing_ok=True)
        raise ModelError(f"Cannot write {path}: {error.strerror}.") from error


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))


def _check_tensors(tensors: dict[str, NDArray[Any]], expected: dict[str, Tensor]) -> None:
    """Compare names, types and shapes of the tensors with what the model needs."""
    if odd := set(tensors).symmetric_difference(expected):
        raise ModelError(f"tensors are missing or unknown, such as {min(odd)}.")
    for name, array in tensors.items():
        want = expected[name]
        if (array.dtype.kind == "f") != want.is_floating_point() or array.shape != want.shape:
            raise ModelError(
                f"tensor {name} is {array.dtype} {list(array.shape)}, not {list(want.shape)}."
            )
