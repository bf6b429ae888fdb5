"""The sex of a sample, from the depth of X against the autosomes and from the reads of Y.

Depth is measured where reads are, so that gaps (exomes, slices of a genome) do not count: of a base
of a read, how many other reads lie over it. Pooled by cells, of which the weighted median is taken,
neither collapsed repeats nor targets that are captured badly move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from varcall.inputs.open import Inputs, occupied_spans_of
from varcall.inputs.regions import Region
from varcall.inputs.sex_chromosomes import SexChromosome, is_mitochondrial
from varcall.options import DEFAULT_EXCLUDE_FLAGS
from varcall.reads.batch import ReadFilter, depth_of
from varcall.reads.loader import RecordReads
from varcall.reads.open import open_reads

MALE, FEMALE, UNKNOWN = "male", "female", "unknown"

# Depth of X over that of the autosomes: 1/2 and 1 are expected. What lies between, and what lies
# beyond, is a mosaic, a contamination, or a capture that treats X otherwise.
_MALE_X, _FEMALE_X = (0.35, 0.65), (0.8, 1.25)
# Reads of Y for each of X, of MAPQ 20 and more: males have 0.08 to 0.2 (some 12 Mb of Y are
# unique, X has 155), females 0.001 to 0.005, from what X and Y share outside the PAR.
_MOST_WITHOUT_Y, _LEAST_WITH_Y = 0.01, 0.03

CELL = 8192  # bases looked at in one place
_MOST_CELLS = 128  # of X, of Y and of the autosomes each
_LEAST_CELLS, _LEAST_READS = 8, 250
# The shortest human autosome has 45 Mb (21 of CHM13), the longest decoy of hs37d5 35 Mb.
_LEAST_AUTOSOME = 40_000_000
_SURE = ReadFilter(min_mapq=20, exclude_flags=DEFAULT_EXCLUDE_FLAGS)


@dataclass(frozen=True, slots=True)
class SexEvidence:
    """What the reads tell of a sample's sex.

    Attributes
    ----------
    sex
        MALE, FEMALE, or UNKNOWN where they do not tell.
    x_depth
        Depth of X, outside the PAR, by that of the autosomes; NaN where it was not measured.
    y_reads
        Reads of Y, outside the PAR, for each of X; NaN where X has none or Y is not there.
    why
        In words.
    """

    sex: str
    x_depth: float
    y_reads: float
    why: str


@dataclass(frozen=True, slots=True)
class _Measured:
    """Cells with reads and reads in the cells looked at; depth, and reads of all such cells."""

    cells: int
    reads: int
    depth: float
    all_reads: float

    @property
    def is_enough(self) -> bool:
        """Whether there is enough to tell a depth."""
        return self.cells >= _LEAST_CELLS and self.reads >= _LEAST_READS


def measure_sex(inputs: Inputs, x: SexChromosome | None, y: SexChromosome | None) -> SexEvidence:
    """Look at X, Y and the autosomes of the whole file, whatever is to be called.

    Raises
    ------
    InputError
        The reads cannot be read.
    """
    if x is None:
        return SexEvidence(UNKNOWN, nan, nan, "there is no contig X")
    ours = {one.name for one in (x, y) if one is not None}
    autosomes = {
        name
        for name, length in inputs.header_contigs.items()
        if length >= _LEAST_AUTOSOME and name not in ours and not is_mitochondrial(name, length)
    }
    with open_reads(inputs) as source:
        of_autosomes = _measure(source, inputs, autosomes, ())
        of_x = _measure(source, inputs, {x.name}, x.par or ())
        of_y = _measure(source, inputs, {y.name} if y else set(), (y.par if y else None) or ())
    for what, measured in (("the autosomes", of_autosomes), ("X", of_x)):
        if not measured.is_enough:
            return SexEvidence(UNKNOWN, nan, nan, f"too few reads lie on {what}")
    x_depth = of_x.depth / of_autosomes.depth if of_autosomes.depth else nan
    y_reads = of_y.all_reads / of_x.all_reads if of_y.reads else nan
    sex, doubt = _judge(x_depth, y_reads)
    y_text = "no reads on Y" if np.isnan(y_reads) else f"{y_reads:.3f} reads on Y for each on X"
    return SexEvidence(
        sex, x_depth, y_reads, f"X has {x_depth:.2f} of the autosomes' depth, {y_text}{doubt}"
    )


def _judge(x_depth: float, y_reads: float) -> tuple[str, str]:
    """Return the sex, and what speaks against telling one."""
    if _MALE_X[0] <= x_depth <= _MALE_X[1]:
        # A file without any read on Y was cut, or aligned to a reference without Y.
        contradicts = y_reads < _LEAST_WITH_Y
        return (UNKNOWN, ", too few for a male") if contradicts else (MALE, "")
    if _FEMALE_X[0] <= x_depth <= _FEMALE_X[1]:
        contradicts = y_reads > _MOST_WITHOUT_Y
        return (UNKNOWN, ", too many for a female") if contradicts else (FEMALE, "")
    return UNKNOWN, ", neither half nor all"


def _measure(
    source: RecordReads, inputs: Inputs, contigs: set[str], without: Sequence[tuple[int, int]]
) -> _Measured:
    """Measure cells spread evenly over the occupied parts of contigs, but for spans of them."""
    cells = [
        Region(contig, start, min(start + CELL, inputs.contigs[contig]))
        for contig, first, last in occupied_spans_of(inputs, CELL)
        if contig in contigs
        for start in range(first // CELL * CELL, last, CELL)
        if not any(low < start + CELL and start < high for low, high in without)
    ]
    count = min(len(cells), _MOST_CELLS)
    chosen = [cells[number * len(cells) // count] for number in range(count)]
    reads, depths, weights = 0, [], []
    for cell in chosen:
        batch = source.load(cell.contig, cell.start, cell.end, _SURE, inputs.read_groups)
        starts, ends = (
            values.astype(np.int64) for values in (batch.arrays.read_start, batch.arrays.read_end)
        )
        reads += int((starts >= cell.start).sum())
        depth = depth_of(starts, ends, cell.start, cell.end).astype(np.int64)
        if depth.any():
            # A base of a read is drawn as often as reads lie there; it is not one of the others.
            weights.append(int(depth.sum()))
            depths.append(float((depth * (depth - 1)).sum() / weights[-1]))
    all_reads = reads * len(cells) / count if count else 0.0
    return _Measured(len(depths), reads, _weighted_median(depths, weights), all_reads)


def _weighted_median(values: Sequence[float], weights: Sequence[int]) -> float:
    if not values:
        return 0.0
    order = np.argsort(values, kind="stable")
    below = np.cumsum(np.array(weights)[order])
    return float(np.array(values)[order][np.searchsorted(below, below[-1] / 2)])
