"""Which contigs are X, Y and the mitochondrial genome, and where X and Y pair.

Builds are recognised by the lengths of their contigs: names say neither build nor species.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

Spans = tuple[tuple[int, int], ...]
"""Spans of one contig, 0-based half-open."""


class _Known(NamedTuple):
    """A contig of a known build: its length, and its pseudo-autosomal regions."""

    build: str
    length: int
    par: Spans


# Pseudo-autosomal regions 1 and 2 from the assemblies' assembly_regions.txt at NCBI; those of
# CHM13v2.0 from its release notes (marbl/CHM13, chrXY_sequence_class). Both are 1-based inclusive
# there: X of GRCh37 has 60001-2699520.
_X = (
    _Known("GRCh37", 155_270_560, ((60_000, 2_699_520), (154_931_043, 155_260_560))),
    _Known("GRCh38", 156_040_895, ((10_000, 2_781_479), (155_701_382, 156_030_895))),
    _Known("CHM13v2", 154_259_566, ((0, 2_394_410), (153_925_834, 154_259_566))),
)
_Y = (
    _Known("GRCh37", 59_373_566, ((10_000, 2_649_520), (59_034_049, 59_363_566))),
    _Known("GRCh38", 57_227_415, ((10_000, 2_781_479), (56_887_902, 57_217_415))),
    _Known("CHM13v2", 62_460_029, ((0, 2_458_320), (62_122_809, 62_460_029))),
)
BUILDS = tuple(known.build for known in _X)

# Names where the length is none of those above.
X_NAMES, Y_NAMES = ("X", "chrX"), ("Y", "chrY")
# The rCRS (16,569 bases) and the older sequence of UCSC's hg19 (NC_001807, 16,571).
_MITOCHONDRIAL_NAMES = frozenset(
    ("chrM", "MT", "chrMT", "M", "NC_012920.1", "NC_012920", "rCRS", "NC_001807.4", "NC_001807")
)
_MITOCHONDRIAL_LENGTHS = (16_569, 16_571)


@dataclass(frozen=True, slots=True)
class SexChromosome:
    """X or Y among the contigs: its name, its build and where it pairs; None where unknown."""

    name: str
    build: str | None = None
    par: Spans | None = None


def find_x(contigs: Mapping[str, int]) -> SexChromosome | None:
    """Find X among names and lengths of contigs."""
    return _find(contigs, _X, X_NAMES)


def find_y(contigs: Mapping[str, int]) -> SexChromosome | None:
    """Find Y among names and lengths of contigs."""
    return _find(contigs, _Y, Y_NAMES)


def _find(
    contigs: Mapping[str, int], known: tuple[_Known, ...], names: tuple[str, ...]
) -> SexChromosome | None:
    by_length = {one.length: one for one in known}
    for name, length in contigs.items():
        if length in by_length:
            return SexChromosome(name, by_length[length].build, by_length[length].par)
    return next((SexChromosome(name) for name in names if name in contigs), None)


def circular_contigs(ours: Mapping[str, int], header: Mapping[str, int]) -> frozenset[str]:
    """Return the contigs that are circles: the mitochondrial genome, where all of it is there.

    Parameters
    ----------
    ours, header
        Names and lengths of the contigs in the reference and in the header of the reads.
    """
    return frozenset(
        name
        for name, length in ours.items()
        if is_mitochondrial(name, length) and header.get(name) == length
    )


def is_mitochondrial(name: str, length: int) -> bool:
    """Tell whether a contig is the human mitochondrial genome, by its name and its length."""
    return name in _MITOCHONDRIAL_NAMES and length in _MITOCHONDRIAL_LENGTHS
