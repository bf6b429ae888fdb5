"""How the stages of a window are timed."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Clock = Callable[[str], AbstractContextManager[None]]
"""Takes the name of a stage, and times what is done inside."""


def no_clock(_: str) -> AbstractContextManager[None]:
    """Time nothing."""
    return nullcontext()
