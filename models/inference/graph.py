"""What OpenVINO and onnxruntime share: the exported graphs, one question at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.export import Exporter
from models.export.decoder_graph import QUESTION_TOKENS, TEXT_LENGTH
from models.export.image_graph import PANEL_ROWS
from models.inference.arrays import check_arrays
from models.inference.base import KnownWeights
from models.weights.weights_file import WeightsFile, unusable

Arrays = Sequence[NDArray[Any]]

CUTS = (40, 64, PANEL_ROWS)
"""Rows of a panel that are looked at: the least of these that leaves out blank rows only.

At 30x three quarters of the images draw fewer than 40 rows; the graph for 40 takes three quarters
of the time of the whole.
"""

_TEXTS_KEPT = 128
"""Prompt texts whose keys and values stay in memory, 150 KB each for the tiny model."""


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
    """Answers with exported graphs; a question is asked alone, so no other can touch its answer."""

    def __init__(
        self, weights: WeightsFile, path: Path, compile_graph: Callable[[bytes], Network]
    ) -> None:
        super().__init__(weights.card, weights.sha256)
        self._path, self._compile = path, compile_graph
        self._questions: dict[int, Network] = {}
        with self._named_weights():
            self._exporter = Exporter(weights.card, weights.tensors)
            text = compile_graph(self._exporter.text_graph())
        self._read = lru_cache(_TEXTS_KEPT)(partial(_read_text, text))

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
            As `check_arrays` does, or when a prompt has another question.
        """
        check_arrays(self._card.config, images, tokens, features)
        if not (tokens[:, TEXT_LENGTH:] == QUESTION_TOKENS).all():
            raise ValueError("a prompt does not end with the question of models.prompt")
        answers = np.empty((len(images), len(self._card.config.options)), np.float32)
        images, features = np.ascontiguousarray(images), np.ascontiguousarray(features)
        for i, image in enumerate(images):
            cut = next(rows for rows in CUTS if _is_blank_from(image, rows))
            own = (image[:cut], image[PANEL_ROWS : PANEL_ROWS + cut], features[i : i + 1])
            text = self._read(tokens[i, :TEXT_LENGTH].tobytes())
            answers[i] = self._question(cut).run(own, text)[0]
        return answers

    def _question(self, rows: int) -> Network:
        if rows not in self._questions:
            with self._named_weights():
                self._questions[rows] = self._compile(self._exporter.question_graph(rows))
        return self._questions[rows]

    @contextmanager
    def _named_weights(self) -> Iterator[None]:
        """Name the file in what is wrong with the weights."""
        try:
            yield
        except ModelError as error:
            raise unusable(self._path, error) from error


def _read_text(network: Network, words: bytes) -> Arrays:
    return tuple(network.run((np.frombuffer(words, np.int32),), ()))


def _is_blank_from(image: NDArray[np.uint8], row: int) -> bool:
    """Return whether both panels of a contiguous image are blank from a row on."""
    panels = image.reshape(2, PANEL_ROWS, -1)
    return not any(panel[row:].ravel().view(np.uint64).any() for panel in panels)
