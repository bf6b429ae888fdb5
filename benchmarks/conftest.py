"""What the microbenchmarks work on: a real slice where there is one, else a simulated sample."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.slices import DATA, SLICES, stage
from models.prompt import PromptContext
from pileup.arrays import ReferenceArrays
from varcall.evidence.candidates import CandidateThresholds
from varcall.evidence.window import Evidence, gather, load_window, reference_of
from varcall.genotyping.questions import question_tokens
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region, windows
from varcall.options import DEFAULT_WINDOW
from varcall.reads.batch import ReadBatch, ReadFilter
from varcall.reads.library_profile import LibraryProfile, measure_profile
from varcall.reads.open import open_reads
from varcall.simulate import simulate_demo

Count = Callable[[str, Callable[[], int]], None]
"""Times a work that returns how many things it did; the first argument names them."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window as a worker has it when its reads are loaded."""

    region: Region
    reads: ReadBatch
    reference: ReferenceArrays


@dataclass(frozen=True, slots=True)
class Questions:
    """What an engine is asked."""

    images: NDArray[np.uint8]
    tokens: NDArray[np.int32]
    features: NDArray[np.float32]

    def repeated(self, n: int) -> "Questions":
        """Return n questions, these over and over."""
        rows = np.arange(n) % len(self.tokens)
        return Questions(self.images[rows], self.tokens[rows], self.features[rows])


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
def loaded(inputs: Inputs, spans: tuple[Region, ...]) -> list[Window]:
    """All windows with their reads and reference."""
    found = []
    with Reference(inputs.reference) as reference, open_reads(inputs) as source:
        for span in spans:
            reads = load_window(source, span, ReadFilter(), inputs.read_groups)
            if len(reads):
                found.append(Window(span, reads, reference_of(reads, reference)))
    return found


@pytest.fixture(scope="session")
def profile(inputs: Inputs) -> LibraryProfile:
    """The sample's library profile."""
    return measure_profile(inputs)


@pytest.fixture(scope="session")
def evidence(loaded: list[Window]) -> list[Evidence]:
    """What the reads of every window show."""
    return [
        gather(w.reads, w.reference, w.region.start, w.region.end, CandidateThresholds())
        for w in loaded
    ]


@pytest.fixture(scope="session")
def questions(evidence: list[Evidence], profile: LibraryProfile) -> Questions:
    """All questions of the sample, with their pictures."""
    context = PromptContext.from_profile(profile)
    return Questions(
        np.concatenate([item.images() for item in evidence]),
        np.concatenate([question_tokens(item, context) for item in evidence]),
        np.concatenate([item.features(profile) for item in evidence]),
    )
