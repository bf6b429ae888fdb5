"""Ctrl-C and SIGTERM as exceptions, so that temporary files are removed on the way out."""

import signal
import sys
from types import FrameType
from typing import NoReturn

EXIT_TERMINATED = 143

_LATER = 0.01
"""Seconds after which an exception that was lost is raised again."""


def catch_signals() -> None:
    """Raise SystemExit at SIGTERM, and what a signal raised until something notices it."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _raise_later


def ignore_signals() -> None:
    """Ignore what comes too late: while Python shuts down it would only print a traceback."""
    for late in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(late, signal.SIG_IGN)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the clean-up
    raise SystemExit(EXIT_TERMINATED)


def _raise_later(lost: "sys.UnraisableHookArgs") -> None:
    """Take what was raised where nothing can be: while Python forks, or in a callback of LLVM's.

    Python would print it and go on, as if no signal had come.
    """
    error = lost.exc_value
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(lost)
        return

    def again(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise error

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _LATER)
