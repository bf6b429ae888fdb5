"""Lengths of real indels, by the unit that they repeat, taken from a VCF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from varcall.errors import InputError
from varcall.simulate.edits import MAX_EDIT
from varcall.simulate.repeats import MAX_UNIT


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Indels of real people.

    Attributes
    ----------
    changes
        Unit length -> int64 [n]: units gained (above 0) or lost by each indel that consists of
        copies of a unit so long, 1 to `MAX_UNIT` bases.
    lengths
        int64 [n]: bases of all indels.
    """

    changes: Mapping[int, np.ndarray]
    lengths: np.ndarray

    def length(self, rng: np.random.Generator) -> int:
        """Bases of an indel."""
        return int(rng.choice(self.lengths))

    def units(self, unit: int, rng: np.random.Generator) -> tuple[int, bool]:
        """Units that a tract of this unit changes by, and whether it loses them."""
        known = self.changes.get(unit)
        if known is None:
            return 1, bool(rng.random() < 0.5)
        change = int(rng.choice(known))
        return abs(change), change < 0


def read_spectrum(vcfs: tuple[Path, ...]) -> Spectrum:
    """Measure the indels of VCFs, each ALT once.

    Raises
    ------
    InputError
        If a VCF cannot be read, or if they hold no indel.
    """
    changes: dict[int, list[int]] = {}
    lengths = []
    for vcf in vcfs:
        for indel, is_loss in _indels(vcf):
            unit = repeated_unit(indel)
            lengths.append(len(indel))
            if unit <= MAX_UNIT:
                gained = len(indel) // unit
                changes.setdefault(unit, []).append(-gained if is_loss else gained)
    if not lengths:
        raise InputError(f"{', '.join(map(str, vcfs))}: no insertions or deletions to learn from")
    arrays = {unit: np.array(found, np.int64) for unit, found in sorted(changes.items())}
    return Spectrum(arrays, np.array(lengths, np.int64))


def _indels(vcf: Path) -> list[tuple[str, bool]]:
    """The inserted or deleted bases of each plain indel, and whether they are deleted."""
    found = []
    # Old truth sets declare PS as they please.
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(vcf)) as file:
            for record in file:
                ref = record.ref or ""
                for alt in record.alts or ():
                    short, long = sorted((ref, alt), key=len)
                    indel = long[len(short) :]
                    plain = len(short) == 1 and long.startswith(short) and set(long) <= set("ACGT")
                    if indel and plain and len(indel) <= MAX_EDIT:
                        found.append((indel, long == ref))
    except (OSError, ValueError) as error:
        raise InputError(f"{vcf} cannot be read ({error}): give a VCF or BCF") from error
    finally:
        pysam.set_verbosity(verbosity)
    return found


def repeated_unit(bases: str) -> int:
    """The shortest length whose copies make up `bases`.

    >>> repeated_unit("ACACAC"), repeated_unit("AAC"), repeated_unit("TT")
    (2, 3, 1)
    """
    return next(n for n in range(1, len(bases) + 1) if bases[:n] * (len(bases) // n) == bases)
