"""Reference blocks of a window: runs of bases that are as in the reference about equally surely."""

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.hom_ref.runs import N_COLUMNS, cut_blocks
from varcall.evidence.reference_model import HomRefEvidence
from varcall.inputs.regions import Region
from varcall.output.gvcf import HEAD, Blocks, GqBands

LEAST_RUN = 64
"""Bases in a row that must reach a band of GQ; of fewer, the band is lowered to their neighbours'.

Depth goes up and down all along, and at 30x a block would end every six bases, which would cost
more than the calls and fill 4 GB. What a block says holds for each of its bases all the same: none
of them is less sure.
"""


def beyond(window: Region, length: int) -> tuple[int, int]:
    """Return the span of bases to be rated for the blocks of a window of a contig so long."""
    return max(0, window.start - LEAST_RUN), min(length, window.end + LEAST_RUN)


def reference_blocks(
    window: Region,
    rated: HomRefEvidence,
    variants: list[tuple[int, int]],
    bands: GqBands,
    ploidy: NDArray[np.int8],
) -> Blocks:
    """Return the blocks of the bases of a window that belong to no variant.

    Those of the first HEAD bases are one base long: variants of the window before may reach there.
    `varcall.output.gvcf` joins them.

    Parameters
    ----------
    rated
        Every base of `beyond`.
    variants
        Spans of the records of the window, 0-based half-open.
    ploidy
        int8 [n], 1 or 2, of every base of the window.
    """
    own = slice(window.start - rated.start, window.end - rated.start)
    labels = _labels(rated, bands, 2)[own]
    if (ploidy == 1).any():
        labels = np.where(ploidy == 1, _labels(rated, bands, 1)[own], labels)
    is_covered = np.zeros(len(window), np.bool_)
    for start, end in variants:
        is_covered[max(0, start - window.start) : max(0, end - window.start)] = True
    rows = np.zeros((len(window), N_COLUMNS), np.int32)
    found = cut_blocks(
        window.start, HEAD, rated.codes[own], rated.depth[own], rated.pl[own], labels,
        bands.top, is_covered, ploidy, rows,
    )  # fmt: skip
    return rows[:found].copy()


def _labels(rated: HomRefEvidence, bands: GqBands, ploidy: int) -> NDArray[np.uint8]:
    """Return the lowered band of each base, as if all were of one ploidy: uint8 [n]."""
    gq = rated.pl[:, 1] if ploidy == 1 else rated.pl.min(axis=1)
    return lowered(bands.of_gq(gq))


def lowered(bands: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lower what fewer than LEAST_RUN bases in a row reach: uint8 [n] (an opening).

    Beyond both ends everything is reached.
    """
    beyond_ends = np.full(LEAST_RUN, 255, np.uint8)
    padded = np.concatenate([beyond_ends, bands, beyond_ends])
    lowest = _over_runs(padded, np.minimum)
    return _over_runs(lowest, np.maximum)[1 : 1 + len(bands)]


def _over_runs(values: NDArray[np.uint8], extreme: np.ufunc) -> NDArray[np.uint8]:
    """Return the least or greatest of every LEAST_RUN values in a row."""
    width = 1
    while width < LEAST_RUN:
        step = min(width, LEAST_RUN - width)
        values = extreme(values[:-step], values[step:])
        width += step
    return values
