"""What OpenVINO and onnxruntime share: the ONNX files, one question at a time."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.config import HEADER_ROWS, IMAGE_SHAPE, N_PANELS, PANEL_ROWS
from models.errors import ModelError
from models.inference.arrays import check_arrays
from models.inference.base import KnownWeights
from models.prompt import PAD_TOKEN, TEXT_LENGTH, packed, words_of
from models.tasks import ANSWERS, answer_columns
from models.weights.weights_file import (
    QUESTION_GRAPH,
    TEXT_GRAPH,
    export_command,
    graph_path,
    read_graph,
    read_weights,
)

Arrays = Sequence[NDArray[Any]]

_TEXTS_KEPT = 128
"""Prompts whose words, read, stay in memory, 150 KB each for the tiny model."""

_TEXT_STEP = 32
"""Texts are padded to a multiple of as many words: OpenVINO compiles a graph for each length."""


class Network(Protocol):
    """A graph that a run time has made ready."""

    def run(self, own: Arrays, text: Arrays) -> list[NDArray[np.float32]]:
        """Return the outputs.

        Parameters
        ----------
        own
            The first inputs, which are others in each call.
        text
            The last inputs: the very same sequence as before for a text asked before.
        """
        ...


class GraphEngine(KnownWeights):
    """Answers with exported graphs; a question is asked alone, so no other can touch its answer.

    Parameters
    ----------
    path, sha256
        The weights file, and the hash it must have if that is known.
    compile_graph
        Makes the run time's network of an ONNX file.
    cuts
        Numbers of rows of a panel that may be looked at, the last one all of them: the least that
        leaves out blank rows only is taken.

    Raises
    ------
    ModelError
        When the weights or their ONNX files cannot be used.
    """

    def __init__(
        self,
        path: Path,
        sha256: str | None,
        compile_graph: Callable[[bytes], Network],
        cuts: Sequence[int],
    ) -> None:
        weights = read_weights(path, sha256)
        super().__init__(weights.card, weights.sha256)
        text, self._question = (
            self._compiled(path, graph, compile_graph) for graph in (TEXT_GRAPH, QUESTION_GRAPH)
        )
        self._cuts = np.array(cuts)
        self._read = lru_cache(_TEXTS_KEPT)(partial(_read_text, text))

    def _compiled(
        self, path: Path, graph: str, compile_graph: Callable[[bytes], Network]
    ) -> Network:
        content = read_graph(path, self._sha256, graph)
        try:
            return compile_graph(content)
        except Exception as error:  # whatever a run time raises of a file that is no ONNX
            reason = str(error).partition("\n")[0]
            raise ModelError(
                f"Cannot use {graph_path(path, graph)}: {reason}; "
                f"remake it with: {export_command(path)}"
            ) from error

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
        images, features = np.ascontiguousarray(images), np.ascontiguousarray(features)
        panels = images[:, HEADER_ROWS:].reshape(-1, N_PANELS, PANEL_ROWS, *IMAGE_SHAPE[1:])
        for i, cut in enumerate(self._cuts[np.searchsorted(self._cuts, _drawn_rows(panels))]):
            one = slice(i, i + 1)
            picture = images[one, :HEADER_ROWS], panels[one, :, :cut]
            text = self._read(tokens[i].tobytes())
            logits[i] = self._question.run((*picture, features[one], likelihoods[one]), text)[0]
        chosen = logits[:, answer_columns(task)]
        return self._card.calibration_of(task).probabilities(chosen)


def _read_text(network: Network, row: bytes) -> Arrays:
    tokens = np.frombuffer(row, np.int32)
    text, question = tokens[None, :TEXT_LENGTH], np.flatnonzero(tokens[TEXT_LENGTH:] != PAD_TOKEN)
    steps = -(-int(words_of(text)[0]) // _TEXT_STEP)
    words, columns = packed(text, min(steps * _TEXT_STEP, TEXT_LENGTH))
    asked = (question + TEXT_LENGTH).astype(np.int32)
    return tuple(network.run((words[0], columns[0], tokens[asked], asked), ()))


def _drawn_rows(panels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return from which row on all panels (uint8 [n, 3, h, 224, 3]) are blank, int64 [n]."""
    rows = panels.reshape(*panels.shape[:3], prod(IMAGE_SHAPE[1:])).view(np.uint64)
    is_drawn = np.bitwise_or.reduce(rows, axis=(1, 3)) != 0
    last: NDArray[np.int64] = PANEL_ROWS - is_drawn[:, ::-1].argmax(axis=1)
    return np.where(is_drawn.any(axis=1), last, 0)
