"""Which stretches of the reference a set of samples is simulated on."""

from collections.abc import Iterable, Sequence

import numpy as np

from varcall.errors import InputError
from varcall.inputs.contig_sequences import ContigSequences
from varcall.inputs.regions import Region

#: Bases simulated around each tile, so that its ends are covered like its middle.
FLANK = 1500


def overlapping(region: Region, others: Iterable[Region]) -> Region | None:
    """The first of ``others`` that shares a base with ``region``."""
    for other in others:
        if other.contig == region.contig and other.start < region.end and region.start < other.end:
            return other
    return None


def draw_tiles(
    genome: ContigSequences,
    regions: Sequence[Region],
    excluded: Sequence[Region],
    size: int,
    count: int,
    seed: int,
    flank: int = FLANK,
) -> list[Region]:
    """``count`` tiles of ``size`` bases, spread over ``regions`` in random order.

    Tiles, with ``flank`` bases on both sides, keep clear of ``excluded`` and of runs of N. No tile
    comes twice until all were used; then a shifted set begins. A longer list begins with the
    shorter one.

    Raises
    ------
    InputError
        If no tile fits.
    """
    rng = np.random.default_rng([seed, 0x7153])
    chosen: list[Region] = []
    turn = 0
    while len(chosen) < count:
        shift = int(rng.integers(0, size)) if turn else 0
        offered = [
            Region(region.contig, start, start + size)
            for region in regions
            for start in range(region.start + shift, region.end - size + 1, size)
        ]
        for i in rng.permutation(len(offered)):
            if len(chosen) < count and _usable(offered[i], genome, excluded, flank):
                chosen.append(offered[i])
        if not chosen:
            raise InputError(
                f"no stretch of {size} bases (and {flank} on both sides) is free of N and of the "
                "excluded regions: ask for smaller samples or more regions"
            )
        turn += 1
    return chosen


def _usable(tile: Region, genome: ContigSequences, excluded: Sequence[Region], flank: int) -> bool:
    low, high = tile.start - flank, tile.end + flank
    if low < 0 or high > genome.lengths[tile.contig]:
        return False
    if overlapping(Region(tile.contig, low, high), excluded) is not None:
        return False
    return "N" not in genome.fetch(tile.contig, low, high)
