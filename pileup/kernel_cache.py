"""Machine code of the kernels on disk: what comes with the package, then what this user compiled.

Numba's own cache reads only folders that it may write to, and misses edits of what a kernel calls
in other files. Here the cache key in a file's name is a hash of all that the machine code was made
of, and a checksum shows that it is whole. What is missing or damaged is compiled.

This uses private parts of Numba; where they have changed, `pileup.accelerate` uses Numba's cache.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial, singledispatch
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from llvmlite.binding import parse_assembly, parse_bitcode
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
)
from numba.core.dispatcher import Dispatcher
from numba.core.runtime.nrt import rtsys

_log = logging.getLogger(__name__)
_config: Any = numba.config

SHIPPED = Path(__file__).parent / "compiled"
"""What a wheel brings; a checkout has none."""


def user_folder() -> Path:
    """Return where this user's code is kept: in NUMBA_CACHE_DIR, else as XDG says.

    Raises
    ------
    OSError
        There is no home.
    """
    if _config.CACHE_DIR:
        return Path(_config.CACHE_DIR) / "varcall"
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path("~/.cache").expanduser()
    if not base.is_absolute():
        raise OSError("no home folder is known")
    return base / "varcall"


class KernelCache(NullCache):
    """Loads and saves the machine code of one function for its dispatcher.

    Parameters
    ----------
    function
        What a kernel is made of; it may name what is defined only later.
    """

    def __init__(self, function: FunctionType) -> None:
        self._function = function

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the machine code for a signature, or None."""
        for path in _paths():
            try:
                found = _Folder(self._function, path).load_overload(sig, target_context)
            except Exception as error:  # whatever unpickling makes of a damaged file
                _log.debug("the code in %s is not used: %s", path, error)
            else:
                if found is not None:
                    return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code for a signature if that is possible."""
        try:
            _Folder(self._function, user_folder()).save_overload(sig, data)
        except Exception as error:  # the run has its code, and goes on
            _say_it_is_lost(str(error))


def _paths() -> Iterator[Path]:
    yield SHIPPED
    with suppress(OSError):
        yield user_folder()


@cache
def _say_it_is_lost(reason: str) -> None:
    _log.warning(
        "compiled kernels cannot be kept (%s), so each run compiles them again: "
        "name a folder that can be written to in NUMBA_CACHE_DIR",
        reason,
    )


class _Place:
    """A folder and a name in it, as `CompileResultCacheImpl` asks for them."""

    def __init__(self, folder: Path, content: str) -> None:
        self._folder, self._content = folder, content

    def from_function(self, function: FunctionType, file: str) -> "_Place":
        del function, file
        return self

    def get_cache_path(self) -> str:
        return str(self._folder)

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        return self._content

    def get_disambiguator(self) -> str:
        return self._content[:16]


class _Implementation(CompileResultCacheImpl):
    def __init__(self, function: FunctionType, place: _Place) -> None:
        places: list[Any] = [place]
        self._locator_classes = places
        super().__init__(function)

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """Rebuild as Numba does, but parse what callers inline only where one is compiled.

        To parse it and list its symbols takes twice as long as all the rest.
        """
        (name, kind, (machine_code, bitcode)), descriptor, *rest = payload
        library = (name, kind, (machine_code, _no_bitcode()))
        # The only symbol that is looked up by its name.
        target_context.codegen()._engine._defined_symbols.add(descriptor.llvm_cpython_wrapper_name)
        found = super().rebuild(target_context, (library, descriptor, *rest))
        found.library._get_module_for_linking = cache(partial(parse_bitcode, bitcode))
        return found


@cache
def _no_bitcode() -> bytes:
    return bytes(parse_assembly("").as_bitcode())


class _Files(IndexDataCacheFile):
    """The index of one function and the code it lists, each with a checksum at its end."""

    def _dump(self, obj: object) -> bytes:
        content: bytes = super()._dump(obj)
        return content + hashlib.sha256(content).digest()

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except Exception:  # damaged: it is written again
            return {}

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise ValueError(f"{name} is damaged")
        return super()._load_data(name)

    def save(self, key: Any, data: Any) -> None:
        """Write as Numba does, but into a file named by its key.

        With numbers in the order of arrival, two processes that compile two signatures at a time
        would take one for the other.
        """
        index = self._load_index()
        number = int(hashlib.sha256(repr(key).encode()).hexdigest()[:8], 16)
        index[key] = self._data_name(number)
        self._save_index(index)
        self._save_data(index[key], data)


class _Folder(FunctionCache):
    """The machine code of one function in one folder."""

    def __init__(self, function: FunctionType, folder: Path) -> None:
        content = content_digest(function)
        implementation: Any = partial(_Implementation, place=_Place(folder, content))
        self._impl_class = implementation
        super().__init__(function)
        self._cache_file = _Files(str(folder), self._impl.filename_base, content)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load as Numba does, but without what only a compilation needs: half a second."""
        rtsys.initialize(target_context)
        return self._load_overload(sig, target_context)


@cache
def content_digest(function: FunctionType) -> str:
    """Hash what the machine code of a function is made of.

    That is its own code, the constants and the kernels it names, what these name in turn, and how
    Numba is set to compile. Comments and line numbers are not part of it.
    """
    content = hashlib.sha256(repr((_config.OPT, _config.BOUNDSCHECK)).encode())
    for piece in _function_pieces(function, set()):
        content.update(piece.encode() + b"\0")
    return content.hexdigest()


def _function_pieces(function: Any, seen: set[object]) -> Iterator[str]:
    """Yield what the machine code of a function depends on; `seen` are those yielded before."""
    yield f"{function.__module__}.{function.__qualname__}"
    if function in seen:
        return
    seen.add(function)
    yield from _pieces(function.__defaults__, seen)
    yield from _pieces(tuple(cell.cell_contents for cell in function.__closure__ or ()), seen)
    yield from _pieces(function.__code__, seen)
    names = list(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        yield from _pieces(value, seen)
        if isinstance(value, ModuleType):
            for attribute in names:
                yield from _pieces(vars(value).get(attribute), seen)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@singledispatch
def _pieces(value: Any, seen: set[object]) -> Iterator[str]:
    """Yield what stands for a value that a function names."""
    del seen
    if hasattr(value, "__name__"):  # a module, a type, a function of NumPy
        yield f"{getattr(value, '__module__', '')} {value.__name__} {getattr(value, '_fields', '')}"
    else:
        yield repr(value)


@_pieces.register
def _(value: Dispatcher, seen: set[object]) -> Iterator[str]:
    yield repr(sorted(value.targetoptions.items()))
    yield from _function_pieces(value.py_func, seen)


@_pieces.register
def _(value: CodeType, seen: set[object]) -> Iterator[str]:
    yield f"{value.co_code.hex()} {value.co_names} {value.co_varnames} {value.co_argcount}"
    yield from _pieces(value.co_consts, seen)


@_pieces.register(tuple)
@_pieces.register(list)
def _(value: Any, seen: set[object]) -> Iterator[str]:
    yield str(len(value))
    for item in value:
        yield from _pieces(item, seen)


@_pieces.register(frozenset)
def _(value: frozenset[object], seen: set[object]) -> Iterator[str]:
    del seen
    yield repr(sorted(map(repr, value)))


@_pieces.register(np.ndarray)
def _(value: Any, seen: set[object]) -> Iterator[str]:
    del seen
    yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
