"""The decoder as operators, in two graphs.

It is causal, so what stands before `<features>` in a prompt (instruction, context, REF and ALT)
never sees the picture. `text_graph` reads that part into keys and values, once for each text that
occurs; nearly all questions of a sample share a few dozen texts. The rest of the stream, which the
question graph reads, is picture, features and words that are the same in every question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from models.card import ModelCard
from models.config import MLP_RATIO, ModelConfig
from models.export.folding import Array, Linear, Tensors
from models.export.onnx_format import GraphBuilder
from models.export.operators import gelu, linear, normalise, reshape
from models.prompt import FEATURES_TOKEN, IMAGE_TOKEN, PromptContext, write_tokens

_NEVER = -1e4
"""Added to the score of a key that must not be seen: exp of it is 0, and bf16 can hold it."""

_EXAMPLE = write_tokens(PromptContext(), ["A"], [("C",)])[0]

TEXT_LENGTH = int(np.flatnonzero(_EXAMPLE == FEATURES_TOKEN)[0])
"""Leading columns of a token row that neither see nor hold picture and features."""

QUESTION_TOKENS = _EXAMPLE[TEXT_LENGTH:]
"""The columns after them, the same in every row: `<features>`, `<img>` and the question."""

_WORD_COLUMNS = np.flatnonzero(~np.isin(QUESTION_TOKENS, (IMAGE_TOKEN, FEATURES_TOKEN)))


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer's linear maps, with normalisations and the scale of attention folded in."""

    query: Linear
    key: Linear
    value: Linear
    out: Linear
    mlp_first: Linear
    mlp_second: Linear


class DecoderGraph:
    """The weights of the decoder, and its operators."""

    def __init__(self, card: ModelCard, tensors: Tensors) -> None:
        self._config = config = card.config
        width, tail = config.width, config.prompt_length - config.head_length
        words = tensors.take("decoder.words.weight", config.vocabulary_size, width)
        head_place = tensors.take("decoder.head_place.weight", config.head_length, width)
        tail_place = tensors.take("decoder.tail_place.weight", tail, width)
        self._words, self._places = words, np.concatenate([head_place, tail_place])
        self._answer = _answer(card, tensors)
        self._layers = [_layer(f"decoder.layers.{i}", config, tensors) for i in range(config.depth)]
        self._rows = len(_WORD_COLUMNS) + config.image_tokens + config.soft_tokens
        self._state = (1, config.heads, TEXT_LENGTH, width // config.heads)

    def text_graph(self) -> bytes:
        """Return the graph: words int32 [TEXT_LENGTH] -> mask, then keys and values by layer."""
        config, n = self._config, TEXT_LENGTH
        graph = GraphBuilder("text")
        words = graph.input("words", np.int32, (n,))
        is_padding = graph.add("Equal", words, graph.constant(np.int32(config.pad_token)))
        bias = graph.add("Where", is_padding, graph.constant(_NEVER), graph.constant(0.0))
        causal = graph.constant(np.triu(np.full((n, n), _NEVER), 1))
        mask = graph.add("Add", bias, causal)
        x = graph.add("Gather", graph.constant(self._words), words, axis=0)
        x = graph.add("Add", x, graph.constant(self._places[None, :n]))
        seen = graph.add("Add", bias, graph.constant(np.zeros((1, 1, self._rows, n))))
        rest = graph.constant(_question_mask(config)[None, None])
        rows = (1, 1, self._rows, n + self._rows)
        graph.output("mask", graph.add("Concat", seen, rest, axis=3), rows)
        for i, layer in enumerate(self._layers):
            key, value = self._keys_values(graph, x, n, layer)
            graph.output(f"key_{i}", key, self._state)
            graph.output(f"value_{i}", value, self._state)
            if i + 1 < len(self._layers):
                x = self._look(graph, x, n, layer, (key, value, mask))
        return graph.to_bytes()

    def answer(self, graph: GraphBuilder, image_tokens: str, soft_tokens: str) -> str:
        """Read the rest of a question; return calibrated logits of the options, [1, options].

        The graph gets what `text_graph` returns as inputs.
        """
        words = self._words[QUESTION_TOKENS] + self._places[TEXT_LENGTH:]
        x = graph.constant(words[None, _WORD_COLUMNS])
        x = graph.add("Concat", x, image_tokens, soft_tokens, axis=1)
        n, seen = self._rows, TEXT_LENGTH + self._rows
        mask = graph.input("mask", np.float32, (1, 1, n, seen))
        for i, layer in enumerate(self._layers):
            own = self._keys_values(graph, x, n, layer)
            text = [
                graph.input(f"{name}_{i}", np.float32, self._state) for name in ("key", "value")
            ]
            key, value = (
                graph.add("Concat", *pair, axis=2) for pair in zip(text, own, strict=True)
            )
            if i + 1 == len(self._layers):  # only the last word's state is asked for
                last = graph.constant([len(_WORD_COLUMNS) - 1])
                x, n = graph.add("Gather", x, last, axis=1), 1
                mask = graph.add("Gather", mask, last, axis=2)
            x = self._look(graph, x, n, layer, (key, value, mask))
        x = reshape(graph, x, 1, self._config.width)
        return linear(graph, normalise(graph, x, self._config.width), self._answer)

    def _split_heads(self, graph: GraphBuilder, x: str, rows: int) -> str:
        """Turn [1, rows, width] into [1, heads, rows, width / heads]."""
        heads = self._config.heads
        x = reshape(graph, x, 1, rows, heads, self._config.width // heads)
        return graph.add("Transpose", x, perm=(0, 2, 1, 3))

    def _keys_values(
        self, graph: GraphBuilder, x: str, rows: int, layer: _Layer
    ) -> tuple[str, str]:
        x = normalise(graph, x, self._config.width)
        key, value = (linear(graph, x, weights) for weights in (layer.key, layer.value))
        return self._split_heads(graph, key, rows), self._split_heads(graph, value, rows)

    def _look(
        self, graph: GraphBuilder, x: str, rows: int, layer: _Layer, seen: Sequence[str]
    ) -> str:
        """Let [1, rows, width] look at what is `seen` (key, value, mask), then apply the MLP."""
        key, value, mask = seen
        width = self._config.width
        query = linear(graph, normalise(graph, x, width), layer.query)
        query = self._split_heads(graph, query, rows)
        score = graph.add("MatMul", query, graph.add("Transpose", key, perm=(0, 1, 3, 2)))
        share = graph.add("Softmax", graph.add("Add", score, mask), axis=-1)
        y = graph.add("Transpose", graph.add("MatMul", share, value), perm=(0, 2, 1, 3))
        x = graph.add("Add", x, linear(graph, reshape(graph, y, 1, rows, width), layer.out))
        hidden = gelu(graph, linear(graph, normalise(graph, x, width), layer.mlp_first))
        return graph.add("Add", x, linear(graph, hidden, layer.mlp_second))


def _layer(name: str, config: ModelConfig, tensors: Tensors) -> _Layer:
    width, hidden = config.width, MLP_RATIO * config.width
    norm = tensors.layer_norm(f"{name}.before_attention", width)
    both = tensors.linear(f"{name}.key_value", 2 * width, width).after(norm)
    query = tensors.linear(f"{name}.query", width, width).after(norm)
    before_mlp = tensors.layer_norm(f"{name}.before_mlp", width)
    return _Layer(
        query=query.times(1 / sqrt(width / config.heads)),
        key=Linear(both.weight[:, :width], both.bias[:width]),
        value=Linear(both.weight[:, width:], both.bias[width:]),
        out=tensors.linear(f"{name}.out", width, width),
        mlp_first=tensors.linear(f"{name}.mlp.0", hidden, width).after(before_mlp),
        mlp_second=tensors.linear(f"{name}.mlp.2", width, hidden),
    )


def _answer(card: ModelCard, tensors: Tensors) -> Linear:
    """Return the map from the last state to the calibrated logits of the options."""
    config, calibration, chosen = card.config, card.calibration, list(card.config.options)
    words = tensors.linear("answer", config.vocabulary_size, config.width)
    options = Linear(words.weight[:, chosen], words.bias[chosen])
    options = options.after(tensors.layer_norm("decoder.norm", config.width))
    return options.times(1 / calibration.temperature).plus(np.array(calibration.bias))


def _question_mask(config: ModelConfig) -> Array:
    """Return what is added to scores among words, image tokens and soft tokens, [rows, rows].

    As in `models.network.decoder`: a row sees what stands before it and its own block, and image
    and features each have half the say of all words at first.
    """
    place, say = [_WORD_COLUMNS], [np.zeros(len(_WORD_COLUMNS))]
    for token, n in ((IMAGE_TOKEN, config.image_tokens), (FEATURES_TOKEN, config.soft_tokens)):
        place.append(np.repeat(np.flatnonzero(QUESTION_TOKENS == token), n))
        say.append(np.full(n, log(config.prompt_length / 2 / n)))
    places = np.concatenate(place)
    mask: Array = np.where(places[None] <= places[:, None], np.concatenate(say), _NEVER)
    return mask
