"""Lines of the ablation table."""

import numpy as np
import torch

from benchmarks.ablation import losses, row, variants
from models.training.metrics import Predictions


def _answers(probabilities: list[list[float]], labels: list[int]) -> Predictions:
    return Predictions(
        torch.tensor(probabilities).log(), torch.tensor(labels), torch.ones(len(labels))
    )


def test_losses_are_nats_of_the_true_option() -> None:
    answers = _answers([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], [1, 2])
    np.testing.assert_allclose(losses(answers), -np.log([0.25, 0.8]), rtol=1e-6)


def test_row_compares_a_variant_with_the_first() -> None:
    first = _answers([[0.5, 0.25, 0.25]] * 4, [0, 0, 0, 0])
    worse = _answers([[0.25, 0.5, 0.25]] * 4, [0, 0, 0, 0])
    compared = row("worse", worse, losses(first))
    assert compared == ["worse", "4", "1.3863", "+0.6931 ± 0.0000", "1000.0"]
    assert row("first", first, None)[3:] == ["other questions", "0.0"]


def test_names_of_variants_are_their_own() -> None:
    names = [variant.name for variant in variants()]
    assert names[0] == "everything"
    assert len(set(names)) == len(names)
