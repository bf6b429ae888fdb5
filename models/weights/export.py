"""The network as ONNX files beside its weights, written by PyTorch's exporter.

Usage: python -m models.weights.export WEIGHTS.safetensors ...

onnxruntime and OpenVINO run them, one question at a time, so that an answer cannot depend on what
else is asked. There are two graphs. The decoder is causal, so what stands before `<features>` in a
prompt (instruction, context, REF and ALT) never sees the picture: the text graph reads it, once for
each text that occurs; nearly all questions of a sample share a few dozen texts. The question graph
reads the rest: picture, features and words that are the same in every question.
"""

import logging
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.card import Calibration, ModelCard
from models.config import IMAGE_SHAPE, PANEL_ROWS, PATCH
from models.errors import ModelError
from models.network.caller import VariantCaller
from models.network.decoder import Prefix, PromptDecoder
from models.network.image_encoder import ImageEncoder
from models.prompt import QUESTION_TOKENS, TEXT_LENGTH
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
    """Words, int32 [TEXT_LENGTH] -> mask, keys by layer, values by layer of a `Prefix`."""

    def __init__(self, decoder: PromptDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, words: Tensor) -> tuple[Tensor, ...]:
        """Read the words."""
        prefix = self.decoder.prefix(words)
        return prefix.mask, *prefix.keys, *prefix.values


class UpperRows(nn.Module):
    """The image encoder on the upper rows of both panels, where all others are blank.

    At 30x most images are blank but for a few rows, and what stem and first block make of blank
    rows never changes: it is computed here, once, and only rows that a drawn one can influence are
    computed again. The result is that of the whole image.
    """

    blank_stem: Tensor
    blank_block: Tensor

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.block, self.other_blocks = encoder.blocks[:1], encoder.blocks[1:]
        blank = encoder.stem(torch.zeros(1, *IMAGE_SHAPE, dtype=torch.uint8))
        self.register_buffer("blank_stem", blank)
        self.register_buffer("blank_block", self.block(blank))
        self.stride = blank.shape[2] // self.blank_block.shape[2]

    def forward(self, upper: Tensor, lower: Tensor) -> Tensor:
        """Map panels uint8 [1, rows, 224, 3] to image tokens, float [1, image_tokens, width]."""
        x = self.encoder.stem.join(upper, lower)
        drawn = upper.shape[1] // PATCH
        # Either convolution of the block carries a drawn row one row further down, and spoils as
        # many where its input is cut.
        needed = torch.sym_min(drawn + 2 * self.stride + 2, self.blank_stem.shape[2])
        x = self.block(_followed_by(self.blank_stem, x, drawn, needed))
        n = self.blank_block.shape[2]
        x = _followed_by(self.blank_block, x, torch.sym_min(drawn // self.stride + 2, n), n)
        return self.encoder.tokens(self.other_blocks(x))


def _followed_by(blank: Tensor, x: Tensor, drawn: int, rows: int) -> Tensor:
    """Return the first `rows` rows of a map: `drawn` of `x`, then those of a blank image."""
    return torch.cat([x.narrow(2, 0, drawn), blank.narrow(2, drawn, rows - drawn)], dim=2)


class QuestionGraph(nn.Module):
    """Panels, features and what the text graph gave -> P of each option, float [1, options]."""

    tokens: Tensor

    def __init__(self, caller: VariantCaller, calibration: Calibration) -> None:
        super().__init__()
        self.caller, self.calibration = caller, calibration
        self.images = UpperRows(caller.image_encoder)
        # The decoder looks at the columns after the text only.
        self.register_buffer("tokens", torch.tensor([(0,) * TEXT_LENGTH + QUESTION_TOKENS]))

    def forward(
        self,
        upper: Tensor,
        lower: Tensor,
        features: Tensor,
        mask: Tensor,
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
    ) -> Tensor:
        """Answer a question.

        Parameters
        ----------
        upper, lower
            uint8 [1, rows, 224, 3], rows of the panels, a multiple of `ROW_STEP`; rows that are
            left out are blank (0).
        features
            float32 [1, n_features].
        mask, keys, values
            Of a `Prefix`.
        """
        logits = self.caller.read(
            self.images(upper, lower),
            self.caller.feature_encoder(features),
            self.tokens,
            prefix=Prefix(mask, tuple(keys), tuple(values)),
        )
        return self.calibration.apply(logits).softmax(1)


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
        question = QuestionGraph(caller, card.calibration).eval()
        words = torch.ones(TEXT_LENGTH, dtype=torch.int32)
        asked = _example(card, text(words))
        if not question(*asked).isfinite().all():
            raise unusable(weights, ModelError("its numbers are too large to calculate with."))
        rows = {1: ROW_STEP * torch.export.Dim("steps", min=1, max=PANEL_ROWS // ROW_STEP)}
        by_layer = (None,) * card.config.depth
        variable = (rows, rows, None, None, by_layer, by_layer)
        contents = {
            TEXT_GRAPH: _onnx(text, (words,), None, sha256),
            QUESTION_GRAPH: _onnx(question, asked, variable, sha256),
        }
    for graph, content in contents.items():
        write_whole(graph_path(weights, graph), content)
    return graph_paths(weights)


def _example(card: ModelCard, text: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Return inputs of the question graph."""
    shape = (1, _EXAMPLE_ROWS, *IMAGE_SHAPE[1:])
    # Two arrays: one array twice would become one input.
    upper, lower = (torch.zeros(shape, dtype=torch.uint8) for _ in range(2))
    mask, keys, values = text[0], text[1 : card.config.depth + 1], text[card.config.depth + 1 :]
    return upper, lower, torch.zeros(1, card.config.n_features), mask, keys, values


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
