"""Pileup images and prompts per second."""

from benchmarks.micro.conftest import Count
from varcall.genotyping.questions import Questions
from varcall.options import DEFAULT_BATCH_SIZE


def benchmark_images(count: Count, questions: list[Questions]) -> None:
    """Draw the picture of every question, a batch at a time."""

    def draw() -> int:
        drawn = 0
        for item in questions:
            for first in range(0, len(item), DEFAULT_BATCH_SIZE):
                drawn += len(item.images(slice(first, first + DEFAULT_BATCH_SIZE)))
        return drawn

    count("images", draw)


def benchmark_prompts(count: Count, questions: list[Questions]) -> None:
    """Write the prompt of every question."""
    count("prompts", lambda: sum(len(item.tokens()) for item in questions))
