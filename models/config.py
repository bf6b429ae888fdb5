"""The numbers that define a model, saved with its weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from models.errors import ModelError

IMAGE_SHAPE = (224, 224, 3)
"""Height, width and channels of a pileup image, as `pileup.spec` draws it."""

HEADER_ROWS = 8
"""On top: reference and putative allele."""

N_PANELS = 3
"""Below the header, one above the other; they show the same reads."""

PANEL_ROWS = (IMAGE_SHAPE[0] - HEADER_ROWS) // N_PANELS
"""Of each panel."""

PATCH = 4
"""Side of the patches of the stem, in pixels."""

POOLED_TOKENS = 2
"""Image tokens beside those of the grid: averages, in which reads are counted."""

MLP_RATIO = 2
"""Hidden width of a decoder layer's perceptron, in widths."""

VALUE_LIMIT = 8.0
"""Features are clamped here, so that one outlier cannot dominate the sum."""

_LARGEST = 65_536
"""Bound of every size: a damaged file must not make us allocate petabytes."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the parts, and the token ids that tie a model to its prompt grammar.

    `image_channels` and `image_blocks` have one entry per stage of the image encoder; each stage
    after the first halves the map. `prefix_length` leading columns of a token row are the words
    that start every prompt, `head_length` leading columns hold instruction and context. `options`
    are the token ids of the answers of all tasks.
    """

    name: str
    image_channels: tuple[int, ...]
    image_blocks: tuple[int, ...]
    width: int
    depth: int
    heads: int
    n_features: int
    feature_width: int
    feature_bins: int
    soft_tokens: int
    vocabulary_size: int
    prompt_length: int
    head_length: int
    prefix_length: int
    pad_token: int
    image_token: int
    features_token: int
    options: tuple[int, ...]
    prompt_version: int

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built.

        Raises
        ------
        ModelError
            Naming the field.
        """
        for field in fields(self):
            self._check_type(field.name)
        if not 1 <= len(self.image_channels) == len(self.image_blocks) <= 5:
            raise _bad("image_blocks", "must have one entry per entry of image_channels (1 to 5)")
        if 0 in self.image_blocks[1:]:
            raise _bad("image_blocks", "may be 0 in the first stage only")
        if self.width % self.heads:
            raise _bad("width", f"must be a multiple of heads ({self.heads})")
        if not 0 < self.prefix_length <= self.head_length < self.prompt_length:
            raise _bad("prefix_length", "must be > 0, <= head_length and < prompt_length")
        tokens = (self.pad_token, self.image_token, self.features_token, *self.options)
        if len(self.options) < 2 or max(tokens) >= self.vocabulary_size:
            raise _bad("options", "must be two or more tokens inside the vocabulary")

    def _check_type(self, name: str) -> None:
        value = getattr(self, name)
        if name == "name":
            if not isinstance(value, str) or not value:
                raise _bad(name, "must be a word")
            return
        smallest = 0 if name.endswith("_token") or name in ("options", "image_blocks") else 1
        numbers = value if isinstance(value, tuple) else (value,)
        if name in ("image_channels", "image_blocks", "options") and not isinstance(value, tuple):
            raise _bad(name, "must be a list of whole numbers")
        for number in numbers:
            if type(number) is not int or not smallest <= number <= _LARGEST:
                raise _bad(name, f"must be whole, from {smallest} to {_LARGEST}, not {number!r}")

    @property
    def image_grid(self) -> tuple[int, int]:
        """Rows and columns of the last map; each place becomes an image token."""
        rows, columns = (HEADER_ROWS + PANEL_ROWS) // PATCH, IMAGE_SHAPE[1] // PATCH
        for _ in self.image_channels[1:]:
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        return rows, columns

    @property
    def image_tokens(self) -> int:
        """Number of tokens one image becomes."""
        return self.image_grid[0] * self.image_grid[1] + POOLED_TOKENS

    def to_json(self) -> str:
        """Return this configuration as a JSON object."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelConfig":
        """Read what `to_json` wrote.

        Raises
        ------
        ModelError
            When the text is not JSON, a field is missing or unknown, or a value is out of range.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ModelError(f"The model configuration is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise ModelError("The model configuration is not a JSON object.")
        return cls.from_mapping(values)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Build a configuration from the parsed JSON object; errors as in `from_json`."""
        expected = {field.name for field in fields(cls)}
        if odd := expected.symmetric_difference(values):
            raise ModelError(
                f"The model configuration has missing or unknown fields: {', '.join(sorted(odd))}; "
                "the weights were made by another version of this package."
            )
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


def _bad(name: str, what: str) -> ModelError:
    return ModelError(f"The model configuration's {name} {what}.")
