"""The assembled model: pileup image, measured features and prompt -> logits of the answers."""

from math import expm1, log

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import ModelConfig
from models.network.decoder import Prefix, PromptDecoder
from models.network.feature_encoder import FeatureEncoder
from models.network.image_encoder import ImageEncoder
from models.tasks import ANSWERS, COPIES, answer_columns

ANCHOR_LIMIT = 40.0
"""Nats: a likelihood of counts further below the best says no more than this (GQ 174)."""

_FIRST, _, _LAST = answer_columns(COPIES.name)
_ANCHORED = (_FIRST, len(ANSWERS) - 1 - _LAST)
"""Answers before and after those that counts of reads speak for."""


class AnswerHead(nn.Module):
    """The state at the end of a prompt -> logits of the answers of all tasks.

    Counts of reads say how likely 0, 1 and 2 copies are. The logits of these answers are that
    likelihood times a scale, plus a correction; both follow from the state, that is from picture,
    features and words. Untrained, the scale is 1 and the correction 0: training starts from what
    the counts say, and departs from it where there is a reason.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.correction = nn.Linear(width, len(ANSWERS))
        self.scale = nn.Linear(width, 1)
        for layer in (self.correction, self.scale):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.scale.bias, log(expm1(1.0)))  # softplus makes 1 of it

    def forward(self, state: Tensor, likelihoods: Tensor) -> Tensor:
        """Map float [n, width] and float32 [n, 3] to float32 [n, answers]."""
        scale = functional.softplus(self.scale(state).float())
        anchor = scale * likelihoods.clamp(min=-ANCHOR_LIMIT, max=0.0)
        logits: Tensor = self.correction(state).float() + functional.pad(anchor, _ANCHORED)
        return logits


class VariantCaller(nn.Module):
    """Image encoder, feature encoder and decoder, and the answer restricted to the options.

    The answer is a choice among the options of a task at the last position of the prompt, never
    free text, so the softmax of their logits is a probability.
    """

    def __init__(
        self,
        image_encoder: ImageEncoder,
        feature_encoder: FeatureEncoder,
        decoder: PromptDecoder,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.feature_encoder = feature_encoder
        self.decoder = decoder
        self.answer = AnswerHead(decoder.config.width)

    @property
    def config(self) -> ModelConfig:
        """Sizes of this model."""
        return self.decoder.config

    def forward(
        self,
        images: Tensor,
        tokens: Tensor,
        features: Tensor,
        likelihoods: Tensor,
        columns: Tensor | None = None,
    ) -> Tensor:
        """Return the logits of the answers of all tasks, float32 [n, answers].

        Parameters
        ----------
        images
            uint8 [n, 224, 224, 3] pileup images.
        tokens
            int [n, t] prompts of `models.prompt`.
        features
            float32 [n, n_features], about unit scale.
        likelihoods
            float32 [n, 3], natural logarithms of the likelihoods of 0, 1, 2 copies, at most 0.
        columns
            int [n, t], where the tokens stood before `models.prompt.packed`; None where nothing
            was left out.
        """
        return self.read(
            self.image_encoder(images), self.feature_encoder(features), likelihoods, tokens, columns
        )

    def read(
        self,
        image_tokens: Tensor,
        soft_tokens: Tensor,
        likelihoods: Tensor,
        tokens: Tensor,
        columns: Tensor | None = None,
        keep_image: Tensor | None = None,
        keep_features: Tensor | None = None,
        prefix: Prefix | None = None,
    ) -> Tensor:
        """Answer prompts about images and features already encoded; see `PromptDecoder.question`.

        `prefix` is what the decoder made of the words that start every prompt.
        """
        if columns is None:
            columns = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)
        n = self.config.prefix_length
        prefix = self.decoder.prefix(tokens[0, :n], columns[0, :n]) if prefix is None else prefix
        question = self.decoder.question(tokens[:, n:], columns[:, n:], keep_image, keep_features)
        state = self.decoder(question, image_tokens, soft_tokens, prefix)
        answer: Tensor = self.answer(state, likelihoods)
        return answer

    def channels_last(self) -> "VariantCaller":
        """Lay convolution weights out as the images are: channels last. Returns this model."""
        # The stubs of Module.to do not know memory_format.
        self.image_encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def fill_unseen_words(self, seen: Tensor, unknown: int) -> None:
        """Give words that training never showed the embedding of the word for "unknown".

        Parameters
        ----------
        seen
            bool [vocabulary_size].
        unknown
            Token id whose embedding stands in.
        """
        words = self.decoder.words.weight
        words[~seen] = words[unknown].clone()


def build_caller(config: ModelConfig) -> VariantCaller:
    """Build an untrained model of the given sizes."""
    return VariantCaller(ImageEncoder(config), FeatureEncoder(config), PromptDecoder(config))
