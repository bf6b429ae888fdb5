"""Standard streams that can always be used: closed ones go nowhere, and no text stops a message."""

import codecs
import os
import sys
from typing import TextIO

_ERRORS = "varcall.printable"


def open_standard_streams() -> None:
    """Open what the caller has closed (`<&-`, `>&-`, `2>&-`) on /dev/null, before anything else.

    The next file that is opened would get the number of a closed stream, and a stray message of
    some library would go into the reads or the VCF. Standard output is opened for reading only:
    messages may go nowhere, calls may not, and `varcall.output.atomic.check_writable` tells it by
    that.
    """
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is the one that is missing. Programs that are started get it.
            os.set_inheritable(os.open(os.devnull, mode), True)
    # Python has none where it found them closed, or could not make use of them.
    sys.stdin = sys.stdin or open(os.devnull)
    sys.stdout = _printing(sys.stdout or open(os.devnull, "w"))
    sys.stderr = _printing(sys.stderr or open(os.devnull, "w"))


def _printing(stream: TextIO) -> TextIO:
    """Make a stream take any text, whatever the locale: a path may hold bytes that are no text.

    `print` makes use of it; `typer.echo` has streams of its own, which put `?` there.
    """
    codecs.register_error(_ERRORS, _printable)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=_ERRORS)
    return stream


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write the bytes of a path as they are, and other letters that the locale lacks escaped."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
