"""How many copies of each base a sample has, and the BED files that say so.

Coordinates are 0-based half-open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from varcall.errors import InputError
from varcall.inputs.regions import BedInterval, Region, merge_regions, read_intervals

PLOIDIES = (0, 1, 2)
"""Ploidies that can be asked for; nothing is called where it is 0."""


@dataclass(frozen=True, slots=True)
class PloidyMap:
    """The ploidy of every base: of a site it is that of its first base, whatever the window.

    Attributes
    ----------
    usual
        Ploidy where nothing else is said.
    contigs
        Ploidy of contigs with another one.
    spans
        Start, end and ploidy of spans with yet another one, by contig: sorted, without overlaps.
    """

    usual: int = 2
    contigs: Mapping[str, int] = field(default_factory=dict)
    spans: Mapping[str, tuple[tuple[int, int, int], ...]] = field(default_factory=dict)

    def at(self, contig: str, positions: NDArray[np.integer]) -> NDArray[np.int8]:
        """Return the ploidy at each of n positions of a contig, int8 [n]."""
        ploidy = np.full(len(positions), self.contigs.get(contig, self.usual), np.int8)
        for start, end, copies in self.spans.get(contig, ()):
            ploidy[(positions >= start) & (positions < end)] = copies
        return ploidy

    def pieces(self, region: Region) -> list[tuple[Region, int]]:
        """Cut a region where its ploidy changes; return the pieces with theirs, in order."""
        spans = self.spans.get(region.contig, ())
        borders = {region.start, region.end, *(at for span in spans for at in span[:2])}
        inside = sorted(at for at in borders if region.start <= at <= region.end)
        starts = np.array(inside[:-1], np.int64)
        ploidies = self.at(region.contig, starts).tolist()
        return [
            (Region(region.contig, start, end), ploidy)
            for (start, end), ploidy in zip(pairwise(inside), ploidies, strict=True)
        ]

    def called(self, regions: Iterable[Region], contigs: Mapping[str, int]) -> tuple[Region, ...]:
        """Return what is left of regions without the bases of ploidy 0; `contigs` orders them."""
        kept = [piece for region in regions for piece, ploidy in self.pieces(region) if ploidy > 0]
        return merge_regions(kept, contigs)


def read_ploidy_bed(
    path: Path, contigs: Mapping[str, int]
) -> dict[str, tuple[tuple[int, int, int], ...]]:
    """Read the spans of a BED whose fourth column is a ploidy, as `PloidyMap.spans` has them.

    Raises
    ------
    InputError
        The file cannot be read, is no BED, has no ploidy of 0, 1 or 2 in its fourth column, names
        no known contig, or says two things of one base.
    """
    intervals = read_intervals(path, contigs, "ploidy BED")
    if not intervals:
        raise InputError(
            f"ploidy BED {path} holds no interval: write lines of contig, start, end and ploidy"
        )
    found: dict[str, list[tuple[int, int, int, BedInterval]]] = {}
    for interval in intervals:
        region = interval.region
        span = region.start, region.end, _ploidy_of(interval), interval
        found.setdefault(region.contig, []).append(span)
    for spans in found.values():
        spans.sort(key=lambda span: span[:2])
        for (_, end, ploidy, first), (start, _, other, second) in pairwise(spans):
            if start < end:
                raise InputError(
                    f"{second.where} overlaps {first.where.partition(' of ')[0]} (ploidy {ploidy} "
                    f"and {other}): give each base one ploidy"
                )
    return {name: tuple(span[:3] for span in spans) for name, spans in found.items()}


def _ploidy_of(interval: BedInterval) -> int:
    text = interval.columns[0].strip() if interval.columns else ""
    if text not in map(str, PLOIDIES):
        said = f"has ploidy {text!r}" if text else "has no ploidy"
        raise InputError(
            f"{interval.where} {said}: the fourth column of a ploidy BED must be 0, 1 or 2"
        )
    return int(text)


def read_par_bed(
    path: Path, contigs: Mapping[str, int], allowed: Iterable[str]
) -> dict[str, tuple[tuple[int, int], ...]]:
    """Read the pseudo-autosomal regions of X and Y, by contig, sorted and joined.

    Parameters
    ----------
    allowed
        Names of X and Y.

    Raises
    ------
    InputError
        The file cannot be read, is no BED, holds no region or one of another contig.
    """
    intervals = read_intervals(path, contigs, "PAR BED")
    if not intervals:
        raise InputError(f"PAR BED {path} holds no region: write the regions where X and Y pair")
    names = tuple(allowed)
    for interval in intervals:
        if interval.region.contig not in names:
            raise InputError(
                f"{interval.where} is on {interval.region.contig!r}, which is neither X nor Y "
                f"({', '.join(names)}): give other regions with --ploidy-bed"
            )
    par: dict[str, list[tuple[int, int]]] = {}
    for region in merge_regions((interval.region for interval in intervals), contigs):
        par.setdefault(region.contig, []).append((region.start, region.end))
    return {name: tuple(spans) for name, spans in par.items()}
