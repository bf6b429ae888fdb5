"""What the microbenchmarks work on: a real slice where there is one, else a simulated sample."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.inputs.slices import DATA, SLICES, stage
from models.inference.engine import Engine
from models.tasks import COPIES
from varcall.evidence.window import Evidence, EvidenceReader, WindowReads, gather
from varcall.genotyping.questions import Questions, questions_about
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region, windows
from varcall.options import DEFAULT_WINDOW
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.simulate import simulate_demo

Count = Callable[[str, Callable[[], int]], None]
"""Times a work that returns how many things it did; the first argument names them."""


@dataclass(frozen=True, slots=True)
class EngineInput:
    """What an engine is given."""

    images: NDArray[np.uint8]
    tokens: NDArray[np.int32]
    features: NDArray[np.float32]
    likelihoods: NDArray[np.float32]

    def repeated(self, n: int) -> "EngineInput":
        """Return n questions, these over and over."""
        rows = np.arange(n) % len(self.tokens)
        return EngineInput(
            self.images[rows], self.tokens[rows], self.features[rows], self.likelihoods[rows]
        )

    def answered_by(self, engine: Engine) -> int:
        """Let an engine answer; return how many questions there are."""
        asked = self.images, self.tokens, self.features, self.likelihoods
        return len(engine.predict(*asked, COPIES.name))


@pytest.fixture
def count(benchmark: BenchmarkFixture) -> Count:
    """Time a work and note how much of what it did."""

    def timed(unit: str, work: Callable[[], int]) -> None:
        work()  # compiled and cached
        extra: dict[str, Any] = benchmark.extra_info
        extra.update(items=benchmark(work), unit=unit)

    return timed


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """HG002's 100 kb at 30x, or as much of a random genome."""
    folder: Path = tmp_path_factory.mktemp("sample")
    if DATA.is_dir():
        staged = stage(SLICES[0], folder)
        return open_inputs(staged.reads, staged.reference, regions=(staged.slice.region,))
    sample = simulate_demo(folder / "demo", genome_size=100_000)
    return open_inputs(sample.bam, sample.reference)


@pytest.fixture(scope="session")
def spans(inputs: Inputs) -> tuple[Region, ...]:
    """The windows that a call of the sample would go through."""
    return windows(inputs.regions, DEFAULT_WINDOW)


@pytest.fixture(scope="session")
def loaded(inputs: Inputs, spans: tuple[Region, ...]) -> list[WindowReads]:
    """All windows with their reads and reference."""
    with EvidenceReader(inputs) as reader:
        return [window for span in spans if len((window := reader.load(span)).reads)]


@pytest.fixture(scope="session")
def profile(inputs: Inputs) -> LibraryProfile:
    """The sample's library profile."""
    return measure_profile(inputs)


@pytest.fixture(scope="session")
def evidence(loaded: list[WindowReads]) -> list[Evidence]:
    """What the reads of every window show."""
    return [gather(window) for window in loaded]


@pytest.fixture(scope="session")
def questions(evidence: list[Evidence], profile: LibraryProfile) -> list[Questions]:
    """The questions of every window."""
    return [questions_about(item, profile) for item in evidence]


@pytest.fixture(scope="session")
def engine_input(questions: list[Questions]) -> EngineInput:
    """All questions of the sample, with their pictures."""
    return EngineInput(
        np.concatenate([item.images() for item in questions]),
        np.concatenate([item.tokens() for item in questions]),
        np.concatenate([item.features for item in questions]),
        np.concatenate([item.likelihoods for item in questions]),
    )
