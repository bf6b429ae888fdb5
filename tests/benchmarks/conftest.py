"""A model of network and trees, and labelled spans, for the benchmarks that look into a model."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import Calibration, ModelCard
from models.feature_model.trees import Trees
from models.feature_model.triage import Triage, TriageSettings
from models.network.caller import build_caller
from models.registry import model_config
from models.tasks import COPIES
from models.weights.model_weights import save_weights
from pileup.spec import SPEC
from tests.varcall.training.cutting import cut_sample
from varcall.evidence.features import FEATURES, N_FEATURES
from varcall.simulate import SimulatedSample

_FRACTION = FEATURES.index("putative_fraction")


def _stumps() -> Trees:
    """Trees that believe in a variant where a quarter of the fragments shows it, hom-alt never."""
    values = ([3.0, -3.0], [-3.0, 3.0], [0.0, 0.0])
    return Trees(
        roots=np.array([0, 3, 6], np.int32),
        split=np.array([_FRACTION, -1, -1] * 3, np.int32),
        threshold=np.array([x for low, high in values for x in (0.25, low, high)], np.float32),
        child=np.array([1, 0, 0, 4, 0, 0, 7, 0, 0], np.int32),
    )


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose network answers at random, but by everything that it is shown."""
    torch.manual_seed(5)
    config = model_config("tiny", N_FEATURES)
    caller = build_caller(config).eval()
    torch.nn.init.normal_(caller.answer.correction.weight)
    calibration = {COPIES.name: Calibration(1.3, (0.2, -0.1, -0.1))}
    card = ModelCard(config, SPEC.to_dict(), FEATURES, calibration)
    settings = TriageSettings(1.0, 0.99, (0.6, 0.5), 0.3, (0.4, 0.0, -0.4))
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_weights(path, caller, card, triage=Triage(_stumps(), settings))
    return path


@pytest.fixture(scope="session")
def example_folder(small_sample: SimulatedSample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spans of a simulated sample."""
    folder = tmp_path_factory.mktemp("held_out") / "small"
    cut_sample(small_sample, folder, span=6000)
    return folder
