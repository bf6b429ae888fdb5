"""Where windows get their reads from: a BAM is taken apart here, a CRAM is left to htslib."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from varcall.bam_reads import BamReads
from varcall.inputs import Inputs, open_alignments
from varcall.reads import Alignments, ReadBatch, ReadFilter, load_reads


class ReadSource(Protocol):
    """Loads the reads of spans of one file; see `varcall.reads.load_reads`."""

    def load(
        self,
        contig: str,
        start: int,
        end: int,
        read_filter: ReadFilter,
        read_groups: frozenset[str] | None = None,
        own: tuple[int, int] | None = None,
    ) -> ReadBatch:
        """Load the reads that overlap a span (0-based half-open) and pass the filter."""
        ...


class HtslibReads:
    """Loads reads with htslib."""

    def __init__(self, alignments: Alignments) -> None:
        self._alignments = alignments

    def load(
        self,
        contig: str,
        start: int,
        end: int,
        read_filter: ReadFilter,
        read_groups: frozenset[str] | None = None,
        own: tuple[int, int] | None = None,
    ) -> ReadBatch:
        """Load the reads that overlap a span (0-based half-open) and pass the filter."""
        return load_reads(self._alignments, contig, start, end, read_filter, read_groups, own)


@contextmanager
def open_reads(inputs: Inputs) -> Iterator[ReadSource]:
    """Open the reads for loading; one source per process.

    Raises
    ------
    InputError
        They cannot be opened.
    """
    if inputs.is_cram:
        with open_alignments(inputs) as alignments:
            yield HtslibReads(alignments)
    else:
        with closing(BamReads(inputs.reads, inputs.index, inputs.header_contigs)) as reads:
            yield reads
