"""Where windows get their reads from."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from varcall.inputs.open import Inputs
from varcall.inputs.reference import Reference
from varcall.reads.bam import BamRecords
from varcall.reads.cram import CramRecords
from varcall.reads.loader import RecordReads


@contextmanager
def open_reads(inputs: Inputs) -> Iterator[RecordReads]:
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
    reference = Reference(inputs.reference)
    with closing(RecordReads(inputs.reads, inputs.header_contigs, records, reference)) as reads:
        yield reads
