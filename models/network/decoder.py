"""A small causal transformer that reads words, image tokens and soft tokens as one stream.

The stream keeps the order of the prompt: image tokens stand where `<img>` is, soft tokens where
`<features>` is, and a token sees what stands before it and its own block. Memory order is another
(words, image, soft), since a mask by place costs less than moving the tokens there.
"""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import MLP_RATIO, ModelConfig


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the leading words of a prompt are read into, before its picture is known.

    Words see only what stands before them, so prompts that begin alike share it.

    Attributes
    ----------
    mask
        float [prefix], -inf at padding, else 0.
    keys, values
        Per layer float [1, heads, prefix, width / heads].
    """

    mask: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """The words of prompts that follow a `Prefix`, ready to be read with pictures and features.

    Attributes
    ----------
    words
        float [n, words, width], embedded.
    mask
        float [n, 1, length, length], what sees what, as `DecoderLayer` takes it; the length is that
        of words, image tokens and soft tokens together.
    """

    words: Tensor
    mask: Tensor


class DecoderLayer(nn.Module):
    """Pre-norm attention and perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, MLP_RATIO * width), nn.GELU(), nn.Linear(MLP_RATIO * width, width)
        )

    def _split(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        return x.view(n, length, self.heads, width // self.heads).transpose(1, 2)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, each [n, heads, length, width / heads], of [n, length, width]."""
        key, value = self.key_value(self.before_attention(x)).chunk(2, dim=2)
        return self._split(key), self._split(value)

    def forward(self, x: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Let `x`, float [n, length, width], look at keys and values [n, heads, m, width / heads].

        `mask`, float [n or 1, 1, length, m], is added to the scores: -inf forbids a look.
        """
        query = self._split(self.query(self.before_attention(x)))
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask.to(query.dtype)
        )
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        y: Tensor = x + self.mlp(self.before_mlp(x))
        return y


class PromptDecoder(nn.Module):
    """Token rows with image and soft tokens in their places -> the state at the last position.

    A word is embedded with the column of `models.prompt.write_tokens` that it stands in, so padding
    that is left out changes no result.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocabulary_size, config.width)
        self.place = nn.Embedding(config.prompt_length, config.width)
        layers = [DecoderLayer(config.width, config.heads) for _ in range(config.depth)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(config.width)
        for table in (self.words, self.place):
            nn.init.normal_(table.weight, std=0.02)

    def prefix(self, tokens: Tensor, columns: Tensor) -> Prefix:
        """Read the leading words of a row, int [n], which stand in these columns, int [n].

        They end before `<features>` and `<img>`, and do not begin with padding.
        """
        n = tokens.shape[0]
        x = (self.words(tokens) + self.place(columns)).unsqueeze(0)
        no_word = x.new_zeros(n).masked_fill(tokens == self.config.pad_token, -torch.inf)
        mask = no_word + x.new_full((n, n), -torch.inf).triu(1)[None, None]
        keys, values = [], []
        for i, layer in enumerate(self._layers()):
            key, value = layer.keys_values(x)
            keys.append(key)
            values.append(value)
            if i + 1 < len(self.layers):
                x = layer(x, key, value, mask)
        return Prefix(no_word, tuple(keys), tuple(values))

    def question(
        self,
        tokens: Tensor,
        columns: Tensor,
        keep_image: Tensor | None = None,
        keep_features: Tensor | None = None,
    ) -> Question:
        """Make the words after a prefix ready.

        Parameters
        ----------
        tokens, columns
            int [n, words] and the same, or int [1, words]: words of each prompt after the prefix,
            the last one its last, and the columns that they stand in.
        keep_image, keep_features
            bool [n]: where false, the row is read without that modality. None keeps all.
        """
        words = self.words(tokens) + self.place(columns)
        return Question(words, self._mask(tokens, keep_image, keep_features))

    def forward(
        self,
        question: Question,
        image_tokens: Tensor,
        soft_tokens: Tensor,
        prefix: Prefix,
    ) -> Tensor:
        """Return the state at the end of each prompt, float [n, width].

        Parameters
        ----------
        question
            Of `question`.
        image_tokens, soft_tokens
            float [n, image_tokens, width] and float [n, soft_tokens, width].
        prefix
            Of leading words that all prompts share.
        """
        x = torch.cat([question.words, image_tokens, soft_tokens], dim=1)
        before = prefix.mask.expand(*question.mask.shape[:3], -1)
        mask = torch.cat([before, question.mask], dim=3)
        n, last = x.shape[0], question.words.shape[1] - 1
        for i, layer in enumerate(self._layers()):
            key, value = layer.keys_values(x)
            key = torch.cat([prefix.keys[i].expand(n, -1, -1, -1), key], dim=2)
            value = torch.cat([prefix.values[i].expand(n, -1, -1, -1), value], dim=2)
            if i + 1 == len(self.layers):  # only the last word's state is asked for
                x, mask = x[:, last : last + 1], mask[:, :, last : last + 1]
            x = layer(x, key, value, mask)
        state: Tensor = self.norm(x[:, 0])
        return state

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def _mask(
        self,
        words: Tensor,
        keep_image: Tensor | None,
        keep_features: Tensor | None,
    ) -> Tensor:
        """Return float [n, 1, length, length] as `DecoderLayer` takes it.

        It is made once for all layers, and added: attention is a third faster so than with bools.
        """
        config = self.config
        n, length = words.shape
        n_image, n_soft = config.image_tokens, config.soft_tokens
        column = torch.arange(length, device=words.device)
        is_image, is_features = words == config.image_token, words == config.features_token
        image_at = (is_image * column).sum(1, keepdim=True).expand(n, n_image)
        soft_at = (is_features * column).sum(1, keepdim=True).expand(n, n_soft)
        has_image, has_features = is_image.any(1), is_features.any(1)
        if keep_image is not None:
            has_image = has_image & keep_image
        if keep_features is not None:
            has_features = has_features & keep_features
        place = torch.cat([column.expand(n, length), image_at, soft_at], dim=1)
        is_there = torch.cat(
            [
                (words != config.pad_token) & ~is_image & ~is_features,
                has_image.unsqueeze(1).expand_as(image_at),
                has_features.unsqueeze(1).expand_as(soft_at),
            ],
            dim=1,
        )
        is_seen = (place.unsqueeze(1) <= place.unsqueeze(2)) & is_there.unsqueeze(1)
        # Image and features each have about half the weight of all words at first; left to their
        # numbers, two hundred others outweigh four soft tokens, which are learned far later then.
        image_say, soft_say = (log(config.head_length / tokens) for tokens in (n_image, n_soft))
        share = torch.cat(
            [
                torch.zeros(length, device=words.device),
                torch.full((n_image,), image_say, device=words.device),
                torch.full((n_soft,), soft_say, device=words.device),
            ]
        )
        return share.masked_fill(~is_seen, -torch.inf).unsqueeze(1)
