"""Where windows get their reads from."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from varcall.bam_records import BamRecords
from varcall.cram_records import CramRecords
from varcall.inputs import Inputs
from varcall.reads import ReadBatch, ReadFilter
from varcall.record_reads import RecordReads


class ReadSource(Protocol):
    """Loads the reads of spans of one file."""

    def load(
        self,
        contig: str,
        start: int,
        end: int,
        read_filter: ReadFilter,
        read_groups: frozenset[str] | None = None,
        own: tuple[int, int] | None = None,
    ) -> ReadBatch:
        """Load the reads that overlap a span and pass the filter; see `RecordReads.load`."""
        ...


@contextmanager
def open_reads(inputs: Inputs) -> Iterator[ReadSource]:
    """Open the reads for loading; one source per process.

    Raises
    ------
    InputError
        They cannot be opened.
    """
    records = (
        CramRecords(inputs.reads, inputs.index, inputs.reference)
        if inputs.is_cram
        else BamRecords(inputs.reads, inputs.index)
    )
    with closing(RecordReads(inputs.reads, inputs.header_contigs, records)) as reads:
        yield reads
