"""The model as ONNX graphs, made of the weights alone: what OpenVINO and onnxruntime run.

Every graph has fixed shapes and room for one question, so that an answer cannot depend on what else
is asked. Normalisations, the scale of attention and the calibration are folded into the linear maps
beside them. Neither torch nor the onnx package is needed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.config import IMAGE_SHAPE
from models.export.decoder_graph import DecoderGraph
from models.export.feature_graph import FeatureEncoderGraph
from models.export.folding import Tensors
from models.export.image_graph import ImageEncoderGraph
from models.export.onnx_format import GraphBuilder


class Exporter:
    """Writes the graphs of one model.

    Parameters
    ----------
    card, tensors
        What a weights file holds.

    Raises
    ------
    ModelError
        When a tensor is missing, unknown or of another shape than the model's.
    """

    def __init__(self, card: ModelCard, tensors: dict[str, NDArray[Any]]) -> None:
        taken = Tensors(tensors)
        self._config = card.config
        with np.errstate(all="ignore"):
            self._images = ImageEncoderGraph(card.config, taken)
            self._features = FeatureEncoderGraph(card.config, taken)
            self._decoder = DecoderGraph(card, taken)
        taken.check_all_used()

    def text_graph(self) -> bytes:
        """Return an ONNX file that reads the part of a prompt before `<features>`.

        Words int32 [TEXT_LENGTH] become a mask and, layer by layer, keys and values, in the order
        in which the question graph takes them.
        """
        return self._decoder.text_graph()

    def question_graph(self, rows: int) -> bytes:
        """Return an ONNX file that answers one question.

        Its inputs are the upper `rows` rows of both panels, uint8 [rows, 224, 3] each; features,
        float32 [1, n_features]; and what the text graph gave. Its output is the probability of each
        option, float32 [1, options].

        Parameters
        ----------
        rows
            How many rows of each panel are looked at, a multiple of `models.config.PATCH`; the
            others must be blank (0).

        Raises
        ------
        ModelError
            When the weights are too large to calculate with.
        """
        # Numbers that overflow here are found when they become constants of the graph.
        with np.errstate(all="ignore"):
            return self._question_graph(rows)

    def _question_graph(self, rows: int) -> bytes:
        graph = GraphBuilder("question")
        shape = (rows, *IMAGE_SHAPE[1:])
        panels = [graph.input(panel, np.uint8, shape) for panel in ("upper", "lower")]
        features = graph.input("features", np.float32, (1, self._config.n_features))
        logits = self._decoder.answer(
            graph,
            self._images.tokens(graph, panels, rows),
            self._features.tokens(graph, features),
        )
        probability = graph.add("Softmax", logits, axis=-1)
        graph.output("probability", probability, (1, len(self._config.options)))
        return graph.to_bytes()
