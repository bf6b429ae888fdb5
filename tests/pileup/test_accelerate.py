"""Where compiled kernels are cached is one switch, and a typo in it is an error."""

import pytest

from pileup.accelerate import kernel


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
