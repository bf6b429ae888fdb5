"""The image encoder as operators, which leaves out the rows that no read reaches.

At 30x a third of a pileup image is drawn and the rest is blank. What the first blocks make of blank
rows never changes, so it is computed here once and enters the graph as constants; only rows that a
drawn one can influence are computed. The result is that of the whole image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.config import IMAGE_SHAPE, PATCH, ModelConfig
from models.export.folding import Array, Convolution, Tensors
from models.export.onnx_format import GraphBuilder
from models.export.operators import convolve, convolved, reshape

PANEL_ROWS = IMAGE_SHAPE[0] // 2

_WORTH_CUTTING = 0.7
"""A map is computed whole when more than this share of its rows is needed: a cut has its price."""


@dataclass(frozen=True, slots=True)
class _Map:
    """A map [1, channels, rows, columns] of which the graph computes the upper rows.

    `blank` [channels, all rows, columns] is what a blank image gives, and so the other rows.
    """

    value: str
    rows: int
    blank: Array

    def extended(self, graph: GraphBuilder, rows: int) -> str:
        """Return `rows` upper rows, at least those that are computed."""
        if rows == self.rows:
            return self.value
        rest = graph.constant(self.blank[None, :, self.rows : rows])
        return graph.add("Concat", self.value, rest, axis=2)


@dataclass(frozen=True, slots=True)
class _Block:
    """A residual block with its normalisations folded in."""

    first: Convolution
    second: Convolution
    shortcut: Convolution | None
    stride: int


class ImageEncoderGraph:
    """The weights of the image encoder, and its operators."""

    def __init__(self, config: ModelConfig, tensors: Tensors) -> None:
        self._config = config
        outputs, shape = config.image_channels[0], (IMAGE_SHAPE[2] * PATCH, PATCH, 1)
        norm = tensors.batch_norm("image_encoder.stem.norm", outputs)
        upper, lower = (
            norm.of(tensors.take(f"image_encoder.stem.{panel}.weight", outputs, *shape))
            for panel in ("upper", "lower")
        )
        # The shift is added once, with the upper panel.
        self._stem = (
            Convolution(upper, norm.shift, (PATCH, 1)),
            Convolution(lower, np.zeros(outputs), (PATCH, 1)),
        )
        self._blocks = _blocks(config, tensors)
        project = tensors.linear("image_encoder.project", config.width, config.image_channels[-1])
        place = tensors.take("image_encoder.place.weight", config.image_tokens, config.width)
        self._project, self._place = project.weight, place + project.bias

    def tokens(self, graph: GraphBuilder, panels: Sequence[str], rows: int) -> str:
        """Turn two panels uint8 [rows, 224, 3] into image tokens [1, image_tokens, width].

        The panels are cut after `rows` rows, a multiple of the patches' side; the others are blank.
        """
        x = self._stem_map(graph, panels, rows)
        for block in self._blocks:
            x = _residual(graph, x, block)
        channels, n = self._config.image_channels[-1], self._config.image_tokens
        y = reshape(graph, x.extended(graph, self._config.image_grid[0]), 1, channels, n)
        y = graph.add("Transpose", y, perm=(0, 2, 1))
        y = graph.add("MatMul", y, graph.constant(self._project))
        return graph.add("Add", y, graph.constant(self._place[None]))

    def _stem_map(self, graph: GraphBuilder, panels: Sequence[str], rows: int) -> _Map:
        columns, channels = IMAGE_SHAPE[1] // PATCH, IMAGE_SHAPE[2] * PATCH
        sums = []
        for panel, weights in zip(panels, self._stem, strict=True):
            # Four pixels of a row are twelve channels: no pixel is moved. With the cast between
            # reshape and transpose, OpenVINO makes the latter a mere layout.
            x = graph.add("Cast", reshape(graph, panel, 1, rows, columns, channels), to=1)
            x = graph.add("Transpose", x, perm=(0, 3, 1, 2))
            sums.append(convolve(graph, x, weights))
        value = graph.add("Relu", graph.add("Add", *sums))
        shape = (len(self._stem[0].bias), PANEL_ROWS // PATCH, columns)
        blank = np.broadcast_to(np.maximum(self._stem[0].bias, 0)[:, None, None], shape)
        return _Map(value, rows // PATCH, blank)


def _blocks(config: ModelConfig, tensors: Tensors) -> list[_Block]:
    blocks: list[_Block] = []
    inputs = config.image_channels[0]
    for stage, (outputs, n) in enumerate(
        zip(config.image_channels, config.image_blocks, strict=True)
    ):
        for place in range(n):
            stride = 2 if stage > 0 and place == 0 else 1
            name = f"image_encoder.blocks.{len(blocks)}"
            same = inputs == outputs and stride == 1
            shortcut = (
                None if same else tensors.conv_norm(f"{name}.shortcut", outputs, inputs, 1, 1)
            )
            first = tensors.conv_norm(f"{name}.first", outputs, inputs, 3, stride)
            second = tensors.conv_norm(f"{name}.second", outputs, outputs, 3, 1)
            blocks.append(_Block(first, second, shortcut, stride))
            inputs = outputs
    return blocks


def _residual(graph: GraphBuilder, x: _Map, block: _Block) -> _Map:
    """Two 3x3 convolutions around a shortcut, as in the encoder's `ResidualBlock`."""
    blank = _blank_residual(x.blank, block)
    rows, asked = blank.shape[1], x.blank.shape[1]
    # Either convolution carries a drawn row one row further down, and spoils as many at the cut.
    drawn = x.rows // block.stride + 2
    cut = drawn + (1 if block.stride > 1 else 2)
    is_cut = cut < _WORTH_CUTTING * rows
    if is_cut:
        rows, asked = drawn, block.stride * cut
    value = x.extended(graph, asked)
    y = graph.add("Relu", convolve(graph, value, block.first))
    y = convolve(graph, y, block.second)
    if block.stride > 1:
        sides = (block.stride, block.stride)
        value = graph.add("AveragePool", value, kernel_shape=sides, strides=sides, ceil_mode=1)
    if block.shortcut is not None:
        value = convolve(graph, value, block.shortcut)
    y = graph.add("Relu", graph.add("Add", y, value))
    if is_cut:
        y = graph.add("Slice", y, *(graph.constant([number]) for number in (0, rows, 2)))
    return _Map(y, rows, blank)


def _blank_residual(x: Array, block: _Block) -> Array:
    """Return what a block makes of the map [channels, rows, columns] of a blank image."""
    y = convolved(np.maximum(convolved(x, block.first), 0), block.second)
    x = _halved(x) if block.stride > 1 else x
    x = x if block.shortcut is None else convolved(x, block.shortcut)
    return np.maximum(y + x, 0)


def _halved(x: Array) -> Array:
    """Return means of 2x2 pixels; of what there is, at the end of an odd side."""
    channels, rows, columns = x.shape
    x = np.pad(x, ((0, 0), (0, rows % 2), (0, columns % 2)), mode="edge")
    y: Array = x.reshape(channels, (rows + 1) // 2, 2, -1, 2).mean(axis=(2, 4))
    return y
