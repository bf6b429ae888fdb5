"""How kernels are compiled, for which CPU, and what is said of it."""

import sys

import numba
import pytest
from numba.core import event

from pileup.accelerate import _LEVEL_FEATURES, Announcer, _choose_level, kernel


def double(value: int) -> int:
    return 2 * value


def test_a_kernel_is_compiled_without_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARCALL_NUMBA_CACHE", "0")
    assert kernel(double)(21) == 42


def test_a_numba_with_another_cache_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setitem(sys.modules, "pileup.kernel_cache", None)
    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", refuse)
    assert kernel(double)(21) == 42


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What Numba is given of the CPU: nothing, on one that has all of the level."""
    features = dict.fromkeys((*_LEVEL_FEATURES, "avx512f"), True)
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for name, value in (("CPU_NAME", None), ("CPU_FEATURES", None), ("ENABLE_AVX", 1)):
        monkeypatch.setattr(numba.config, name, value)
    return vars(numba.config)


def test_one_level_is_compiled_for_where_the_cpu_has_it(settings: dict[str, object]) -> None:
    _choose_level()
    assert (settings["CPU_NAME"], settings["CPU_FEATURES"]) == ("x86-64-v3", "")


@pytest.mark.parametrize("lacking", _LEVEL_FEATURES)
def test_a_cpu_that_lacks_a_feature_is_compiled_for_itself(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    features = {feature: feature != lacking for feature in _LEVEL_FEATURES}
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)
    _choose_level()
    assert (settings["CPU_NAME"], settings["CPU_FEATURES"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"), [("CPU_NAME", "znver4"), ("CPU_FEATURES", "+avx"), ("ENABLE_AVX", 0)]
)
def test_who_tells_numba_what_to_compile_for_is_obeyed(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(numba.config, name, value)
    before = dict(settings)
    _choose_level()
    assert dict(settings) == before


def test_another_architecture_is_compiled_for_itself(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    _choose_level()
    assert settings["CPU_NAME"] is None


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
    settings = [record for record in caplog.records if "compiling the kernels" in record.message]
    assert 1 <= len(settings) <= 2  # this test's listener, and the process's own at its first
