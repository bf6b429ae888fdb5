"""Which stretches of the reference are simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from varcall.errors import InputError

#: Simulated around each tile, so that its ends are covered like its middle.
FLANK = 1500
#: Largest share of N in a tile with its flanks.
MAX_N_SHARE = 0.0


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A stretch to simulate, 0-based half-open."""

    contig: str
    start: int
    end: int


def read_bed(path: Path) -> list[Tile]:
    """Intervals of a BED file.

    Raises
    ------
    InputError
        If the file cannot be read or a line is no interval.
    """
    tiles = []
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or fields[0] in ("track", "browser") or fields[0].startswith("#"):
            continue
        try:
            tile = Tile(fields[0], int(fields[1]), int(fields[2]))
        except (IndexError, ValueError) as error:
            raise InputError(f"{path} line {number} is not contig, start, end") from error
        tiles.append(tile)
    return tiles


def parse_region(text: str, contigs: dict[str, int]) -> Tile:
    """A region string (``contig`` or ``contig:start-end``, 1-based inclusive) as a tile.

    Raises
    ------
    InputError
        If the contig is unknown or the region lies outside it.
    """
    if text in contigs:
        return Tile(text, 0, contigs[text])
    contig, _, span = text.rpartition(":")
    first, _, last = span.replace(",", "").partition("-")
    if contig not in contigs or not first.isdigit() or not (last.isdigit() or not last):
        raise InputError(f"region {text} is not contig:start-end on a contig of the reference")
    start, end = int(first) - 1, int(last) if last else contigs[contig]
    if not 0 <= start < end <= contigs[contig]:
        raise InputError(f"region {text} is outside {contig}, which has {contigs[contig]} bases")
    return Tile(contig, start, end)


def draw_tiles(
    genome: pysam.FastaFile,
    regions: Sequence[Tile],
    excluded: Sequence[Tile],
    size: int,
    count: int,
    seed: int,
) -> list[Tile]:
    """``count`` tiles of ``size`` bases, spread over ``regions`` in random order.

    Tiles and their flanks keep clear of ``excluded`` and of runs of N. No tile comes twice until
    all were used; then a shifted set begins.

    Raises
    ------
    InputError
        If no tile fits.
    """
    rng = np.random.default_rng([seed, 0x7153])
    chosen: list[Tile] = []
    for turn in range(1000):
        shift = int(rng.integers(0, size)) if turn else 0
        offered = [
            Tile(region.contig, start, start + size)
            for region in regions
            for start in range(region.start + shift, region.end - size + 1, size)
        ]
        for i in rng.permutation(len(offered)):
            if len(chosen) == count:
                return chosen
            if _usable(offered[i], genome, excluded):
                chosen.append(offered[i])
        if not chosen:
            break
    raise InputError(f"no stretch of {size} bases is free of N and of the excluded regions")


def _usable(tile: Tile, genome: pysam.FastaFile, excluded: Sequence[Tile]) -> bool:
    low, high = tile.start - FLANK, tile.end + FLANK
    if low < 0 or high > genome.get_reference_length(tile.contig):
        return False
    if any(e.contig == tile.contig and e.start < high and low < e.end for e in excluded):
        return False
    return genome.fetch(tile.contig, low, high).upper().count("N") <= MAX_N_SHARE * (high - low)
