"""The warnings of a call, for its result."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from varcall.log import PACKAGES


class _Collector(logging.Handler):
    """Keeps the warnings of one thread: another may be calling another sample."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.messages.append(record.getMessage())


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect what is warned of in the block; handlers of the user get it as well."""
    collector = _Collector()
    loggers = [logging.getLogger(name) for name in PACKAGES]
    for named in loggers:
        named.addHandler(collector)
    try:
        yield collector.messages
    finally:
        for named in loggers:
            named.removeHandler(collector)
