"""What tallies over the chunks of a sample share.

A chunk is a window whose reads include duplicates and those of any MAPQ.
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from pileup.sam import FDUP
from varcall.evidence.window import WindowReads

#: Mapping quality from which a read's differences are taken for errors of the read.
GOOD_MAPQ = 20
#: Mapping quality from which a read is used at all.
MIN_MAPQ = 5

Metrics = dict[str, float]


def used_reads(chunk: WindowReads, min_mapq: int) -> NDArray[np.bool_]:
    """Mark the reads that are no duplicates and map well enough: bool [n]."""
    reads = chunk.reads.arrays
    return np.asarray((reads.flag & FDUP == 0) & (reads.mapq >= min_mapq))


def ratio(part: float, whole: float) -> float:
    """Return part / whole; NaN where there is no whole."""
    return float(part / whole) if whole > 0 else nan
