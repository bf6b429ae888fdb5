"""Were all the reads seen that the file has? Watched while they are read.

htslib returns fewer reads, without an error, where an index has lost a bin or an offset. So what is
read is counted, each alignment in the window that it starts in, and held against the index's own
count once a contig is through. Runs over parts of a contig cannot be held against it.
"""

from collections import Counter
from collections.abc import Iterator

import pysam

from varcall.errors import InputError
from varcall.inputs import Inputs
from varcall.reads import Alignments
from varcall.regions import Region


class WatchedAlignments:
    """Fetches like the file it is made of; counts, and sees to the order.

    Attributes
    ----------
    placed, mapped
        Alignments that start in the window: all of them, and those that are mapped.
    """

    def __init__(self, alignments: Alignments, window: Region) -> None:
        self._alignments = alignments
        self._window = window
        self.placed = 0
        self.mapped = 0

    @property
    def filename(self) -> bytes:
        """Path of the file."""
        return self._alignments.filename

    def fetch(self, contig: str, start: int, end: int) -> Iterator[pysam.AlignedSegment]:
        """Yield the alignments that overlap a span which holds the window (0-based half-open).

        Raises
        ------
        InputError
            When they are not in the order of their starts.
        """
        first, last = self._window.start, self._window.end
        before = -1
        for read in self._alignments.fetch(contig, start, end):
            position = read.reference_start
            if position < before:
                name = self.filename.decode(errors="replace")
                raise InputError(
                    f"{name} is not sorted: a read at {contig}:{position + 1} comes after one at "
                    f"{contig}:{before + 1}; run samtools sort, then samtools index"
                )
            before = position
            if first <= position < last:
                self.placed += 1
                self.mapped += not read.is_unmapped
            yield read


class ReadTally:
    """Adds up the windows of a run, and checks each contig that is called as a whole."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        header = pysam.AlignmentHeader.from_text(inputs.header)
        # The reference may hold only the first part of a contig.
        self._missing = {name: header.get_reference_length(name) for name in inputs.contigs}
        self._placed: Counter[str] = Counter()
        self._mapped: Counter[str] = Counter()

    def add(self, window: Region, *, placed: int, mapped: int) -> None:
        """Count the alignments that start in one window, each window once.

        Raises
        ------
        InputError
            When this was the last window of a contig, and reads of it were not seen.
        """
        name = window.contig
        self._placed[name] += placed
        self._mapped[name] += mapped
        self._missing[name] -= len(window)
        if self._missing[name]:
            return
        known, seen = self._inputs.mapped[name], self._mapped[name]
        # CRAI tells contigs with reads, but not how many.
        if seen == known or (known is None and self._placed[name]):
            return
        count = "some" if known is None else f"{known:,}"
        raise InputError(
            f"{self._inputs.index} knows {count} mapped reads on {name!r} of {self._inputs.reads}, "
            f"but {seen:,} were found: the index is damaged or of another file; "
            f"run: samtools index {self._inputs.reads}"
        )
