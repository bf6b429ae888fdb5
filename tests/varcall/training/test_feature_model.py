import numpy as np
import pytest

from models.training.feature_model import TriageRecipe
from varcall.errors import InputError
from varcall.evidence.features import N_FEATURES
from varcall.training.feature_model import FeatureTable, fit_feature_models


@pytest.mark.parametrize("half", [[0, 0], [1, 1], []])
def test_examples_of_one_half_are_too_few(half: list[int]) -> None:
    n = len(half)
    table = FeatureTable(
        np.zeros((n, N_FEATURES), np.float32), np.zeros(n, np.int64), np.array(half, np.uint8)
    )
    with pytest.raises(InputError, match=r"too few.*varcall examples"):
        fit_feature_models(table, TriageRecipe())
