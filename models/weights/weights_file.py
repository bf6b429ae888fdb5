"""A weights file and the ONNX files beside it, without torch; all checked before it is believed.

safetensors only: eight bytes of length, a JSON header with name, type, shape and place of each
tensor, then the numbers.
"""

import hashlib
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

LARGEST_HEADER = 1 << 20
LARGEST_FILE = 1 << 32
_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
}


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """What a weights file holds.

    Attributes
    ----------
    card
        What it says of its model.
    tensors
        The picture model's tensors by name: float32, float16 or int64.
    triage
        The feature model, if it has one.
    sha256
        Of the file.
    """

    card: ModelCard
    tensors: dict[str, NDArray[Any]]
    triage: Triage | None
    sha256: str


def read_weights(path: Path, sha256: str | None = None) -> WeightsFile:
    """Read a weights file; whether the tensors are those of the model is the caller's to check.

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
    content = _read(path)
    digest = _checked_sha256(path, content, sha256)
    try:
        header, data = _read_header(content)
        card = ModelCard.from_metadata(header.pop("__metadata__", {}))
        tensors = _read_tensors(header, data)
        trees = {name: tensors.pop(name) for name in list(tensors) if name.startswith(PREFIX)}
        triage = None
        if trees or card.triage is not None:
            settings = card.triage or TriageSettings()
            triage = Triage(Trees.from_tensors(trees, card.config.n_features), settings)
    except ModelError as error:
        raise unusable(path, error) from error
    return WeightsFile(card, tensors, triage, digest)


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


def _checked_sha256(path: Path, content: bytes, expected: str | None) -> str:
    digest = hashlib.sha256(content).hexdigest()
    if expected not in (None, digest):
        raise ModelError(f"The model weights {path} are damaged: their SHA-256 is not {expected}.")
    return digest


def _read(path: Path) -> bytes:
    check_suffix(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"The model weights {path} are larger than {LARGEST_FILE} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read the model weights {path}: {error.strerror}.") from error


def _read_header(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the JSON header of a safetensors file and the bytes after it."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(LARGEST_HEADER, len(content) - 8):
        raise ModelError("it is no safetensors file, or its end is missing.")
    try:
        header = json.loads(content[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise ModelError("its header is not JSON.") from error
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ModelError("its header is not a JSON object.")
    return header, memoryview(content)[8 + size :]


def _read_tensors(header: dict[str, Any], data: memoryview) -> dict[str, NDArray[Any]]:
    """Return the tensors, after a look at their types, shapes and places."""
    tensors: dict[str, NDArray[Any]] = {}
    spans = []
    for name, entry in header.items():
        dtype, shape, start, end = _read_entry(name, entry)
        if not 0 <= start <= end <= len(data) or end - start != prod(shape) * dtype.itemsize:
            raise ModelError(f"tensor {name} does not have the bytes of its shape.")
        spans.append((start, end))
        tensor = np.frombuffer(data[start:end], dtype).reshape(shape)
        if dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ModelError(f"a number of tensor {name} is not finite.")
        tensors[name] = tensor
    at = 0
    for start, end in sorted(spans):
        if start != at:
            raise ModelError("its tensors overlap or leave gaps.")
        at = end
    if at != len(data):
        raise ModelError("its length does not match its header; it may be cut off.")
    return tensors


def _read_entry(name: str, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sizes = (*shape, start, end)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the entry of tensor {name} is broken.") from error
    if type(dtype) is not str or dtype not in _DTYPES:
        raise ModelError(f"tensor {name} is {dtype}, none of {', '.join(_DTYPES)}.")
    if any(type(size) is not int or size < 0 for size in sizes):
        raise ModelError(f"the entry of tensor {name} is broken.")
    return _DTYPES[dtype], tuple(shape), start, end
