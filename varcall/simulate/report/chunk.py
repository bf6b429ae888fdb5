"""One chunk of a sample, and what tallies over chunks share."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReferenceArrays
from varcall.reads.batch import ReadBatch

DUPLICATE, REVERSE = 0x400, 0x10
#: Mapping quality from which a read's differences are taken for errors of the read.
GOOD_MAPQ = 20
#: Mapping quality from which a read is used at all.
MIN_MAPQ = 5

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Reads of [start, end) and of a margin on both sides; duplicates and any MAPQ are in.

    Positions are 0-based; `reference` reaches beyond all reads.
    """

    start: int
    end: int
    batch: ReadBatch
    reference: ReferenceArrays

    def used(self, min_mapq: int) -> NDArray[np.bool_]:
        """Mark the reads that are no duplicates and map well enough: bool [n]."""
        reads = self.batch.arrays
        return np.asarray((reads.flag & DUPLICATE == 0) & (reads.mapq >= min_mapq))


def ratio(part: float, whole: float) -> float:
    """Return part / whole; NaN where there is no whole."""
    return float(part / whole) if whole > 0 else nan
