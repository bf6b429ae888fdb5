"""Fixtures and markers that all tests share."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, saying so, what needs a tool or data that this machine lacks."""
    for marker in item.iter_markers("tools"):
        absent = [name for name in marker.args if shutil.which(name) is None]
        if absent:
            pytest.skip(f"needs {', '.join(absent)}: apt-get install it to run this test")
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        pytest.skip("needs the real data beside the project (../shared/data)")


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
