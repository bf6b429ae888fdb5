from pathlib import Path

import numpy as np
import pytest

from models.training.feature_model import TriageRecipe
from varcall.errors import InputError
from varcall.evidence.features import N_FEATURES
from varcall.training import feature_model
from varcall.training.examples import Sampling
from varcall.training.feature_model import FeatureTable, feature_models, fit_feature_models


@pytest.mark.parametrize("half", [[0, 0], [1, 1], []])
def test_examples_of_one_half_are_too_few(half: list[int]) -> None:
    n = len(half)
    table = FeatureTable(
        np.zeros((n, N_FEATURES), np.float32),
        np.zeros((n, 3), np.float32),
        np.zeros(n, np.int64),
        np.ones(n, np.float32),
        np.array(half, np.uint8),
    )
    with pytest.raises(InputError, match=r"too few.*varcall examples"):
        fit_feature_models(table, TriageRecipe())


def test_what_was_fitted_is_read_again_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trees and what they begin with belong together, also after an interruption."""
    random, n = np.random.default_rng(1), 400
    labels = random.integers(0, 3, n)
    table = FeatureTable(
        random.normal(size=(n, N_FEATURES)).astype(np.float32),
        np.where(np.arange(3) == labels[:, None], 0, -4).astype(np.float32),
        labels,
        np.ones(n, np.float32),
        random.integers(0, 2, n).astype(np.uint8),
    )
    monkeypatch.setattr(feature_model, "measure_spans", lambda *_: table)
    recipe = TriageRecipe(rounds=2)
    first = feature_models(tmp_path, (), Sampling(), recipe, 1)
    monkeypatch.setattr(feature_model, "measure_spans", None)
    second = feature_models(tmp_path, (), Sampling(), recipe, 1)
    fitted, _ = fit_feature_models(table, recipe)
    asked = table.features, table.likelihoods
    for triage in (first[0], second[0]):
        assert triage.settings.anchor > 0.3
        np.testing.assert_array_equal(triage.predict(*asked), fitted.predict(*asked))
    np.testing.assert_array_equal(first[1][0].predict(*asked), second[1][0].predict(*asked))
