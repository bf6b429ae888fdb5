"""Messages, the log file and progress."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from varcall.errors import OutputError
from varcall.log import PACKAGES, Progress, configure_logging

logger = logging.getLogger("varcall.test")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the loggers as they were."""
    names = ("", *PACKAGES)
    before = {
        name: (logging.getLogger(name).level, list(logging.getLogger(name).handlers))
        for name in names
    }
    yield
    for name, (level, handlers) in before.items():
        named = logging.getLogger(name)
        named.setLevel(level)
        for handler in [handler for handler in named.handlers if handler not in handlers]:
            named.removeHandler(handler)
            handler.close()


def say_everything() -> None:
    logger.debug("why")
    logger.info("what")
    logger.warning("oh")
    logging.getLogger("numba").info("foreign")


@pytest.mark.parametrize(
    ("verbose", "quiet", "expected"),
    [
        (0, False, ["varcall: what", "varcall: warning: oh"]),
        (1, False, ["varcall: debug: why", "varcall: what", "varcall: warning: oh"]),
        (0, True, ["varcall: warning: oh"]),
    ],
)
def test_levels(
    verbose: int, quiet: bool, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(verbose=verbose, quiet=quiet)
    say_everything()
    captured = capsys.readouterr()
    assert captured.err.splitlines() == expected
    assert captured.out == ""


def test_more_verbose_lets_other_libraries_speak(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().setLevel(logging.INFO)
    configure_logging(verbose=2)
    say_everything()
    assert capsys.readouterr().err.splitlines() == [
        "varcall: debug: why",
        "varcall: what",
        "varcall: warning: oh",
        "varcall: foreign",
    ]


def test_twice_configured_speaks_once(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (2, 0, 0):
        configure_logging(verbose=verbose)
    logger.info("once")
    assert capsys.readouterr().err == "varcall: once\n"


def test_log_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(quiet=True, log_file=tmp_path / "run.log")
    say_everything()
    assert "WARNING varcall.test: oh" in (tmp_path / "run.log").read_text()
    with pytest.raises(OutputError, match="log file"):
        configure_logging(log_file=tmp_path / "absent" / "run.log")
    assert "warning: oh" in capsys.readouterr().err


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(clock: Clock, total: int, step: float) -> None:
    with Progress(total, interval=10, clock=clock) as progress:
        for number in range(total):
            clock.now += step
            progress.advance(f"chr1:{number * 1000 + 1}-{number * 1000 + 1000}")


def test_lines_have_locus_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    run(Clock(), 100, 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[2] == (
        "varcall: 30 of 100 windows (30.0%), at chr1:29001-30000, 1.0 windows/s, 70 s left"
    )


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_or_short_runs_say_nothing(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    configure_logging(quiet=quiet)
    run(Clock(), 100, 1.0 if quiet else 0.01)
    assert capsys.readouterr() == ("", "")


def test_no_windows_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    run(Clock(), 0, 1.0)
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    configure_logging()
    with Progress(3) as progress:
        progress.advance("HLA[x]:1-5")
        logger.warning("in between")
        print("a record")
    captured = capsys.readouterr()
    # Standard output is for data, also while the bar is shown.
    assert captured.out == "a record\n"
    assert "in between" in captured.err
    assert "HLA[x]:1-5" in captured.err
