"""Whether all the reads of the file were seen; how many of them were not used, and why.

What is read is counted, each alignment in the window that it starts in, and checked against the
index's own count once a contig is through. Runs over parts of a contig cannot be checked against
it.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.reads.records import N_REASONS, OVER_DEPTH
from varcall.errors import InputError
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region

_log = logging.getLogger(__name__)

# In the order of the reason numbers of pileup.kernels.reads.records.
REASONS = (
    "unmapped",
    "secondary",
    "supplementary",
    "failed quality checks",
    "duplicates",
    "excluded by another flag",
    "of low mapping quality",
    "without sequence",
    "without aligned bases",
    "of another sample",
    "placed past the end of their contig",
    "beyond the depth cap",
)


class WindowCounts(Protocol):
    """Alignments that start in one window, as `varcall.reads.batch.ReadCounts` has them."""

    @property
    def placed(self) -> int:
        """All of them."""
        ...

    @property
    def mapped(self) -> int:
        """Those that are mapped."""
        ...

    @property
    def skipped(self) -> Sequence[int] | NDArray[np.int64]:
        """Those that are not used, by reason; empty where nothing was read."""
        ...


class ReadTally:
    """Adds up the windows of a run, and checks each contig that is called as a whole."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        # The reference may hold only the first part of a contig.
        self._missing = {name: inputs.header_contigs[name] for name in inputs.contigs}
        self._placed: Counter[str] = Counter()
        self._mapped: Counter[str] = Counter()
        self._skipped = np.zeros(N_REASONS, np.int64)

    def add(self, window: Region, counts: WindowCounts) -> None:
        """Count the alignments that start in one window, each window once.

        Raises
        ------
        InputError
            When this was the last window of a contig, and reads of it were not seen.
        """
        name = window.contig
        self._placed[name] += counts.placed
        self._mapped[name] += counts.mapped
        if len(counts.skipped):
            self._skipped += counts.skipped
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

    def log(self) -> None:
        """Say how many alignments were not used, and where DP and AD are estimates."""
        total, skipped = sum(self._placed.values()), int(self._skipped.sum())
        counts = self._skipped.tolist()
        reasons = [
            f"{count:,} {reason}" for count, reason in zip(counts, REASONS, strict=True) if count
        ]
        _log.debug(
            "%s of %s alignments were not used: %s",
            f"{skipped:,}",
            f"{total:,}",
            ", ".join(reasons) or "none",
        )
        if counts[OVER_DEPTH]:
            _log.info(
                "%s reads beyond --max-depth were left out; where they lay, DP and AD are those "
                "of the reads used, scaled up to all",
                f"{counts[OVER_DEPTH]:,}",
            )
