"""Pileup images and prompts per second."""

from benchmarks.conftest import Count
from models.prompt import PromptContext
from varcall.evidence.window import Evidence
from varcall.genotyping.questions import question_tokens
from varcall.options import DEFAULT_BATCH_SIZE
from varcall.reads.library_profile import LibraryProfile


def benchmark_images(count: Count, evidence: list[Evidence]) -> None:
    """Draw the picture of every question, a batch at a time."""

    def draw() -> int:
        drawn = 0
        for item in evidence:
            for first in range(0, len(item.questions.site), DEFAULT_BATCH_SIZE):
                drawn += len(item.images(slice(first, first + DEFAULT_BATCH_SIZE)))
        return drawn

    count("images", draw)


def benchmark_prompts(count: Count, evidence: list[Evidence], profile: LibraryProfile) -> None:
    """Write the prompt of every question."""
    context = PromptContext.from_profile(profile)
    count("prompts", lambda: sum(len(question_tokens(item, context)) for item in evidence))
