"""Short tandem repeats (units of 1-6 bases) of a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pileup.accelerate import kernel
from pileup.codes import UNKNOWN_BASE

MAX_UNIT = 6
#: Shortest tract that counts, in bases, by unit length 1-6 (index 0 unused).
MIN_TRACT = np.array([0, 5, 8, 11, 12, 15, 18], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Tracts:
    """Tandem repeat tracts, sorted by start and disjoint.

    Attributes
    ----------
    start, end
        int64 [n]: 0-based half-open in the sequence.
    unit
        int64 [n]: bases of the repeated unit.
    """

    start: np.ndarray
    end: np.ndarray
    unit: np.ndarray

    def slippage_length(self) -> np.ndarray:
        """float64 [n]: the homopolymer length that slips about as often as the tract does.

        Longer units slip less for the same number of bases; the factors put (AC)10 near A11 and
        tetranucleotides lower, as measured on real PCR-amplified libraries.
        """
        units = (self.end - self.start) / self.unit
        scale = np.array([0.0, 1.0, 0.9, 0.8, 0.7, 0.65, 0.6])[self.unit]
        extra = np.array([0.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0])[self.unit]
        return np.asarray(units * scale + extra)


@kernel
def _scan(codes: np.ndarray, min_tract: np.ndarray, out: np.ndarray) -> int:
    """Write (start, end, unit) of every maximal tract to ``out`` [m, 3]; returns their number."""
    n = 0
    for unit in range(1, len(min_tract)):
        begin = 0
        for i in range(unit, len(codes) + 1):
            if i < len(codes) and codes[i] == codes[i - unit] and codes[i] < UNKNOWN_BASE:
                continue
            if i - begin >= min_tract[unit] and n < len(out):
                out[n, 0], out[n, 1], out[n, 2] = begin, i, unit
                n += 1
            begin = i - unit + 1
    return n


def find_tracts(codes: np.ndarray) -> Tracts:
    """Tandem repeat tracts of a sequence of base codes (uint8 [n], 4 = other).

    Where tracts overlap the one with the shorter unit wins when it is as long, else the longer.
    """
    found = np.empty((len(codes) + 1, 3), dtype=np.int64)
    found = found[: _scan(codes, MIN_TRACT, found)]
    length = found[:, 1] - found[:, 0]
    taken = np.zeros(len(codes) + 1, dtype=bool)
    kept = []
    for i in np.lexsort((found[:, 0], found[:, 2], -length)):
        start, end, _ = found[i]
        if not taken[start:end].any():
            taken[start:end] = True
            kept.append(i)
    chosen = found[sorted(kept, key=lambda i: int(found[i, 0]))]
    return Tracts(chosen[:, 0], chosen[:, 1], chosen[:, 2])
