"""The one place for Numba's defaults."""

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_CACHE_VARIABLE = "VARCALL_NUMBA_CACHE"


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
    try:
        jitted: Any = numba.njit(cache=_cache_enabled(), nogil=True)(function)
    except RuntimeError:
        # No folder to cache in: a read-only install for a user without a home.
        jitted = numba.njit(nogil=True)(function)
    return cast(F, jitted)
