"""Which variants are spiked where."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from varcall.simulate.edits import Edit, Haplotype
from varcall.simulate.mutation import Mutator
from varcall.simulate.spectrum import Spectrum
from varcall.simulate.spike.background import Columns
from varcall.simulate.spike.editing import Stretch

#: Bases between spiked events, but for the share of them that may lie closer, down to the second.
SPACING, CLOSE = 150, 10
#: Bases around a variant of the background that nothing is spiked into.
APART = 20
#: Columns of the background with fewer reads are left alone.
MIN_DEPTH = 4
#: A column of unknown truth may hold a variant where so many reads, and such a share, differ.
_DOUBT_READS, _DOUBT_SHARE = 3, 0.15
#: Reads at a base that are enough to say that nothing is there, if few of them differ.
_SURE_DEPTH = 15
#: Events drawn for each that is wanted, before it is given up.
_TRIES = 40


@dataclass(frozen=True, slots=True)
class Spiked:
    """The spiked variants of a stretch.

    Attributes
    ----------
    haplotypes
        Edits of the two haplotypes, ascending.
    extents
        (start, end) of what each edit may be spelled as: from its anchor to where its repeat ends.
    """

    haplotypes: tuple[tuple[Edit, ...], tuple[Edit, ...]]
    extents: tuple[tuple[int, int], ...]


def free_bases(columns: Columns, kept: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Tell which bases of a stretch (bool [n]) lie in `kept` and have reads."""
    free = np.zeros(len(columns.stretch.bases), bool)
    for start, end in kept:
        free[max(start - columns.stretch.start, 0) : max(end - columns.stretch.start, 0)] = True
    return np.asarray(free & (columns.depth >= MIN_DEPTH))


def block(free: NDArray[np.bool_], start: int, end: int) -> None:
    """Take [start, end) and `APART` bases around it from the free ones."""
    free[max(start - APART, 0) : max(end + APART, 0)] = False


def quiet_bases(columns: Columns) -> NDArray[np.bool_]:
    """Tell at which bases (bool [n]) enough reads say that the background has no variant."""
    quiet = columns.depth >= _SURE_DEPTH
    block_doubtful(quiet, columns)
    return np.asarray(quiet)


def block_doubtful(free: NDArray[np.bool_], columns: Columns) -> None:
    """Take what may be variants of the background, where no truth tells."""
    differing = columns.differing()
    doubtful = (differing >= _DOUBT_READS) & (differing >= _DOUBT_SHARE * columns.depth)
    for at in np.flatnonzero(doubtful).tolist():
        block(free, at, at + 1)


def extent_of(edit: Edit, stretch: Stretch) -> tuple[int, int]:
    """Reference bases among which the edit can be placed without changing what it spells."""
    if edit.is_snv:
        return edit.start, edit.end
    unit = edit.alt or stretch.text(edit.start, edit.end)
    at = edit.end
    text = stretch.bases
    while at < stretch.end and text[at - stretch.start] == unit[(at - edit.end) % len(unit)]:
        at += 1
    return edit.anchored_start, at


class Placer:
    """Draws events and keeps those that fit.

    Parameters
    ----------
    stretch
        Reference to spike into.
    free
        bool [n]: bases of it that may change.
    spectrum
        Lengths of indels.
    close_share
        Share of the events beside an earlier one that are kept all the same.
    rng
        Source of all randomness.
    """

    def __init__(
        self,
        stretch: Stretch,
        free: NDArray[np.bool_],
        spectrum: Spectrum,
        close_share: float,
        rng: np.random.Generator,
    ) -> None:
        self._stretch = stretch
        self._taken = np.concatenate([[0], np.cumsum(~free)])
        self._close_share = close_share
        self._rng = rng
        self._placed: list[tuple[int, int]] = []
        self._haplotypes = (Haplotype(), Haplotype())
        self._mutator = Mutator(stretch.bases, stretch.start, self._haplotypes, rng, spectrum)

    def place(self, wanted: int) -> Spiked:
        """Place about `wanted` variants."""
        extents: list[tuple[int, int]] = []
        for _ in range(_TRIES * wanted):
            if len(extents) >= wanted:
                break
            event = self._mutator.event()
            new = [extent_of(edit, self._stretch) for edit in sorted({*event[0], *event[1]})]
            if new and self._fits(min(s for s, _ in new), max(e for _, e in new)):
                for haplotype, edits in zip(self._haplotypes, event, strict=True):
                    haplotype.add(edits)
                extents += new
        first, second = (tuple(haplotype.edits()) for haplotype in self._haplotypes)
        return Spiked((first, second), tuple(sorted(extents)))

    def _fits(self, start: int, end: int) -> bool:
        """Whether an event may have [start, end); then it has it."""
        low = max(start - APART - self._stretch.start, 0)
        high = min(end + APART - self._stretch.start, len(self._stretch.bases))
        if self._taken[high] > self._taken[low]:
            return False
        index = bisect_left(self._placed, (start, end))
        gaps = [start - self._placed[index - 1][1]] if index else []
        gaps += [self._placed[index][0] - end] if index < len(self._placed) else []
        nearest = min(gaps, default=SPACING)
        if nearest < SPACING and (nearest < CLOSE or self._rng.random() >= self._close_share):
            return False
        self._placed.insert(index, (start, end))
        return True
