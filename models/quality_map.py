"""A map from stated to observed GQ, for answers of each kind.

GQ = -10 log10 P(the answer is wrong). Where it is too low at one GQ and right at another, no
temperature corrects it, since that bends all of them together; a monotone line through a few knots
does. Answers of 0 copies err at another rate than answers of 1 or 2, so each kind has its own line.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

KNOTS = (10.0, 17.0, 24.0, 32.0)
"""Stated GQs that a fitted map bends at. Below the first, answers err often enough for the
temperature to be right; above the last, so seldom that nothing can be fitted to it."""

_LEAST_KNOT = 10.0
"""From here on the likeliest answer has nine tenths, and no map can make another one likelier."""


@dataclass(frozen=True, slots=True)
class QualityMap:
    """A piecewise linear, monotone map of GQ; the identity outside its first and last knot.

    Attributes
    ----------
    stated
        GQs at the knots, ascending from 10 or more.
    hom_ref, variant
        What they are worth in answers of 0 copies, and of 1 or 2. The outermost are as stated, so
        that the line has no jump.
    """

    stated: tuple[float, ...] = KNOTS
    hom_ref: tuple[float, ...] = KNOTS
    variant: tuple[float, ...] = KNOTS

    def __post_init__(self) -> None:
        """Refuse numbers that make no such map."""
        for found in (self.hom_ref, self.variant):
            if not self._is_map(found):
                raise ModelError(f"The quality map in the weights is broken: {self.to_mapping()}.")

    def _is_map(self, found: tuple[float, ...]) -> bool:
        stated = self.stated
        if len(stated) < 2 or len(found) != len(stated):
            return False
        if not all(isfinite(number) for number in (*stated, *found)) or stated[0] < _LEAST_KNOT:
            return False
        if found[0] != stated[0] or found[-1] != stated[-1]:
            return False
        return bool((np.diff(stated) > 0).all() and (np.diff(found) >= 0).all())

    def apply(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return answers whose likeliest option errs as often as was observed, float32 [n, 3].

        The other two options share its error in the proportion they had. Which one is likeliest,
        and with it the genotype, stays.

        Parameters
        ----------
        probabilities
            float32 [n, 3]: P of 0, 1 and 2 copies.
        """
        answers = probabilities.argmax(axis=1)
        others = np.where(np.arange(3) == answers[:, None], 0.0, probabilities.astype(np.float64))
        error = others.sum(axis=1)
        low, high = (10 ** (-self.stated[end] / 10) for end in (-1, 0))
        rows = np.flatnonzero((error > low) & (error < high))
        stated, answers = -10 * np.log10(error[rows]), answers[rows]
        found = np.where(
            answers == 0,
            np.interp(stated, self.stated, self.hom_ref),
            np.interp(stated, self.stated, self.variant),
        )
        factor = 10 ** ((stated - found) / 10)
        mapped = others[rows] * factor[:, None]
        best = probabilities[rows, answers] + error[rows] * (1 - factor)
        mapped[np.arange(len(rows)), answers] = best
        result = probabilities.copy()
        result[rows] = mapped
        return result

    def to_mapping(self) -> dict[str, Any]:
        """Return the numbers as they stand in a weights file."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "QualityMap":
        """Read what `to_mapping` gave.

        Raises
        ------
        ModelError
            Where a number is missing or no number.
        """
        try:
            stated, hom_ref, variant = (
                tuple(float(number) for number in values[name])
                for name in ("stated", "hom_ref", "variant")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The quality map in the weights is broken: {error!r}.") from error
        return cls(stated, hom_ref, variant)
