"""Reads per second from a BAM into arrays: its blocks taken apart here, and by htslib."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from benchmarks.conftest import Count
from varcall.evidence import load_window
from varcall.inputs import Inputs, open_alignments
from varcall.read_source import HtslibReads, ReadSource, open_reads
from varcall.reads import ReadFilter
from varcall.regions import Region

Opener = Callable[[Inputs], AbstractContextManager[ReadSource]]


@contextmanager
def _with_htslib(inputs: Inputs) -> Iterator[ReadSource]:
    with open_alignments(inputs) as alignments:
        yield HtslibReads(alignments)


@pytest.mark.parametrize(
    "opener", [pytest.param(open_reads, id="blocks"), pytest.param(_with_htslib, id="htslib")]
)
def benchmark_reads(
    count: Count, opener: Opener, inputs: Inputs, spans: tuple[Region, ...]
) -> None:
    """Load window after window, as a worker does; a source keeps what windows share."""

    def load() -> int:
        with opener(inputs) as source:
            groups = inputs.read_groups
            return sum(len(load_window(source, span, ReadFilter(), groups)) for span in spans)

    count("reads", load)
