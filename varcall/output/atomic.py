"""Outputs that are either complete or absent.

An output is written beside its final path as `.<name>.<pid>.tmp`, forced to disk and renamed. Any
exception on the way, `SystemExit` of a SIGTERM handler included, removes every temporary file. A
device or a pipe (`/dev/stdout`, a FIFO) cannot be renamed over and is written in place.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from varcall.errors import OutputError

# What the system says when an output cannot grow; EFBIG is the file-size limit of the process.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1")


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Say in one sentence why `path` could not be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _NO_ROOM:
        mend = "free some space or write to another disk"
    else:
        mend = "choose a folder that exists and that you may write to"
    return OutputError(f"cannot write {os.fspath(path)}: {reason}; {mend}")


@contextmanager
def output_errors(name: str) -> Iterator[None]:
    """Turn "no room" errors of the system inside the block into an `OutputError` about `name`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise output_error(name, error) from error
        raise


def is_special(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` exists and is a device, a pipe or a socket."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check before any work that an output can be created at `path`; leaves nothing behind.

    Raises
    ------
    OutputError
        When it cannot.
    """
    if os.fspath(path) in _STANDARD_OUTPUT:
        _check_standard_output()
    if os.fspath(path) == "-":
        return
    if os.path.isdir(path):
        raise OutputError(f"cannot write {os.fspath(path)}: it is a folder; name a file in it")
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise output_error(path, OSError(errno.EACCES, ""))
        return
    temporary = _temporary_path(Path(os.path.realpath(path)))
    try:
        _create(temporary)
        temporary.unlink()
    except OSError as error:
        raise output_error(path, error) from error


def _check_standard_output() -> None:
    try:
        is_open = fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        is_open = False
    if not is_open:
        raise OutputError("standard output is closed, so nothing can be written: name a file by -o")


def _temporary_path(final: Path) -> Path:
    return final.with_name(f".{final.name}.{os.getpid()}.tmp")


def _create(path: Path) -> None:
    """Create an empty file that no other user may read yet, in place of a stale one."""
    with suppress(FileNotFoundError):
        path.unlink()
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class AtomicOutput:
    """Context manager of one output file and the companions (indexes) that belong to it.

    Parameters
    ----------
    path
        Final path. A symbolic link is followed, so that the file it points to is replaced.
    companions
        Suffixes of all files that may stand beside the output and describe it. Those that are not
        written again by `companion` are removed at commit: a stale index must not stay beside a
        new file.

    Raises
    ------
    OutputError
        When the temporary file cannot be created, or the disk is full inside the block.
    """

    def __init__(self, path: str | os.PathLike[str], companions: tuple[str, ...] = ()) -> None:
        self._asked = os.fspath(path)
        self._final = Path(os.path.realpath(path))
        self._in_place = is_special(path)
        self._companions = companions
        self._staged: dict[Path, Path] = {}  # final -> temporary, in the order of commit

    @property
    def path(self) -> Path:
        """Where to write."""
        return Path(self._asked) if self._in_place else self._staged[self._final]

    def companion(self, suffix: str) -> Path:
        """Return where to write the companion file that will be named `path + suffix`."""
        return self._stage(self._final.with_name(self._final.name + suffix))

    def _stage(self, final: Path) -> Path:
        temporary = _temporary_path(final)
        self._staged[final] = temporary
        _create(temporary)
        return temporary

    def __enter__(self) -> Self:
        if not self._in_place:
            try:
                self._stage(self._final)
            except OSError as error:
                raise output_error(self._asked, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._commit()
        except OSError as failure:
            raise output_error(self._asked, failure) from failure
        finally:
            for temporary in self._staged.values():
                with suppress(OSError):
                    temporary.unlink()
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise output_error(self._asked, error) from error

    def _commit(self) -> None:
        if self._in_place:
            return
        umask = os.umask(0)
        os.umask(umask)
        for temporary in self._staged.values():
            temporary.chmod(0o666 & ~umask)
            _synchronise(temporary)
        for suffix in self._companions:
            with suppress(FileNotFoundError):
                self._final.with_name(self._final.name + suffix).unlink()
        for final, temporary in self._staged.items():
            temporary.replace(final)
        _synchronise(self._final.parent)
