"""The slices and the workers that call them, made once for all golden tests."""

from collections.abc import Iterator
from functools import cache

import pytest

from tests.golden.calling import SliceWorkers
from tests.golden.slices import SLICES, MadeSlice, make_slice
from varcall.workers import plan


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MadeSlice]:
    """The files of each slice by its name."""
    folder = tmp_path_factory.mktemp("golden")
    return {what.name: make_slice(what, folder) for what in SLICES}


@pytest.fixture(scope="package")
def one_engine() -> Iterator[None]:
    """Load the engine of the workers once; it takes longer than the slices themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "load_engine", cache(plan.load_engine))
        yield


@pytest.fixture(scope="package")
def workers(made: dict[str, MadeSlice], one_engine: None) -> SliceWorkers:
    """A worker for each slice, as `varcall call` has it."""
    return SliceWorkers(made)
