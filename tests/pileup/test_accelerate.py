"""Where compiled kernels are cached is one switch, and a typo in it is an error."""

import pytest
from numba.core import event

from pileup.accelerate import Announcer, kernel


def double(value: int) -> int:
    return 2 * value


def test_a_kernel_is_compiled_without_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARCALL_NUMBA_CACHE", "0")
    assert kernel(double)(21) == 42


def test_a_kernel_needs_no_place_to_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", refuse)
    assert kernel(double)(21) == 42


def test_a_typo_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARCALL_NUMBA_CACHE", "yes")
    with pytest.raises(ValueError, match="VARCALL_NUMBA_CACHE must be 0 or 1, not 'yes'"):
        kernel(double)


def test_compilation_is_announced_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VARCALL_NUMBA_CACHE", "0")
    with caplog.at_level("INFO", "pileup"), event.install_listener("numba:compile", Announcer()):
        caplog.clear()
        for _ in range(2):
            kernel(lambda value: value + 1)(1)
            kernel(lambda value: value + 2)(1)
    told = [record for record in caplog.records if "compiling the kernels" in record.message]
    assert 1 <= len(told) <= 2  # this test's listener, and the process's own at its first
