"""The feature encoder as operators."""

from math import prod

import numpy as np

from models.config import VALUE_LIMIT, ModelConfig
from models.export.folding import Tensors
from models.export.onnx_format import GraphBuilder
from models.export.operators import gelu, linear, normalise, reshape


class FeatureEncoderGraph:
    """The weights of the feature encoder, and its operators."""

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        self._config = config
        n, bins, width = config.n_features, config.feature_bins, config.feature_width
        self._edges = tensors.take("feature_encoder.edges", n, bins + 1)
        self._first = tensors.linear("feature_encoder.first", width, n * (bins + 1))
        self._second = tensors.linear("feature_encoder.second", width, width)
        norm = tensors.layer_norm("feature_encoder.norm", width)
        size = (config.soft_tokens, config.width)
        project = tensors.linear("feature_encoder.project", prod(size), width).after(norm)
        place = tensors.take("feature_encoder.place.weight", *size)
        self._project = project.plus(place.ravel())

    def tokens(self, graph: GraphBuilder, features: str) -> str:
        """Turn features [1, n_features] into soft tokens [1, soft_tokens, width]."""
        config = self._config
        n, bins = config.n_features, config.feature_bins
        limits = (graph.constant(-VALUE_LIMIT), graph.constant(VALUE_LIMIT))
        value = graph.add("Clip", features, *limits)
        steps = np.diff(self._edges, axis=1)
        column = reshape(graph, value, n, 1)
        place = graph.add("Mul", column, graph.constant(1 / steps))
        place = graph.add("Add", place, graph.constant(-self._edges[:, :-1] / steps))
        place = graph.add("Clip", place, graph.constant(0.0), graph.constant(1.0))
        x = graph.add("Concat", reshape(graph, place, 1, n * bins), value, axis=1)
        x = gelu(graph, linear(graph, x, self._first))
        x = graph.add("Add", x, gelu(graph, linear(graph, x, self._second)))
        x = linear(graph, normalise(graph, x, config.feature_width), self._project)
        return reshape(graph, x, 1, config.soft_tokens, config.width)
