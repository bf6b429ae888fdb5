"""Candidates per second, with and without local reassembly, and their features."""

import numpy as np
import pytest

from benchmarks.micro.conftest import Count
from varcall.evidence.realign import RealignOptions, realign
from varcall.evidence.window import Evidence, EvidenceOptions, WindowReads, gather
from varcall.reads.library_profile import LibraryProfile


@pytest.mark.parametrize(
    "options",
    [pytest.param(RealignOptions(), id="reassembled"), pytest.param(None, id="as mapped")],
)
def benchmark_candidates(
    count: Count, options: RealignOptions | None, loaded: list[WindowReads]
) -> None:
    """Find the candidates of all windows and look them up in the reads."""

    def find() -> int:
        found = [gather(window, EvidenceOptions(realign=options)) for window in loaded]
        return sum(len(np.unique(item.questions.site)) for item in found)

    count("candidates", find)


def benchmark_reassembly(count: Count, loaded: list[WindowReads]) -> None:
    """Look again at the reads where the mapper was unsure."""
    count("reads", lambda: sum(len(realign(w.reads, w.reference)) for w in loaded))


def benchmark_features(count: Count, evidence: list[Evidence], profile: LibraryProfile) -> None:
    """Measure every question's candidate."""
    count("questions", lambda: sum(len(item.features(profile)) for item in evidence))
