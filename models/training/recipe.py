"""How a model is trained: the numbers of one recipe file."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import cos, isfinite, pi, sqrt
from pathlib import Path
from typing import Any

from models.errors import ModelError

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Size, schedule and regularisation of a training.

    Training ends after `steps` or `max_seconds` of wall time, whichever comes first; the learning
    rate follows a cosine over that progress, so a time budget is always used to its end.
    """

    size: str = "tiny"
    seed: int = 1
    batch_size: int = 64
    """Examples per worker and step."""
    steps: int | None = None
    """With 0 the weights that training begins with are kept, and the rest is fitted again."""
    max_seconds: float | None = None
    learning_rate: float = 2e-3
    final_learning_rate: float = 1e-5
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    label_smoothing: float = 0.0
    """Above 0 it caps the certainty that the model can state: 0.01 caps QUAL at about 22."""
    auxiliary_weight: float = 0.2
    """Weight of the loss of each modality answering alone, which keeps both of them learning."""
    measured_weight: float = 0.3
    """Weight of the loss of the measured features as the image alone tells them: many numbers for
    each picture, where its label is one of few; pictures are learned sooner so."""
    drop_image: float = 0.1
    drop_features: float = 0.15
    drop_likelihoods: float = 0.1
    """Probabilities that an example loses its image, its features, or what its counts say."""
    precision: str = "auto"
    """"fp32", "bf16", or "auto": bf16 on CUDA, fp32 on CPUs. On a CPU bf16 is for the image encoder
    alone, and pays where the CPU has bf16 arithmetic."""
    cuda_batch_size: int = 512
    """On CUDA, instead of `batch_size`; the learning rate grows with the root of their ratio."""
    log_every: int = 50
    evaluate_seconds: float = 300.0
    """Seconds between evaluations, each of which also writes a checkpoint."""

    def __post_init__(self) -> None:
        """Refuse a recipe that cannot be followed.

        Raises
        ------
        ModelError
            Naming the entry.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("size", "precision") or value is None:
                continue
            wants_int = field.type is int or field.name == "steps"
            if isinstance(value, bool) or not isinstance(value, int if wants_int else int | float):
                raise ModelError(f"The recipe's {field.name} is not a number: {value!r}.")
            if not isfinite(value) or value < 0:
                raise ModelError(f"The recipe's {field.name} must not be {value}.")
        if self.steps is None and self.max_seconds is None:
            raise ModelError("The recipe must say steps or max_seconds, else it has no end.")
        if self.drop_image + self.drop_features > 1 or self.drop_likelihoods > 1:
            raise ModelError(
                "The recipe's drop_image + drop_features or drop_likelihoods is above 1."
            )
        if self.precision not in PRECISIONS:
            raise ModelError(f"The recipe's precision must be one of {', '.join(PRECISIONS)}.")
        if not (
            self.batch_size and self.cuda_batch_size and self.log_every and self.evaluate_seconds
        ):
            raise ModelError(
                "The recipe's batch_size, cuda_batch_size, log_every and evaluate_seconds must not "
                "be 0."
            )

    @classmethod
    def from_file(cls, path: Path) -> "Recipe":
        """Read the `[train]` table of a TOML recipe (or a JSON one).

        Raises
        ------
        ModelError
            When the file cannot be read or has entries that this class does not know.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
            values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise ModelError(f"Cannot read the recipe {path}: {error}.") from error
        return cls.from_mapping(values.get("train", values))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Recipe":
        """Build a recipe from parsed entries; errors as in `from_file`."""
        if unknown := set(values) - {field.name for field in fields(cls)}:
            raise ModelError(f"The recipe has unknown entries: {', '.join(sorted(unknown))}.")
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Return the entries as they stand in a recipe file."""
        return asdict(self)

    def on(self, device: str) -> "Recipe":
        """Return the recipe as it is followed on a device: "cpu", "cuda" or "cuda:N"."""
        if device == "cpu":
            return self
        # The square root is the rule for Adam (Malladi et al. 2022, arXiv 2205.10287).
        growth = sqrt(self.cuda_batch_size / self.batch_size)
        return replace(
            self, batch_size=self.cuda_batch_size, learning_rate=self.learning_rate * growth
        )

    def progress(self, step: int, seconds: float) -> float:
        """Return how much of the training is done, 0 to 1, after `step` steps and `seconds`."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / self.max_seconds if self.max_seconds else 0.0
        return min(1.0, max(by_steps, by_time))

    def learning_rate_at(self, step: int, progress: float) -> float:
        """Return the learning rate: linear warm-up, then a cosine over the progress."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        fall = 0.5 * (1 + cos(pi * progress))
        rate = self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * fall
        return warm * rate
