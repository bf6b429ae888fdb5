"""The one place for Numba's defaults."""

import logging
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from llvmlite import binding
from numba.core import event

_log = logging.getLogger(__name__)
_config: Any = numba.config

F = TypeVar("F", bound=Callable[..., Any])

_CACHE_VARIABLE = "VARCALL_NUMBA_CACHE"

_LEVEL = "x86-64-v3"
_LEVEL_FEATURES = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
"""What the level (x86-64 psABI, 3.1.1) has beyond every x86-64, as LLVM names it."""


def shipped_level() -> str | None:
    """Return the level of x86-64 that a wheel's kernels are compiled for, if this CPU has it."""
    if platform.machine() != "x86_64":
        return None
    here = binding.get_host_cpu_features()
    return _LEVEL if all(here.get(feature, False) for feature in _LEVEL_FEATURES) else None


def _choose_level() -> None:
    """Compile for one level wherever the CPU has it, and not for this very CPU.

    So every machine runs the same code, and a wheel can bring it. Numba's own settings of the CPU
    take precedence.
    """
    is_set = _config.CPU_NAME is not None or _config.CPU_FEATURES is not None
    level = shipped_level()
    if level is not None and _config.ENABLE_AVX and not is_set:
        # Without the second, Numba adds all that the host has.
        _config.CPU_NAME, _config.CPU_FEATURES = level, ""


_choose_level()


class Announcer(event.Listener):
    """Logs once in a process that kernels are being compiled, which takes about a minute."""

    def __init__(self) -> None:
        self._has_logged = False

    def on_start(self, event: event.Event) -> None:
        """Log the first compilation; loading from the cache is none."""
        del event
        if not self._has_logged:
            _log.info("compiling the kernels, once on this machine: it takes about a minute")
        self._has_logged = True

    def on_end(self, event: event.Event) -> None:
        """Log nothing."""


event.register("numba:compile", Announcer())  # type: ignore[no-untyped-call]


_PART: Any = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _cache_enabled() -> bool:
    value = os.environ.get(_CACHE_VARIABLE, "1")
    if value not in ("0", "1"):
        raise ValueError(f"{_CACHE_VARIABLE} must be 0 or 1, not {value!r}")
    return value == "1"


def kernel(function: F) -> F:
    """Compile a function in nopython mode; VARCALL_NUMBA_CACHE=0 does so in every process.

    Otherwise the machine code is loaded from the disk cache (`pileup.kernel_cache`) if it is there.

    The interpreter lock is released so that a caller may run kernels in threads.
    """
    jitted: Any = numba.njit(nogil=True)(function)
    if _cache_enabled():
        _enable_cache(jitted)
    return cast(F, jitted)


def part(function: F) -> F:
    """Compile a function that only kernels call: without a Python wrapper, in less time.

    It becomes a part of their machine code, and is kept nowhere else.
    """
    return cast(F, numba.njit(**_PART)(function))


def view_part(function: F) -> F:
    """Compile a part that neither makes nor returns arrays: it may take views of those it is given.

    Numba then counts no references to them. Counting is atomic, and takes most of the time of parts
    that are short and called often.
    """
    options: Any = _PART | {"_nrt": False}
    return cast(F, numba.njit(**options)(function))


def inlined_part(function: F) -> F:
    """Compile a `view_part` that becomes code of each of its callers: for the shortest of all.

    A call passes arrays field by field, which takes longer than what such a part does with them.
    """
    options: Any = _PART | {"_nrt": False, "forceinline": True}
    return cast(F, numba.njit(**options)(function))


def _enable_cache(jitted: Any) -> None:
    try:
        from pileup.kernel_cache import KernelCache

        jitted._cache = KernelCache(jitted.py_func)
    except (AttributeError, ImportError) as error:
        _log.debug("Numba %s has another cache (%s): its own is used", numba.__version__, error)
        with suppress(RuntimeError):  # no folder can be written to
            jitted.enable_caching()
