"""A weights file, and the ONNX files beside it, read without torch."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.card import ModelCard
from models.errors import ModelError
from models.feature_model.trees import PREFIX, Trees
from models.feature_model.triage import Triage, TriageSettings
from models.registry import bundled_graph_sha256, weights_path

SUFFIX = ".safetensors"
TEXT_GRAPH, QUESTION_GRAPH = "text", "question"
"""Of the ONNX files; `models.weights.export` tells what each does."""

ROW_STEP = 8
"""The question graph looks at a multiple of as many rows of each panel."""

_DTYPES = ("F32", "F16", "I32", "I64")


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """What a weights file holds beside the tensors of the picture model.

    Attributes
    ----------
    card
        What it says of its model.
    triage
        The feature model, if it has one.
    sha256
        Of the file.
    """

    card: ModelCard
    triage: Triage | None
    sha256: str


def read_weights(path: Path, sha256: str | None = None) -> WeightsFile:
    """Read a weights file but for the tensors of the picture model.

    Parameters
    ----------
    path
        A file that `models.weights.model_weights.save_weights` wrote.
    sha256
        The hash the file must have, if it is known.

    Raises
    ------
    ModelError
        When the file is of another kind, damaged, or of another version of the prompt.
    """
    check_suffix(path)
    digest = _checked_sha256(path, _read(path), sha256)
    with _opened(path) as file:
        card = ModelCard.from_metadata(file.metadata() or {})
        trees = {name: _tensor(file, name) for name in file.keys() if name.startswith(PREFIX)}
        triage = None
        if trees or card.triage is not None:
            settings = card.triage or TriageSettings()
            triage = Triage(Trees.from_tensors(trees, card.config.n_features), settings)
    return WeightsFile(card, triage, digest)


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of the picture model; whether they fit it is the caller's to check.

    Raises
    ------
    ModelError
        When the file is damaged, or a number is not finite.
    """
    with _opened(path) as file:
        return {name: _tensor(file, name) for name in file.keys() if not name.startswith(PREFIX)}


def read_training(path_or_name: str | Path) -> dict[str, Any]:
    """Return what the card of a weights file, or of bundled weights, says of the training.

    Nothing else of the file is looked at, so this takes no time.

    Raises
    ------
    ModelError
        When the file is of another kind or damaged.
    """
    path, _ = weights_path(path_or_name)
    check_suffix(path)
    with _opened(path) as file:
        try:
            return dict(json.loads((file.metadata() or {}).get("training", "{}")))
        except (TypeError, ValueError) as error:
            raise ModelError(f"its metadata is broken: {error!r}.") from error


def with_training(path: Path, training: Mapping[str, Any]) -> bytes:
    """Return a weights file whose card says more of the training; the tensors stay as they are.

    Raises
    ------
    ModelError
        As `read_weights` does.
    """
    with _opened(path) as file:
        card = ModelCard.from_metadata(file.metadata() or {})
        tensors = {name: _tensor(file, name) for name in file.keys()}
    card = replace(card, training={**card.training, **training})
    return save(tensors, card.to_metadata())


def load_triage(path_or_name: str | Path) -> Triage | None:
    """Return the feature model of a weights file, or of bundled weights; None where it has none.

    Raises
    ------
    ModelError
        As `read_weights` does.
    """
    return read_weights(*weights_path(path_or_name)).triage


def graph_path(weights: Path, graph: str) -> Path:
    """Return where `models.weights.export` puts a graph of a weights file."""
    return weights.with_suffix(f".{graph}.onnx")


def graph_paths(weights: Path) -> tuple[Path, ...]:
    """Return the paths of all graphs of a weights file."""
    return tuple(graph_path(weights, graph) for graph in (TEXT_GRAPH, QUESTION_GRAPH))


def read_graph(weights: Path, sha256: str, graph: str) -> bytes:
    """Return an ONNX file of a weights file.

    Parameters
    ----------
    weights, sha256
        The weights file and its hash.
    graph
        `TEXT_GRAPH` or `QUESTION_GRAPH`.

    Raises
    ------
    ModelError
        When it is missing, damaged, or made of other weights.
    """
    path = graph_path(weights, graph)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"Cannot read {path}, the ONNX file of {weights}: {error.strerror}; "
            f"make it with: {export_command(weights)}"
        ) from error
    _checked_sha256(path, content, bundled_graph_sha256(path))
    # The exporter writes the hash of the weights into the file, in plain letters.
    if sha256.encode() not in content:
        raise ModelError(
            f"The ONNX file {path} was made of other weights than {weights}; "
            f"remake it with: {export_command(weights)}"
        )
    return content


def export_command(weights: Path) -> str:
    """Return the command that makes the ONNX files of a weights file."""
    return f"python -m models.weights.export {weights}"


def unusable(path: Path, reason: ModelError) -> ModelError:
    """Return the error that names the file."""
    return ModelError(f"Cannot use the model weights {path}: {reason}")


def check_suffix(path: Path) -> None:
    """Refuse every format but safetensors.

    Raises
    ------
    ModelError
        When the path does not end in .safetensors.
    """
    if path.suffix != SUFFIX:
        raise ModelError(
            f"{path} does not end in {SUFFIX}: weights are read and written as safetensors only, "
            "since other formats can run code."
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read the model weights {path}: {error.strerror}.") from error


def _checked_sha256(path: Path, content: bytes, expected: str | None) -> str:
    digest = hashlib.sha256(content).hexdigest()
    if expected not in (None, digest):
        raise ModelError(f"The model weights {path} are damaged: their SHA-256 is not {expected}.")
    return digest


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a weights file; what is wrong with it is said with its name."""
    try:
        with safe_open(path, "numpy") as file:
            yield file
    except SafetensorError as error:
        reason = str(error).removeprefix("Error while deserializing header: ")
        damaged = ModelError(f"it is damaged, or no safetensors file ({reason}).")
        raise unusable(path, damaged) from error
    except ModelError as error:
        raise unusable(path, error) from error


def _tensor(file: Any, name: str) -> NDArray[Any]:
    """Return a tensor, after a look at its type and its numbers."""
    dtype = file.get_slice(name).get_dtype()
    if dtype not in _DTYPES:
        raise ModelError(f"tensor {name} is {dtype}, none of {', '.join(_DTYPES)}.")
    tensor: NDArray[Any] = file.get_tensor(name)
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise ModelError(f"a number of tensor {name} is not finite.")
    return tensor
