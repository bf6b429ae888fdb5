"""Small models, prompts and examples for the tests of `models`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.card import ModelCard
from models.config import HEADER_ROWS, IMAGE_SHAPE, N_PANELS, PANEL_ROWS
from models.network.caller import VariantCaller, build_caller
from models.prompt import OtherVariant, PromptContext, write_tokens
from models.registry import model_config
from models.tasks import TASK_NAMES, TASKS
from models.training.batch import Batch
from models.weights.export import export
from models.weights.model_weights import save_weights

N_FEATURES = 6
Asked = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]
CONFIG = replace(
    model_config("tiny", N_FEATURES),
    name="mini",
    image_channels=(8, 8, 16, 16),
    width=32,
    heads=2,
    feature_width=32,
)


def caller(seed: int = 0) -> VariantCaller:
    """Return a small model with every weight random, normalisation statistics too."""
    torch.manual_seed(seed)
    model = build_caller(CONFIG)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
    for layer in (model.answer.correction, model.answer.scale):
        nn.init.normal_(layer.weight, std=0.3)
    return model.eval()


def card() -> ModelCard:
    """Return what a weights file would say of `caller`."""
    return ModelCard(CONFIG, {"version": 1}, tuple(f"feature_{i}" for i in range(N_FEATURES)))


def save(path: Path, **changes: object) -> Path:
    """Write the weights of `caller`, with changes of its card, and their ONNX files."""
    save_weights(path, caller(), replace(card(), **changes))
    export(path)
    return path


def likelihoods(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return likelihoods of 0, 1 and 2 copies as counts of reads give them."""
    values = -rng.exponential(2.0, (n, 3))
    return (values - values.max(axis=1, keepdims=True)).astype(np.float32)


def questions(n: int, seed: int = 0, task: str = "copies") -> Asked:
    """Return random images, prompts of different lengths, features, likelihoods, and the task."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (n, 224, 224, 3), dtype=np.uint8)
    refs = ["A" * int(rng.integers(1, 14)) for _ in range(n)]
    alts = [("C",) if i % 3 else ("G" * (1 + i % 15), "T") for i in range(n)]
    others = None
    if TASKS[task].names_other_variant:
        others = [OtherVariant("AC" * (1 + i % 8), "A", 9 * i - 40) for i in range(n)]
    tokens = write_tokens(PromptContext(), refs, alts, task, others)
    features = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    return images, tokens, features, likelihoods(rng, n), task


def tensors(asked: Asked) -> tuple[Tensor, ...]:
    """Return what a model is called with, of what an engine is asked."""
    return tuple(torch.from_numpy(x) for x in asked[:4])


def rows_of(asked: Asked, rows: slice | np.ndarray) -> Asked:
    """Return some of the questions."""
    images, tokens, features, counted, task = asked
    return images[rows], tokens[rows], features[rows], counted[rows], task


def blank_from(image: np.ndarray, rows: int) -> None:
    """Blacken the panels of an image (uint8 [224, 224, 3]) from some row on."""
    image[HEADER_ROWS:].reshape(N_PANELS, PANEL_ROWS, *IMAGE_SHAPE[1:])[:, rows:] = 0


@dataclass(frozen=True)
class ToyBatches:
    """Examples whose label shows in one place only: "image", "features", "counts" or "prompt".

    With more than one task each example is of one of them, and asks for another mark: in image and
    features they lie side by side.
    """

    where: str
    batch_size: int = 16
    n_batches: int | None = None
    tasks: tuple[str, ...] = ("copies",)

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        at = skip
        while self.n_batches is None or at * world_size + rank < self.n_batches:
            yield self._batch(np.random.default_rng([seed, at * world_size + rank]))
            at += 1

    def _batch(self, rng: np.random.Generator) -> Batch:
        n = self.batch_size
        chosen = [self.tasks[i] for i in rng.integers(0, len(self.tasks), n)]
        marks = np.stack([rng.integers(0, 3, n) for _ in self.tasks])
        own = np.array([self.tasks.index(task) for task in chosen])
        labels = marks[own, np.arange(n)]
        images = np.zeros((n, 224, 224, 3), np.uint8)
        images[:, :40] = rng.integers(0, 120, (n, 40, 1, 3))
        features = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
        counted = np.zeros((n, 3), np.float32)
        alts = ["C"] * n
        if self.where == "image":
            for image, shown in zip(images, marks.T, strict=True):
                for place, mark in enumerate(shown):
                    image[80:120, 100 - 40 * place : 124 - 40 * place, 1] = 120 * mark
        elif self.where == "features":
            for place, mark in enumerate(marks):
                features[:, 2 + place] = mark - 1 + 0.1 * rng.normal(size=n)
        elif self.where == "counts":
            counted = np.where(np.arange(3) == labels[:, None], 0, -9).astype(np.float32)
        else:
            alts = ["CGT"[label] for label in labels]
        tokens = [
            write_tokens(PromptContext(), ["A"], [(alt,)], task, rng=rng)
            for alt, task in zip(alts, chosen, strict=True)
        ]
        return Batch(
            images=images,
            tokens=np.concatenate(tokens),
            features=features,
            likelihoods=counted,
            task=np.array([TASK_NAMES.index(task) for task in chosen]),
            labels=labels,
            weights=np.ones(n, np.float32),
        )
