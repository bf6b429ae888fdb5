from pathlib import Path

import pytest
import torch

from models.caller import build_caller
from models.registry import model_config
from models.weights import ModelCard, save_weights
from pileup.spec import SPEC
from varcall.features import FEATURES, N_FEATURES
from varcall.simulate import SimulatedSample, simulate_demo


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that answer at random, but always the same."""
    torch.manual_seed(3)
    config = model_config("tiny", N_FEATURES)
    caller = build_caller(config).eval()
    torch.nn.init.normal_(caller.answer.weight)
    path = tmp_path_factory.mktemp("model") / "untrained.safetensors"
    save_weights(path, caller, ModelCard(config, SPEC.to_dict(), FEATURES))
    return path


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSample:
    """A sample of 12 kb at 20x, with its reference and truth."""
    prefix = tmp_path_factory.mktemp("sample") / "small"
    return simulate_demo(prefix, seed=5, genome_size=12_000, depth=20.0)
