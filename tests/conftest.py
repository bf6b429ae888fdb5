"""Fixtures and markers that all tests share."""

import multiprocessing
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from models.card import ModelCard
from models.network.caller import build_caller
from models.registry import model_config
from models.weights.export import export
from models.weights.model_weights import save_weights
from pileup.spec import SPEC
from varcall.evidence.features import FEATURES, N_FEATURES
from varcall.simulate import SimulatedSample, simulate_demo

# How long an example takes says something of the machine only.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


# Programs that live in an environment of their own (`make tools`); found last.
os.environ["PATH"] += f"{os.pathsep}{ROOT / '.tools' / 'bin'}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what this project's tests can be asked for."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the records of tests/golden again instead of comparing them",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the campaigns out where no marker is asked for."""
    if config.option.markexpr:
        return
    campaigns = [item for item in items if item.get_closest_marker("campaign")]
    config.hook.pytest_deselected(items=campaigns)
    items[:] = [item for item in items if not item.get_closest_marker("campaign")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, saying so, what needs a tool or data that this machine lacks."""
    for marker in item.iter_markers("tools"):
        absent = [name for name in marker.args if shutil.which(name) is None]
        if absent:
            pytest.skip(f"needs {', '.join(absent)}: apt-get install it to run this test")
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        pytest.skip("needs the real data beside the project (../shared/data)")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether expected records are written instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def no_process_is_left() -> Iterator[None]:
    """See that a test has ended the processes it started."""
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real data beside the project (../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that answer at random, but always the same."""
    torch.manual_seed(3)
    config = model_config("tiny", N_FEATURES)
    caller = build_caller(config).eval()
    torch.nn.init.normal_(caller.answer.correction.weight)
    path = tmp_path_factory.mktemp("model") / "untrained.safetensors"
    save_weights(path, caller, ModelCard(config, SPEC.to_dict(), FEATURES))
    export(path)
    return path


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSample:
    """A sample of 12 kb at 20x, with its reference and truth."""
    prefix = tmp_path_factory.mktemp("sample") / "small"
    return simulate_demo(prefix, seed=5, genome_size=12_000, depth=20.0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Spell what tests print so that it passes between processes: file names may be no UTF-8."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report
