"""Names of models -> their sizes, and the weights that come with the package."""

from dataclasses import dataclass
from pathlib import Path

from models import prompt
from models.config import ModelConfig
from models.errors import ModelError

WEIGHTS_FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes a name stands for; the rest of a `ModelConfig` follows from prompt and features."""

    image_channels: tuple[int, ...]
    image_blocks: tuple[int, ...]
    width: int
    depth: int
    heads: int
    feature_width: int
    feature_bins: int
    soft_tokens: int


SIZES = {
    "tiny": ModelSize((24, 32, 64, 128), (0, 1, 1, 1), 64, 2, 4, 128, 12, 4),
    "small": ModelSize((32, 64, 128, 256), (1, 1, 1, 1), 96, 3, 4, 192, 16, 4),
    "base": ModelSize((64, 128, 256, 512), (1, 1, 2, 2), 192, 4, 6, 256, 16, 8),
}

BUNDLED_SHA256: dict[str, str] = {
    "tiny": "4024e6805eb090f7a4763f9218651df945e37f94a88ad1924c318445920c67e8",
}
"""Weights in `models/weights/NAME.safetensors`, and the SHA-256 of each file."""

BUNDLED_GRAPHS_SHA256: dict[str, str] = {
    "tiny.text.onnx": "63d0f1d73b204abbaf31de9e14e24aba961eeb19bb5a49c95ca6146fc1b900f5",
    "tiny.question.onnx": "80dda385e8ee58e914bfe841bbf908ef9477352ad04d1463f9082457993a94a3",
}
"""The ONNX files beside them, as `models.weights.export` wrote them."""


def model_config(size: str, n_features: int) -> ModelConfig:
    """Return the configuration of a named size for today's prompt grammar.

    Raises
    ------
    ModelError
        When the name is none of `SIZES`.
    """
    if size not in SIZES:
        raise ModelError(f"There is no model size {size!r}; choose one of {', '.join(SIZES)}.")
    chosen = SIZES[size]
    return ModelConfig(
        name=size,
        image_channels=chosen.image_channels,
        image_blocks=chosen.image_blocks,
        width=chosen.width,
        depth=chosen.depth,
        heads=chosen.heads,
        n_features=n_features,
        feature_width=chosen.feature_width,
        feature_bins=chosen.feature_bins,
        soft_tokens=chosen.soft_tokens,
        vocabulary_size=len(prompt.VOCABULARY),
        prompt_length=prompt.PROMPT_LENGTH,
        head_length=prompt.HEAD_LENGTH,
        prefix_length=len(prompt.PREFIX_TOKENS),
        pad_token=prompt.PAD_TOKEN,
        image_token=prompt.IMAGE_TOKEN,
        features_token=prompt.FEATURES_TOKEN,
        options=prompt.OPTION_TOKENS,
        prompt_version=prompt.VERSION,
    )


def weights_path(path_or_name: str | Path) -> tuple[Path, str | None]:
    """Return the weights file of a bundled name or a path, and its known SHA-256 if bundled.

    Raises
    ------
    ModelError
        When it is neither a bundled name nor a file.
    """
    if str(path_or_name) in BUNDLED_SHA256:
        name = str(path_or_name)
        return WEIGHTS_FOLDER / f"{name}.safetensors", BUNDLED_SHA256[name]
    path = Path(path_or_name)
    if not path.is_file():
        names = ", ".join(BUNDLED_SHA256) or "none"
        raise ModelError(f"No model weights at {path}; give a file or a bundled name ({names}).")
    return path, None


def bundled_graph_sha256(path: Path) -> str | None:
    """Return the SHA-256 of an ONNX file that comes with the package; None of any other."""
    return BUNDLED_GRAPHS_SHA256[path.name] if path.parent == WEIGHTS_FOLDER else None
