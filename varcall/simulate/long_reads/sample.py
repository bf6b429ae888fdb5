"""Everything of a long-read sample between its genome and its unsorted reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from varcall.errors import InputError, UsageError
from varcall.formats.simulated_origin import FIRST_HIDDEN_COPY
from varcall.simulate.edits import Haplotype
from varcall.simulate.genome import Genome, Molecule, spell
from varcall.simulate.long_reads.library import (
    CHEMISTRIES,
    LongLibrary,
    draw_long_library,
    typical_long_library,
)
from varcall.simulate.long_reads.mapping import LongMapper, minimap2_index
from varcall.simulate.mutation import Mutator

LONG_MAPPERS = ("auto", "minimap2", "exact")
LONG_LIBRARIES = ("random", "typical")
#: Shortest and longest hidden copy, in bases (log-uniform), and its divergence: those of segmental
#: duplications that a reference lacks.
_COPY_SIZE, _COPY_DIVERGENCE = (15_000, 80_000), (0.002, 0.03)


def check_platform(platform: str, mapper: str, library: str) -> None:
    """Refuse a platform, a mapper or a library that long reads do not have.

    Raises
    ------
    UsageError
        If one is unknown.
    """
    if platform not in CHEMISTRIES:
        names = ", ".join(("illumina", *CHEMISTRIES))
        raise UsageError(f"platform {platform} is unknown: choose {names}")
    if mapper not in LONG_MAPPERS:
        raise UsageError(
            f"mapper {mapper} does not map long reads: choose {', '.join(LONG_MAPPERS)}"
        )
    if library not in LONG_LIBRARIES:
        raise UsageError(
            f"library {library} is none of long reads: choose {', '.join(LONG_LIBRARIES)}"
        )


def open_long_mapper(
    reference: Path, platform: str, mapper: str, directory: Path, threads: int
) -> LongMapper:
    """Index the reference, or say that reads are placed exactly.

    Raises
    ------
    InputError
        If minimap2 is asked for and missing, or cannot index the reference.
    """
    found = shutil.which("minimap2") is not None
    if mapper == "minimap2" and not found:
        raise InputError("minimap2 is not on PATH: install it, or use the exact mapper")
    used = found and mapper != "exact"
    index = minimap2_index(reference, platform, directory) if used else None
    return LongMapper(index, directory, threads)


def choose_library(
    platform: str,
    kind: str,
    depth: tuple[float, float],
    paralog_rate: float,
    rng: np.random.Generator,
) -> LongLibrary:
    """The library of a sample: ``random`` or ``typical``."""
    if kind == "typical":
        return typical_long_library(platform, sum(depth) / 2)
    return draw_long_library(platform, rng, depth, paralog_rate)


def hidden_copy(genome: Genome, origin: int, rng: np.random.Generator) -> Molecule | None:
    """A diverged copy of part of the stretch, longer than most reads, that the reference lacks.

    None where the stretch is too short or has gaps.
    """
    low, high = np.log(_COPY_SIZE)
    size = int(np.exp(rng.uniform(low, high)))
    if len(genome.reference) <= size:
        return None
    begin = int(rng.integers(0, len(genome.reference) - size))
    text = genome.reference[begin : begin + size]
    if "N" in text:
        return None
    copy = Haplotype()
    Mutator(text, 0, (copy, copy), rng).mutate(int(rng.uniform(*_COPY_DIVERGENCE) * size))
    return spell(text, 0, copy.edits(), float(rng.choice([1.0, 2.0])), origin)


def molecules_of(
    person: Genome, other: Genome, library: LongLibrary, rng: np.random.Generator
) -> list[Molecule]:
    """Molecules of a library: the person's, then another person's, then hidden copies."""
    molecules = [person.molecule(0), person.molecule(1)]
    if library.contamination > 0:
        molecules += other.contaminants()
    copies = [hidden_copy(person, FIRST_HIDDEN_COPY + i, rng) for i in range(library.paralogs)]
    return molecules + [copy for copy in copies if copy is not None]
