"""Pieces of a graph that encoders and decoder share."""

from math import sqrt

import numpy as np

from models.export.folding import EPSILON, Array, Convolution, Linear
from models.export.onnx_format import GraphBuilder


def reshape(graph: GraphBuilder, x: str, *shape: int) -> str:
    """Give a value another shape of the same size."""
    return graph.add("Reshape", x, graph.constant(list(shape)))


def linear(graph: GraphBuilder, x: str, weights: Linear) -> str:
    """Apply a linear map to the last axis."""
    product = graph.add("MatMul", x, graph.constant(weights.weight))
    return graph.add("Add", product, graph.constant(weights.bias))


def normalise(graph: GraphBuilder, x: str, size: int) -> str:
    """Bring rows to mean 0 and variance 1; scale and shift are folded into what follows."""
    return graph.add(
        "LayerNormalization", x, graph.constant(np.ones(size)), axis=-1, epsilon=EPSILON
    )


def gelu(graph: GraphBuilder, x: str) -> str:
    """Apply the exact GELU, in the form that run times know and fuse."""
    erf = graph.add("Erf", graph.add("Div", x, graph.constant(sqrt(2))))
    double = graph.add("Mul", x, graph.add("Add", erf, graph.constant(1.0)))
    return graph.add("Mul", double, graph.constant(0.5))


def convolve(graph: GraphBuilder, x: str, weights: Convolution) -> str:
    """Apply a convolution to [1, channels, rows, columns]."""
    return graph.add(
        "Conv",
        x,
        graph.constant(weights.weight),
        graph.constant(weights.bias),
        kernel_shape=weights.weight.shape[2:],
        strides=weights.strides,
        pads=(weights.padding,) * 4,
    )


def convolved(x: Array, weights: Convolution) -> Array:
    """Return what a convolution makes of an array [channels, rows, columns]."""
    edge = weights.padding
    x = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
    rows, columns = weights.weight.shape[2:]
    views = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), axis=(1, 2))
    views = views[:, :: weights.strides[0], :: weights.strides[1]]
    y: Array = np.tensordot(weights.weight, views, ((1, 2, 3), (0, 3, 4)))
    return y + weights.bias[:, None, None]
