"""The network as ONNX files beside its weights, written by PyTorch's exporter.

Usage: python -m models.weights.export WEIGHTS.safetensors ...

onnxruntime and OpenVINO run them, one question at a time, so that an answer cannot depend on what
else is asked. There are two graphs. The decoder is causal, so what stands before `<features>` in a
prompt (instruction, context, REF and ALT) never sees the picture: the text graph reads it, and
makes the words after it ready, once for each prompt that occurs; nearly all questions of a sample
share a few dozen. The question graph reads what is left: picture, features and likelihoods. So a
task costs what its own words cost, and no more.
"""

import logging
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.card import ModelCard
from models.config import HEADER_ROWS, IMAGE_SHAPE, N_PANELS, PANEL_ROWS, PATCH
from models.errors import ModelError
from models.network.caller import VariantCaller
from models.network.decoder import Prefix, PromptDecoder, Question
from models.network.image_encoder import ImageEncoder
from models.prompt import PROMPT_LENGTH, TEXT_LENGTH, PromptContext, write_tokens
from models.tasks import COPIES
from models.weights.model_weights import load_weights, write_whole
from models.weights.weights_file import (
    QUESTION_GRAPH,
    ROW_STEP,
    TEXT_GRAPH,
    graph_path,
    graph_paths,
    unusable,
)

_OPSET = 20
"""The first operator set with Gelu; onnxruntime 1.20 and OpenVINO 2025.0 read it."""

_EXAMPLE_ROWS = 5 * ROW_STEP
"""Of the panels that are shown to the exporter; the graph takes other numbers as well."""


class TextGraph(nn.Module):
    """Words of a prompt -> what the question graph asks of them."""

    def __init__(self, decoder: PromptDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, text: Tensor, text_columns: Tensor, asked: Tensor, asked_columns: Tensor
    ) -> tuple[Tensor, ...]:
        """Read the words.

        Parameters
        ----------
        text, text_columns
            int32 [m], words before `<features>` and the columns they stand in.
        asked, asked_columns
            int32 [k], the words from there on.

        Returns
        -------
        Words and mask of a `Question`; mask, keys by layer and values by layer of a `Prefix`.
        """
        prefix = self.decoder.prefix(text, text_columns)
        question = self.decoder.question(asked[None], asked_columns[None])
        return question.words, question.mask, prefix.mask, *prefix.keys, *prefix.values


class UpperRows(nn.Module):
    """The image encoder on the header and the upper rows of the panels, where all others are blank.

    At 30x most images are blank but for a few rows, and what stem and first block make of blank
    rows never changes: it is computed here, once, and only rows that a drawn one can influence are
    computed again. The result is that of the whole image.
    """

    blank_stem: Tensor
    blank_block: Tensor

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.block = encoder.blocks[:1]
        blank = encoder.stem(torch.zeros(1, *IMAGE_SHAPE, dtype=torch.uint8))
        self.register_buffer("blank_stem", blank)
        self.register_buffer("blank_block", self.block(blank))
        self.stride = blank.shape[2] // self.blank_block.shape[2]

    def forward(self, header: Tensor, panels: Tensor) -> Tensor:
        """Map header and rows of the panels to image tokens, float [1, image_tokens, width].

        Parameters
        ----------
        header
            uint8 [1, 8, 224, 3].
        panels
            uint8 [1, 3, rows, 224, 3].
        """
        x = self.encoder.stem.join(header, panels)
        drawn = (HEADER_ROWS + panels.shape[2]) // PATCH
        # Either convolution of the block carries a drawn row one row further down, and spoils as
        # many where its input is cut.
        needed = torch.sym_min(drawn + 2 * self.stride + 2, self.blank_stem.shape[2])
        x = self.block(_followed_by(self.blank_stem, x, drawn, needed))
        n = self.blank_block.shape[2]
        x = _followed_by(self.blank_block, x, torch.sym_min(drawn // self.stride + 2, n), n)
        return self.encoder.tokens(x)


def _followed_by(blank: Tensor, x: Tensor, drawn: int, rows: int) -> Tensor:
    """Return the first `rows` rows of a map: `drawn` of `x`, then those of a blank image."""
    return torch.cat([x.narrow(2, 0, drawn), blank.narrow(2, drawn, rows - drawn)], dim=2)


class QuestionGraph(nn.Module):
    """Picture, features, likelihoods and what the text graph gave -> logits of all answers."""

    def __init__(self, caller: VariantCaller) -> None:
        super().__init__()
        self.caller = caller
        self.images = UpperRows(caller.image_encoder)

    def forward(
        self,
        header: Tensor,
        panels: Tensor,
        features: Tensor,
        likelihoods: Tensor,
        words: Tensor,
        question_mask: Tensor,
        mask: Tensor,
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
    ) -> Tensor:
        """Answer a question.

        Parameters
        ----------
        header
            uint8 [1, 8, 224, 3].
        panels
            uint8 [1, 3, rows, 224, 3], rows of the panels, a multiple of `ROW_STEP`; rows that are
            left out are blank (0).
        features
            float32 [1, n_features].
        likelihoods
            float32 [1, 3].
        words, question_mask
            Of a `Question`.
        mask, keys, values
            Of a `Prefix`.

        Returns
        -------
        float32 [1, answers].
        """
        state = self.caller.decoder(
            Question(words, question_mask),
            self.images(header, panels),
            self.caller.feature_encoder(features),
            Prefix(mask, tuple(keys), tuple(values)),
        )
        logits: Tensor = self.caller.answer(state, likelihoods)
        return logits


def export(weights: Path) -> tuple[Path, ...]:
    """Write the graphs of a weights file beside it, and return their paths.

    Raises
    ------
    ModelError
        When the exporter is not installed, or the weights cannot be used.
    """
    check_exporter()
    caller, card, sha256 = load_weights(weights)
    with torch.no_grad():
        caller.image_encoder.fold()
        text = TextGraph(caller.decoder).eval()
        question = QuestionGraph(caller).eval()
        words = _example_words()
        asked = _example(card, text(*words))
        if not question(*asked).isfinite().all():
            raise unusable(weights, ModelError("its numbers are too large to calculate with."))
        rows = {2: ROW_STEP * torch.export.Dim("steps", min=1, max=PANEL_ROWS // ROW_STEP)}
        # Words of a prompt before `<features>`, and from there on.
        first = card.config.prefix_length + 1
        text_length = torch.export.Dim("text", min=first, max=TEXT_LENGTH)
        asked_length = torch.export.Dim("asked", min=2, max=PROMPT_LENGTH - TEXT_LENGTH)
        length = asked_length + card.config.image_tokens + card.config.soft_tokens
        by_layer = ({2: text_length},) * card.config.depth
        variable = (
            None, rows, None, None, {1: asked_length}, {2: length, 3: length}, {0: text_length},
            by_layer, by_layer,
        )  # fmt: skip
        variable_words = ({0: text_length},) * 2 + ({0: asked_length},) * 2
        contents = {
            TEXT_GRAPH: _onnx(text, words, variable_words, sha256),
            QUESTION_GRAPH: _onnx(question, asked, variable, sha256),
        }
    for graph, content in contents.items():
        write_whole(graph_path(weights, graph), content)
    return graph_paths(weights)


def _example_words() -> tuple[Tensor, ...]:
    """Return inputs of the text graph."""
    row = torch.from_numpy(write_tokens(PromptContext(), ["A"], [("C",)])[0])
    columns = torch.arange(len(row), dtype=torch.int32)
    parts = (slice(TEXT_LENGTH), slice(TEXT_LENGTH, None))
    # Copies: two views of one array would become one input.
    return tuple(x[part].clone() for part in parts for x in (row, columns))


def _example(card: ModelCard, text: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Return inputs of the question graph."""
    pixels = IMAGE_SHAPE[1:]
    header = torch.zeros(1, HEADER_ROWS, *pixels, dtype=torch.uint8)
    panels = torch.zeros(1, N_PANELS, _EXAMPLE_ROWS, *pixels, dtype=torch.uint8)
    words, mask, keys_values = text[:2], text[2], text[3:]
    keys, values = keys_values[: card.config.depth], keys_values[card.config.depth :]
    features, likelihoods = (
        torch.zeros(1, card.config.n_features),
        torch.zeros(1, len(COPIES.options)),
    )
    return header, panels, features, likelihoods, *words, mask, keys, values


def check_exporter() -> None:
    """Refuse to go on where PyTorch's exporter lacks what it needs.

    Raises
    ------
    ModelError
        Saying how to install it.
    """
    if find_spec("onnxscript") is None:
        raise ModelError(
            "Weights cannot be written as ONNX without the package onnxscript: "
            "pip install 'varcall-pileup[train]'."
        )


def _onnx(graph: nn.Module, inputs: tuple[Any, ...], variable: Any, sha256: str) -> bytes:
    """Export a graph; the hash of its weights goes along."""
    import onnx_ir
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    # It says of operators that no graph here has that they are not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # PyTorch warns of what its own exporter does.
        warnings.simplefilter("ignore", FutureWarning)
        exported = torch.export.export(graph, inputs, dynamic_shapes=variable)
        program = torch.onnx.export(exported, dynamo=True, opset_version=_OPSET, verbose=False)
    assert program is not None
    # Operators carry where in which source file they come from.
    model = ClearMetadataAndDocStringPass()(program.model).model
    model.metadata_props["weights_sha256"] = sha256
    content: bytes = onnx_ir.to_proto(model).SerializeToString()
    return content


def main() -> None:
    """Export the weights files named on the command line."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m models.weights.export WEIGHTS.safetensors ...")
    for name in sys.argv[1:]:
        try:
            paths = export(Path(name))
        except ModelError as error:
            raise SystemExit(f"models.weights.export: error: {error}") from error
        print(*paths, sep="\n")


if __name__ == "__main__":
    main()
