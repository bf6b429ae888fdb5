"""Candidates per second, with and without local reassembly, and their features."""

import numpy as np
import pytest

from benchmarks.conftest import Count, Window
from varcall.evidence.candidates import CandidateThresholds
from varcall.evidence.realign import RealignOptions, realign
from varcall.evidence.window import DEFAULT_REALIGN, Evidence, gather
from varcall.reads.library_profile import LibraryProfile


@pytest.mark.parametrize(
    "options",
    [pytest.param(DEFAULT_REALIGN, id="reassembled"), pytest.param(None, id="as mapped")],
)
def benchmark_candidates(
    count: Count, options: RealignOptions | None, loaded: list[Window]
) -> None:
    """Find the candidates of all windows and look them up in the reads."""

    def find() -> int:
        sites = 0
        for window in loaded:
            start, end = window.region.start, window.region.end
            thresholds = CandidateThresholds()
            found = gather(window.reads, window.reference, start, end, thresholds, options)
            sites += len(np.unique(found.questions.site))
        return sites

    count("candidates", find)


def benchmark_reassembly(count: Count, loaded: list[Window]) -> None:
    """Look again at the reads where the mapper was unsure."""
    count("reads", lambda: sum(len(realign(w.reads, w.reference)) for w in loaded))


def benchmark_features(count: Count, evidence: list[Evidence], profile: LibraryProfile) -> None:
    """Measure every question's candidate."""
    count("questions", lambda: sum(len(item.features(profile)) for item in evidence))
