"""The one place for Numba's defaults."""

import importlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import event

_log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_CACHE_VARIABLE = "VARCALL_NUMBA_CACHE"


def _load_without_scipy() -> None:
    """Load Numba's array functions, which else import scipy.linalg where there is one.

    They look for its BLAS, which no kernel uses: 0.2 of the 0.4 CPU seconds that the first call of
    a cached kernel costs.
    """
    if "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules["scipy.linalg"]


_load_without_scipy()


class Announcer(event.Listener):
    """Says once in a process that kernels are compiled: nothing else tells why it takes so long."""

    def __init__(self) -> None:
        self._has_spoken = False

    def on_start(self, event: event.Event) -> None:
        """Speak at the first compilation; what is loaded from the cache is none."""
        del event
        if not self._has_spoken:
            _log.info("compiling the kernels, once on this machine: it takes about a minute")
        self._has_spoken = True

    def on_end(self, event: event.Event) -> None:
        """Stay silent."""


event.register("numba:compile", Announcer())  # type: ignore[no-untyped-call]


def _cache_enabled() -> bool:
    value = os.environ.get(_CACHE_VARIABLE, "1")
    if value not in ("0", "1"):
        raise ValueError(f"{_CACHE_VARIABLE} must be 0 or 1, not {value!r}")
    return value == "1"


def kernel(function: F) -> F:
    """Compile a function in nopython mode, cached on disk unless VARCALL_NUMBA_CACHE=0.

    Where no folder can be written to, it is compiled anew in every process.

    The interpreter lock is released so that a caller may run kernels in threads.
    """
    return _compiled(function, nogil=True)


def part(function: F) -> F:
    """Compile a function that kernels call, and Python may not: without a way in, in less time."""
    return _compiled(function, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function: F, **options: Any) -> F:
    try:
        jitted: Any = numba.njit(cache=_cache_enabled(), **options)(function)
    except RuntimeError:
        # No folder to cache in: a read-only install for a user without a home.
        jitted = numba.njit(**options)(function)
    return cast(F, jitted)
