"""Messages on standard error, an optional log file, and progress; standard output is for data."""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from varcall.errors import OutputError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

logger = logging.getLogger(__name__)

PACKAGES = ("varcall", "pileup", "models")
_HANDLER_NAME = "varcall"
LINE_INTERVAL = 15.0  # seconds between progress lines where there is no terminal
BAR_INTERVAL = 0.1


class _MessageFormatter(logging.Formatter):
    """`varcall: text`, with the level only where it matters."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"varcall: {level}{text}"


class _StandardErrorHandler(logging.StreamHandler[TextIO]):
    """Writes to the `sys.stderr` of the moment, which the progress bar replaces by its own."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logging(
    *, verbose: int = 0, quiet: bool = False, log_file: Path | None = None
) -> None:
    """Send the messages of this program's packages to standard error, and to `log_file` too.

    Parameters
    ----------
    verbose
        0 tells what is done, 1 also why, 2 lets other libraries speak as well.
    quiet
        Only warnings and errors, and no progress.
    log_file
        Receives the same messages with times and levels; it is appended to.

    Raises
    ------
    OutputError
        The log file cannot be written.
    """
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    handlers: list[logging.Handler] = [_StandardErrorHandler()]
    handlers[0].setFormatter(_MessageFormatter())
    if log_file is not None:
        try:
            handlers.append(
                logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
            )
        except OSError as error:
            raise OutputError(f"cannot write the log file {log_file}: {error.strerror}") from error
        handlers[1].setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        )
    for name in ("", *PACKAGES):
        named = logging.getLogger(name)
        for old in [handler for handler in named.handlers if handler.name == _HANDLER_NAME]:
            named.removeHandler(old)
            old.close()
        # The root logger speaks for all, the packages' messages included.
        if (name == "") == (verbose > 1):
            for handler in handlers:
                handler.name = _HANDLER_NAME
                named.addHandler(handler)
        if name:
            named.setLevel(level)


class Progress:
    """Shows how far a run is: a bar on a terminal, otherwise a line every few seconds.

    Parameters
    ----------
    total
        How many items there are.
    unit
        What an item is, in the plural.
    clock
        Seconds that only grow; replaced in tests.
    """

    def __init__(
        self,
        total: int,
        *,
        unit: str = "windows",
        interval: float = LINE_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._unit = unit
        self._interval = interval
        self._clock = clock
        self._done = 0
        self._started = self._last_line = clock()
        self._bar: Bar | None = None

    def __enter__(self) -> "Progress":
        self._started = self._last_line = self._clock()
        if sys.stderr.isatty() and logger.isEnabledFor(logging.INFO):
            self._bar = _make_bar(self._total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def advance(self, locus: str, count: int = 1) -> None:
        """Count items as done, up to `locus`."""
        self._done += count
        now = self._clock()
        if self._bar is not None:
            task = self._bar.task_ids[0]
            is_due = now - self._last_line >= BAR_INTERVAL
            if is_due:
                self._last_line = now
            rate = self._rate(now)
            self._bar.update(task, completed=self._done, locus=locus, rate=rate, refresh=is_due)
        elif now - self._last_line >= self._interval:
            self._last_line = now
            logger.info("%s", self._line(locus, now))

    def _rate(self, now: float) -> str:
        per_second = self._done / max(now - self._started, 1e-9)
        return f"{per_second:.1f} {self._unit}/s"

    def _line(self, locus: str, now: float) -> str:
        seconds_left = (now - self._started) / max(self._done, 1) * (self._total - self._done)
        return (
            f"{self._done:,} of {self._total:,} {self._unit} "
            f"({self._done / max(self._total, 1):.1%}), at {locus}, {self._rate(now)}, "
            f"{format_duration(seconds_left)} left"
        )


def format_duration(seconds: float) -> str:
    """Spell a duration for people.

    >>> format_duration(42), format_duration(200), format_duration(7500)
    ('42 s', '3 min', '2 h 05 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _make_bar(total: int) -> "Bar":
    """Build the bar; rich is imported only where there is a terminal to show it on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        BarColumn(),
        MofNCompleteColumn(),
        # Contig names may hold brackets, which would be markup.
        TextColumn("{task.fields[locus]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # Standard output carries the calls; rich would send them to the terminal.
        redirect_stdout=False,
        # Its thread would keep `varcall.workers.pool` from forking.
        auto_refresh=False,
    )
    bar.add_task("", total=total, locus="", rate="")
    return bar
