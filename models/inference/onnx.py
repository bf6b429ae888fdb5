"""The engine onnxruntime: runs in the calling thread, starts in a tenth of a second."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.config import PANEL_ROWS
from models.inference.graph import Arrays, GraphEngine
from models.weights.weights_file import ROW_STEP

_ERRORS_ONLY = 3

_CUTS = range(ROW_STEP, PANEL_ROWS + 1, ROW_STEP)
"""Half of the images of a 30x genome draw few of the rows: a third less time."""


class _Session:
    """A graph in onnxruntime."""

    def __init__(self, graph: bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [value.name for value in self._session.get_inputs()]

    def run(self, own: Arrays, text: Arrays) -> list[NDArray[np.float32]]:
        """Return the outputs; see `models.inference.graph.Network`."""
        feed = dict(zip(self._inputs, (*own, *text), strict=True))
        outputs: list[NDArray[np.float32]] = self._session.run(None, feed)
        return outputs


def build(path: Path, sha256: str | None, threads: int) -> GraphEngine:
    """Build the engine of a weights file; `models.inference.engine.load_engine` is the front.

    Raises
    ------
    ModelError
        When the weights cannot be used.
    """
    return GraphEngine(path, sha256, lambda graph: _Session(graph, threads), _CUTS)
