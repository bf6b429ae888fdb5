"""An engine that is loaded only when it is asked knows its weights before, and answers the same."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.inference.deferred import DeferredEngine
from models.inference.engine import Engine, load_engine
from models.weights.model_weights import save_weights
from tests.models import small


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mini.safetensors"
    save_weights(path, small.caller(), small.card())
    return path


def test_it_loads_at_the_first_question_and_once(path: Path) -> None:
    loaded: list[Engine] = []

    def load() -> Engine:
        loaded.append(load_engine(path, "cpu", "fp32", engine="torch"))
        return loaded[-1]

    deferred = DeferredEngine(path, None, load)
    at_once = load_engine(path, "cpu", "fp32", engine="torch")
    assert (deferred.card, deferred.sha256) == (at_once.card, at_once.sha256)
    assert not loaded
    asked = small.questions(2)
    for _ in range(2):
        np.testing.assert_array_equal(deferred.predict(*asked), at_once.predict(*asked))
    assert len(loaded) == 1


def test_damaged_weights_are_refused_before_any_question(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="mini"):
        DeferredEngine(path, None, lambda: load_engine(path))
