"""What htslib would print to standard error by itself."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_htslib() -> Iterator[None]:
    """Keep htslib from printing what is raised as an exception anyway, or is no error here."""
    import pysam

    verbosity = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)
