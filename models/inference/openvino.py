"""The engine OpenVINO: the one that uses the bf16 arithmetic of a CPU."""

from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from models.config import PANEL_ROWS
from models.inference.graph import Arrays, GraphEngine

_CUTS = (16, 48, PANEL_ROWS)
"""Each costs a fifth of a second to compile, and some are not met."""

_PRECISION_HINTS = {"fp32": "f32", "bf16": "bf16"}


class _Network:
    """A graph in OpenVINO, compiled once for each number of rows and of words."""

    def __init__(self, core: openvino.Core, graph: bytes, options: dict[str, str | int]) -> None:
        self._core, self._model, self._options = core, core.read_model(graph), options
        self._requests: dict[tuple[tuple[int, ...], ...], _Request] = {}

    def run(self, own: Arrays, text: Arrays) -> list[NDArray[np.float32]]:
        """Return the outputs; see `models.inference.graph.Network`."""
        shapes = tuple(x.shape for x in (*own, *text))
        if shapes not in self._requests:
            # Without fixed shapes it takes half as long again.
            self._model.reshape(dict(enumerate(shapes)))
            compiled = self._core.compile_model(self._model, "CPU", self._options)
            self._requests[shapes] = _Request(compiled)
        return self._requests[shapes].run(own, text)


class _Request:
    """A compiled graph, with the memory of its inputs."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        self._n_outputs = len(compiled.outputs)
        # Inputs are copied here: to bind other memory takes several times longer.
        self._inputs = [
            np.empty(tuple(port.shape), port.element_type.to_dtype()) for port in compiled.inputs
        ]
        for i, memory in enumerate(self._inputs):
            self._request.set_input_tensor(i, openvino.Tensor(memory, shared_memory=True))
        self._text: Arrays | None = None

    def run(self, own: Arrays, text: Arrays) -> list[NDArray[np.float32]]:
        """Return the outputs; see `models.inference.graph.Network`."""
        _copy(self._inputs[: len(own)], own)
        if text is not self._text:
            _copy(self._inputs[len(own) :], text)
            self._text = text
        self._request.infer()
        return [self._request.get_output_tensor(i).data.copy() for i in range(self._n_outputs)]


def _copy(memories: Arrays, arrays: Arrays) -> None:
    for memory, array in zip(memories, arrays, strict=True):
        np.copyto(memory, array)


def build(path: Path, sha256: str | None, precision: str, threads: int) -> GraphEngine:
    """Build the engine of a weights file; `models.inference.engine.load_engine` is the front.

    Raises
    ------
    ModelError
        When the weights cannot be used.
    """
    core = openvino.Core()
    options: dict[str, str | int] = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
    }
    return GraphEngine(path, sha256, lambda graph: _Network(core, graph, options), _CUTS)
