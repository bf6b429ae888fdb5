"""Reference blocks of a window: runs of bases that are as in the reference about equally surely."""

from collections.abc import Sequence

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
of them is less sure. Candidates have records of their own, and between two of them that are near
each other a block may be as sure as beside them.
"""


_ANY = 255
"""A band that is above all."""

Span = tuple[int, int]
"""Start and end, 0-based half-open."""


def beyond(window: Region, length: int) -> tuple[int, int]:
    """Return the span of bases to be rated for the blocks of a window of a contig so long."""
    return max(0, window.start - LEAST_RUN), min(length, window.end + LEAST_RUN)


def reference_blocks(
    window: Region,
    rated: HomRefEvidence,
    variants: Sequence[Span],
    bands: GqBands,
    ploidy: NDArray[np.int8],
    sites: Sequence[Span] = (),
) -> Blocks:
    """Return the blocks of the bases of a window that belong to no variant.

    Those of the first HEAD bases are one base long: variants of the window before may reach there.
    `varcall.output.gvcf` joins them.

    Parameters
    ----------
    rated
        Every base of `beyond`.
    variants
        Spans of the records of the window.
    ploidy
        int8 [n] of every base of the window; there is no block where it is 0.
    sites
        Spans of all candidates that start on a base of `beyond` or reach there, as `variants`: how
        unsure these are says nothing of the bases beside them.
    """
    own = slice(window.start - rated.start, window.end - rated.start)
    is_apart = covered(sites, rated.start, len(rated.codes))
    labels = _labels(rated, bands, 2, is_apart)[own]
    if (ploidy == 1).any():
        labels = np.where(ploidy == 1, _labels(rated, bands, 1, is_apart)[own], labels)
    is_covered = covered(variants, window.start, len(window)) | (ploidy == 0)
    rows = np.empty((len(window), N_COLUMNS), np.int32)
    found = cut_blocks(
        window.start, HEAD, rated.codes[own], rated.depth[own], rated.pl[own], labels,
        bands.top, is_covered, ploidy, rows,
    )  # fmt: skip
    return rows[:found].copy()


def covered(spans: Sequence[Span], first: int, n: int) -> NDArray[np.bool_]:
    """Return which of n bases from `first` on lie in spans, bool [n]."""
    is_covered = np.zeros(n, np.bool_)
    for start, end in spans:
        is_covered[max(0, start - first) : max(0, end - first)] = True
    return is_covered


def _labels(
    rated: HomRefEvidence, bands: GqBands, ploidy: int, is_apart: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the lowered band of each base, as if all were of one ploidy: uint8 [n].

    A band goes on over what is apart (bool [n]).
    """
    reached = bands.of_gq(rated.confidence(ploidy))
    # What is apart may be in a block all the same: an allele was not kept, its record is shorter.
    return np.minimum(reached, lowered(np.where(is_apart, np.uint8(_ANY), reached)))


def lowered(bands: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lower what fewer than LEAST_RUN bases in a row reach: uint8 [n] (an opening).

    Beyond both ends everything is reached.
    """
    beyond_ends = np.full(LEAST_RUN, _ANY, np.uint8)
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
