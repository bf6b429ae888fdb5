"""The network alone: one question after another, with one thing or another withheld from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.runs.hidden import Change
from models.card import ModelCard
from models.network.caller import VariantCaller
from models.prompt import packed, words_of
from models.registry import weights_path
from models.tasks import TASK_NAMES, answer_columns
from models.training.batch import Batch
from models.weights.model_weights import load_weights
from varcall.genotyping.answers import check_model

BATCH = 64
"""Questions asked at a time."""

_LEAST_PROBABILITY = 1e-30


@dataclass(frozen=True, slots=True)
class Network:
    """A network and what its weights say of it."""

    caller: VariantCaller
    card: ModelCard

    @classmethod
    def load(cls, model: str) -> "Network":
        """Load bundled weights by name, or a weights file.

        Raises
        ------
        ModelError
            As `weights_path`, `load_weights` and `check_model` do.
        """
        caller, card, _ = load_weights(*weights_path(model))
        check_model(card, model)
        return cls(caller, card)

    def answer(self, batch: Batch, ways: Mapping[str, Change]) -> dict[str, NDArray[np.float32]]:
        """Ask the questions of one task in several ways.

        Pictures are encoded once for all ways, which is most of the work: no way may change them;
        `benchmarks.runs.hidden.picture` takes their place out of the words.

        Returns
        -------
        The calibrated probability of each option, float32 [n, options], by the name of the way.
        """
        (index,) = set(batch.task.tolist())
        task = TASK_NAMES[index]
        columns = list(answer_columns(task))
        answers = {}
        with torch.inference_mode():
            image_tokens = self.caller.image_encoder(torch.from_numpy(batch.images))
            encode = self.caller.feature_encoder
            own_features = encode(torch.from_numpy(batch.features))
            for name, change in ways.items():
                asked = change(batch)
                assert asked.images is batch.images, "the picture is encoded already"
                is_own = asked.features is batch.features
                soft_tokens = own_features if is_own else encode(torch.from_numpy(asked.features))
                words = packed(asked.tokens, int(words_of(asked.tokens).max()))
                tokens, places = map(torch.from_numpy, words)
                likelihoods = torch.from_numpy(asked.likelihoods)
                logits = self.caller.read(image_tokens, soft_tokens, likelihoods, tokens, places)
                calibration = self.card.calibration_of(task)
                answers[name] = calibration.probabilities(logits[:, columns].numpy())
        return answers


def log_loss(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean over n questions of -log P of the right option, nats.

    `probabilities` is float32 [n, options], `labels` int64 [n]; nothing counts as impossible.
    """
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # Not -0.0 where every answer is certain and right.
    return float(0.0 - np.log(np.maximum(right, _LEAST_PROBABILITY)).mean())
