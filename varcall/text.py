"""Text files as people's editors save them: a byte-order mark at the start is no part of the text.

Windows editors put one there; taken as text it becomes part of the first contig's name, and that
target is lost.
"""

import codecs
import gzip
import io
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from varcall.bgzf import GZIP_MAGIC

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


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
