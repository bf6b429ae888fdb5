"""The records of a CRAM: htslib decodes them, and hands them on in the form they have in a BAM.

So a read is no Python object but for the moment in which it crosses, and one stream serves windows
one after another: they decode a slice, which holds 10,000 reads however far apart they lie, once.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path

import pysam

from pileup.arrays import RecordSpan
from varcall.formats.bgzf import inflate_block
from varcall.formats.crai import CramAudit
from varcall.inputs.checks import alignments_of
from varcall.reads.byte_buffer import ByteBuffer

# All fields of a record, of its tags the read group alone (enum sam_fields of htslib), and no tags
# that htslib would work out: they take a sixth of the time.
_DECODED = ("required_fields=0x17ff", "decode_md=0")
_RECORDS_AT_ONCE = 64  # between two looks at how many bytes there are
_BYTES_AT_ONCE = 1 << 19
_NEAR = 20_000  # bases worth reading on: as many as a slice of 10,000 reads covers 75 times
_END = 1 << 40  # past the end of any contig


class CramRecords:
    """The records of a CRAM as a `RecordSource`; belongs to one process, as it holds open files.

    Raises
    ------
    InputError
        The file or its index cannot be opened; from `goes_on_to` and `seek`, that the index would
        hide records of the span.
    """

    def __init__(self, path: Path, index: Path, reference: Path) -> None:
        self.buffer = ByteBuffer()
        self._path = path
        self._open = partial(alignments_of, path, index, reference, _DECODED)
        with ExitStack() as files:
            self._handle = files.enter_context(ExitStack())
            self._alignments = self._handle.enter_context(self._open())
            self._audit = files.enter_context(closing(CramAudit(path, index)))
            self._crossing = files.enter_context(
                open(os.memfd_create("varcall"), "r+b", buffering=0)
            )
            self._files = files.pop_all()
        self._stream: Iterator[pysam.AlignedSegment] = iter(())
        self._reached = _END  # start of the last record taken from it
        self._error: OSError | None = None
        # Contigs by short names: with each portion of records a header is written.
        names = [str(number) for number in range(self._alignments.nreferences)]
        lengths = [1] * len(names)
        self._header = pysam.AlignmentHeader.from_references(names, lengths, add_sq_text=False)
        self._header_size = 12 + sum(9 + len(name) for name in names)
        self._portion = max(_BYTES_AT_ONCE, 4 * self._header_size)

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def goes_on_to(self, span: RecordSpan) -> bool:
        """Tell whether the span begins before what has been taken from htslib ends, or soon after.

        A slice may reach over a gap of millions of bases.
        """
        self._check_index(span)
        return span.first - self._reached <= _NEAR

    def seek(self, span: RecordSpan) -> int | None:
        """Start over with the records that reach the span, at byte 0."""
        self._check_index(span)
        if self._error is not None:
            # htslib may crash where it goes on after an error.
            self._error = None
            self._handle.close()
            self._alignments = self._handle.enter_context(self._open())
        name = self._alignments.get_reference_name(span.contig)
        self._stream, self._reached = self._alignments.fetch(name, span.first), 0
        self.buffer.clear()
        return 0

    def _check_index(self, span: RecordSpan) -> None:
        """See that the index tells of all records that a scan of the span looks at."""
        self._audit.check(span.contig, _END if span.last >= span.length else span.last)

    def extend(self) -> bool:
        """Append the next records of the contig; whether there were any.

        Raises
        ------
        OSError
            The next one cannot be decoded.
        """
        if self._error is None and self._take():
            self._append_taken()
            return True
        if self._error is not None:
            raise self._error
        return False

    def _take(self) -> bool:
        """Write records for the crossing until there are enough; whether there were any."""
        self._crossing.seek(0)
        self._crossing.truncate()
        took_any = False
        with pysam.AlignmentFile(self._crossing, "wbu", header=self._header) as crossing:
            try:
                while not took_any or self._crossing.tell() < self._portion:
                    record = None
                    for record in islice(self._stream, _RECORDS_AT_ONCE):
                        crossing.write(record)
                        took_any = True
                    if record is None:
                        self._reached = _END
                        break
                    self._reached = record.reference_start
            except OSError as error:
                # Those before it may be all that are wanted.
                self._error = error
        return took_any

    def _append_taken(self) -> None:
        """Append what stands in the crossing, but for its header."""
        raw = memoryview(os.pread(self._crossing.fileno(), self._crossing.tell(), 0))
        to_skip, offset = self._header_size, 0
        while offset < len(raw):
            block, size = inflate_block(raw[offset:], offset, self._path)
            self.buffer.append(memoryview(block)[to_skip:])
            to_skip = max(0, to_skip - len(block))
            offset += size
