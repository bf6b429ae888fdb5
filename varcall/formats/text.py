"""Text files as people's editors save them, and text that names files, whatever their names hold.

Windows editors put a byte-order mark at the start; taken as text it becomes part of the first
contig's name, and that target is lost. A path may hold bytes that are no UTF-8; Python keeps them
as lone surrogates, which no file in UTF-8 can hold.
"""

import codecs
import gzip
import io
import re
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from varcall.formats.bgzf import GZIP_MAGIC

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PERCENT = "varcall.percent"
_UNDECODED = re.compile("[\udc80-\udcff]+")


def _percent_encoded(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"%{byte:02X}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_PERCENT, _percent_encoded)


def as_utf8(text: str) -> str:
    r"""Percent-encode the bytes of a path or an argument that are no UTF-8, in any locale.

    >>> as_utf8("caf\udcc3\udca9/caf\udce9")
    'café/caf%E9'
    """
    return _UNDECODED.sub(
        lambda found: found[0].encode("ascii", "surrogateescape").decode("utf-8", _PERCENT), text
    )


def write_text(path: Path, text: str) -> None:
    """Write text, in which names of files may stand, as UTF-8."""
    path.write_text(as_utf8(text), encoding="utf-8")


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open UTF-8 text, plain or gzipped, for reading; `newline` as in `open`.

    Raises
    ------
    UnicodeError
        It is UTF-16.
    OSError, EOFError, zlib.error
        It cannot be opened, or its first block is damaged.
    """
    stream = _open(path)
    if _start(stream)[:2] in _UTF_16:
        stream.close()
        raise UnicodeError("it is UTF-16 text: save it as UTF-8")
    return io.TextIOWrapper(cast(BinaryIO, stream), encoding="utf-8-sig", newline=newline)


def begins_with_mark(path: Path) -> bool:
    """Tell whether a file's text begins with a byte-order mark of UTF-8."""
    with _open(path) as stream:
        return _start(stream).startswith(codecs.BOM_UTF8)


def _open(path: Path) -> io.BufferedReader | gzip.GzipFile:
    raw = path.open("rb")
    # Not `gzip.open(path)`: a pipe can be opened once only.
    return _OwningGzip(raw) if _start(raw)[:2] == GZIP_MAGIC else raw


def _start(stream: io.BufferedReader | gzip.GzipFile) -> bytes:
    try:
        return stream.peek(3)
    except BaseException:
        stream.close()
        raise


class _OwningGzip(gzip.GzipFile):
    """Decompresses a file, and closes it when it is closed itself."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw)
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()
