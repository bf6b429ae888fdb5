"""The assembled model: pileup image, measured features and prompt -> logits of the options."""

import torch
from torch import Tensor, nn

from models.config import ModelConfig
from models.network.decoder import Prefix, PromptDecoder
from models.network.feature_encoder import FeatureEncoder
from models.network.image_encoder import ImageEncoder


class VariantCaller(nn.Module):
    """Image encoder, feature encoder and decoder, and the answer restricted to the options.

    The answer is a choice among the option words at the last position of the prompt, never free
    text, so its softmax is a probability.
    """

    options: Tensor

    def __init__(
        self,
        image_encoder: ImageEncoder,
        feature_encoder: FeatureEncoder,
        decoder: PromptDecoder,
        options: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.feature_encoder = feature_encoder
        self.decoder = decoder
        self.answer = nn.Linear(decoder.config.width, decoder.config.vocabulary_size)
        self.register_buffer("options", torch.tensor(options), persistent=False)

    @property
    def config(self) -> ModelConfig:
        """Sizes of this model."""
        return self.decoder.config

    def forward(self, images: Tensor, tokens: Tensor, features: Tensor) -> Tensor:
        """Return the logits of the options, float [n, options].

        Parameters
        ----------
        images
            uint8 [n, 224, 224, 3] pileup images.
        tokens
            int [n, t] prompts of `models.prompt`, all with the same instruction.
        features
            float32 [n, n_features], about unit scale.
        """
        return self.read(self.image_encoder(images), self.feature_encoder(features), tokens)

    def read(
        self,
        image_tokens: Tensor,
        soft_tokens: Tensor,
        tokens: Tensor,
        keep_image: Tensor | None = None,
        keep_features: Tensor | None = None,
        prefix: Prefix | None = None,
    ) -> Tensor:
        """Answer prompts about images and features already encoded; see `PromptDecoder.forward`."""
        state = self.decoder(tokens, image_tokens, soft_tokens, keep_image, keep_features, prefix)
        answer: Tensor = nn.functional.linear(
            state, self.answer.weight[self.options], self.answer.bias[self.options]
        )
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
    return VariantCaller(
        ImageEncoder(config), FeatureEncoder(config), PromptDecoder(config), config.options
    )
