"""Fit the feature model: boosted trees, then how far they may be trusted."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import ModelError
from models.feature_model.leaf_bits import MOST_LEAVES
from models.feature_model.trees import Trees
from models.feature_model.triage import (
    Triage,
    TriageSettings,
    anchored,
    log_of,
    pool,
    softmax,
)
from models.tasks import COPIES, TASK_NAMES
from models.training.batch import Batch, BatchFactory
from models.training.calibrate import fit_calibrations, fit_quality_map, weighted_cross_entropy
from models.training.metrics import predict
from models.weights.model_weights import load_weights, save_weights

# Probabilities from which on the trees may be called sure, the lowest first.
_SURE_STEPS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999)
_LEAST_SCALE = 1e-3
_ANCHOR_DECAY = 1e-3


@dataclass(frozen=True, slots=True)
class TriageRecipe:
    """How trees are fitted: numbers of LightGBM under its own names, and what decides without them.

    `decisive` and `beyond` are those of `TriageSettings`: answers that counts alone make so sure
    are wrong for reasons that trees see (stacks, mapping, repeats), so there they count for more
    than the scale that fits all counts best.
    """

    seed: int = 1
    rounds: int = 200
    learning_rate: float = 0.1
    num_leaves: int = 31
    min_data_in_leaf: int = 40
    feature_fraction: float = 0.6
    bagging_fraction: float = 0.8
    lambda_l2: float = 1.0
    decisive: float = 13.0
    beyond: float = 4.0
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse trees that could not be evaluated, before time is spent on them."""
        if not 2 <= self.num_leaves <= MOST_LEAVES:
            raise ModelError(f"num_leaves is {self.num_leaves}; it can be 2 to {MOST_LEAVES}.")


def fit_trees(
    features: NDArray[np.float32],
    likelihoods: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    recipe: TriageRecipe,
) -> Triage:
    """Boost trees on labelled questions; the settings still leave every question to the picture.

    First come the scale and the biases with which the likelihoods alone answer best; the trees are
    boosted from there.

    Parameters
    ----------
    features
        float32 [n, n_features].
    likelihoods
        float32 [n, 3], natural log likelihoods of 0, 1, 2 copies from the counts.
    labels
        int64 [n], the copies there are.
    weights
        float32 [n], by which each question counts.
    """
    begin = TriageSettings(decisive=recipe.decisive, beyond=recipe.beyond)
    settings = _fit_anchor(likelihoods, labels, weights, begin)
    booster = lightgbm.train(
        {
            "objective": "multiclass",
            "num_class": 3,
            "learning_rate": recipe.learning_rate,
            "num_leaves": recipe.num_leaves,
            "min_data_in_leaf": recipe.min_data_in_leaf,
            "feature_fraction": recipe.feature_fraction,
            "bagging_fraction": recipe.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": recipe.lambda_l2,
            "num_threads": recipe.threads,
            "seed": recipe.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        },
        lightgbm.Dataset(
            features, labels, weight=weights, init_score=anchored(likelihoods, settings)
        ),
        recipe.rounds,
    )
    trees = _flatten([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]])
    return Triage(trees, settings)


def _fit_anchor(
    likelihoods: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
    begin: TriageSettings,
) -> TriageSettings:
    """Return settings with the scale (not negative) and biases by which counts fit labels best.

    A little decay keeps them finite where every label is as the counts say, or one is missing.
    """
    logits, beyond = (
        torch.from_numpy(scores)
        for scores in (likelihoods.astype(np.float64), anchored(likelihoods, begin))
    )
    target, weight = torch.from_numpy(labels), torch.from_numpy(weights.astype(np.float64))
    scale = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([scale, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = weighted_cross_entropy(logits * scale.clamp(min=0) + beyond + bias, target, weight)
        value = value + _ANCHOR_DECAY * (scale.square().sum() + bias.square().sum())
        value.backward()
        return value

    optimiser.step(loss)
    # Rounded as the settings are read again from where they are stored, in decimals.
    return replace(
        begin,
        anchor=round(float(scale.detach().clamp(min=0)), 6),
        bias=tuple(round(number, 6) for number in bias.detach().tolist()),
    )


def _flatten(trees: list[dict[str, Any]]) -> Trees:
    """Lay trees out as arrays, each node's two children side by side and behind it."""
    roots: list[int] = []
    split: list[int] = []
    threshold: list[np.float32] = []
    child: list[int] = []
    for tree in trees:
        queue = [tree]
        base = len(split)
        roots.append(base)
        done = 0
        while done < len(queue):
            node = queue[done]
            done += 1
            if "split_feature" in node:
                split.append(node["split_feature"])
                threshold.append(_at_most(node["threshold"]))
                child.append(base + len(queue))
                queue += [node["left_child"], node["right_child"]]
            else:
                split.append(-1)
                threshold.append(np.float32(node["leaf_value"]))
                child.append(0)
    return Trees(
        np.array(roots, np.int32),
        np.array(split, np.int32),
        np.array(threshold, np.float32),
        np.array(child, np.int32),
    )


def _at_most(threshold: float) -> np.float32:
    """Return the largest float32 at or below a threshold: float32 features split as before."""
    rounded = np.float32(threshold)
    return rounded if rounded <= threshold else np.nextafter(rounded, np.float32(-np.inf))


def fit_settings(
    triage: Triage,
    features: NDArray[np.float32],
    likelihoods: NDArray[np.float32],
    pictured: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> Triage:
    """Fit temperature, pool and trust on held-out questions.

    The trees are called sure from the lowest probability on at which, among the questions they
    would answer alone, they err no more often than the pool does on the same questions.

    Parameters
    ----------
    pictured
        float32 [n, 3], calibrated answers of the picture model to the same questions.
    weights
        float32 [n], by which each question counts.
    """
    weight = torch.from_numpy(weights.astype(np.float64))
    target = torch.from_numpy(labels)
    scores = triage.scores(features, likelihoods)
    # Trees that know less than nothing of these questions are fitted to 0: they say nothing then.
    scale = max(_LEAST_SCALE, *_fit([torch.from_numpy(scores)], target, weight))
    answers = softmax(scores * scale)
    logs = [torch.from_numpy(log_of(p)) for p in (pictured, answers)]
    exponents = _fit(logs, target, weight)
    pooled = pool(pictured, answers, (exponents[0], exponents[1]))
    best, wrong = answers.max(1), weights * (answers.argmax(1) != labels)
    wrong_pooled = weights * (pooled.argmax(1) != labels)
    sure = next(
        (
            step
            for step in _SURE_STEPS
            if wrong[best >= step].sum() <= wrong_pooled[best >= step].sum()
        ),
        1.0,
    )
    return triage.with_settings(
        temperature=1.0 / scale, sure=float(sure), weights=(exponents[0], exponents[1])
    )


def attach(triage: Triage, weights: Path, held_out: BatchFactory, device: str = "cpu") -> str:
    """Calibrate a trained picture model, of all its tasks, and the feature model, in one file.

    Parameters
    ----------
    held_out
        Questions that neither model has seen, at the depths whose qualities are to be calibrated.

    Returns
    -------
    The file's new SHA-256.
    """
    caller, card, _ = load_weights(weights)
    features: list[NDArray[np.float32]] = []
    likelihoods: list[NDArray[np.float32]] = []

    def watched() -> Iterator[Batch]:
        for batch in held_out(0, 1, 0, skip=0):
            is_copies = batch.task == TASK_NAMES.index(COPIES.name)
            features.append(batch.features[is_copies])
            likelihoods.append(batch.likelihoods[is_copies])
            yield batch

    predictions = predict(caller.to(device), watched(), torch.device(device))
    calibration = fit_calibrations(predictions)
    copies = predictions[COPIES.name]
    pictured = calibration[COPIES.name].probabilities(copies.logits.numpy())
    labels = copies.labels.numpy()
    asked = np.concatenate(features), np.concatenate(likelihoods), pictured
    counted = copies.weights.numpy()
    fitted = fit_settings(triage, *asked, labels, counted)
    quality_map = fit_quality_map(fitted.answer(*asked), labels, counted)
    card = replace(card, calibration=calibration, quality_map=quality_map)
    return save_weights(weights, caller, card, triage=fitted)


def _fit(logits: list[torch.Tensor], labels: torch.Tensor, weights: torch.Tensor) -> list[float]:
    """Return the non-negative factors of some logits whose weighted sum fits labels best."""
    factors = torch.full((len(logits),), 1.0 / len(logits), dtype=torch.float64)
    factors.requires_grad_(True)
    optimiser = torch.optim.LBFGS([factors], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        total = sum(f * x for f, x in zip(factors.clamp(min=0), logits, strict=True))
        assert isinstance(total, torch.Tensor)
        value = weighted_cross_entropy(total, labels, weights)
        value.backward()
        return value

    optimiser.step(loss)
    return [float(f) for f in factors.detach().clamp(min=0)]
