"""How deep each base of the reference is covered, counted as mosdepth does.

mosdepth (Pedersen & Quinlan 2018, doi:10.1093/bioinformatics/btx699) leaves out reads that are
unmapped, secondary, failed or duplicates, counts bases that are aligned to a base of the reference,
and the overlap of two mates once. Its `.mosdepth.global.dist.txt` says for each contig and each
depth which share of the bases is covered so deep or deeper.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from pileup.sam import (
    ALIGNS,
    CIGAR_MASK,
    CONSUMES_REFERENCE,
    FDUP,
    FQCFAIL,
    FSECONDARY,
    FUNMAP,
)
from varcall.inputs.open import Inputs, occupied_spans_of
from varcall.inputs.regions import Region, windows
from varcall.log import Progress
from varcall.options import DEFAULT_WINDOW
from varcall.reads.batch import MAX_READS_PER_TILE, TILE, ReadFilter
from varcall.reads.open import open_reads

#: Deeper bases are counted as this deep.
DEEPEST = 10_000
#: The name of all contigs together, as mosdepth has it.
TOTAL = "total"
# mosdepth leaves out levels without bases above this depth.
_ALWAYS_LISTED = 300
_EXCLUDED = FUNMAP | FSECONDARY | FQCFAIL | FDUP
_ALIGNED = np.isin(np.arange(CIGAR_MASK + 1), ALIGNS)
_ADVANCES = np.isin(np.arange(CIGAR_MASK + 1), CONSUMES_REFERENCE)


@dataclass(frozen=True, slots=True)
class Depths:
    """Bases by depth, of the contigs that have reads.

    Attributes
    ----------
    contigs
        int64 [DEEPEST + 1] by contig: bases that so many fragments cover.
    """

    contigs: Mapping[str, NDArray[np.int64]]

    @property
    def total(self) -> NDArray[np.int64]:
        """All contigs together: int64 [DEEPEST + 1]."""
        return sum(self.contigs.values(), np.zeros(DEEPEST + 1, np.int64))

    def mean(self, contig: str) -> float:
        """Mean depth of a contig's bases, those without reads too."""
        counts = self.contigs[contig]
        return float(counts @ np.arange(DEEPEST + 1) / counts.sum())

    def covered(self, contig: str) -> int:
        """Bases of a contig with any read."""
        return int(self.contigs[contig][1:].sum())

    def mean_of_covered(self, contig: str) -> float:
        """Mean depth of the bases with any read; 0 where there are none."""
        counts = self.contigs[contig][1:]
        return float(counts @ np.arange(1, DEEPEST + 1) / max(1, counts.sum()))


def measure_depths(inputs: Inputs) -> Depths:
    """Read all reads of the sample once and count each base's depth.

    Raises
    ------
    InputError
        The reads cannot be read.
    """
    # A cap would cut the depths that are counted.
    read_filter = ReadFilter(0, _EXCLUDED, TILE * MAX_READS_PER_TILE)
    contigs: dict[str, NDArray[np.int64]] = {}
    spans = [Region(*span) for span in occupied_spans_of(inputs, TILE)]
    todo = list(windows(spans, DEFAULT_WINDOW))
    with open_reads(inputs) as source, Progress(len(todo)) as progress:
        for window in todo:
            batch = source.load(
                window.contig, window.start, window.end, read_filter, inputs.read_groups
            )
            depth = fragment_depth(batch.arrays, window.start, window.end)
            counts = contigs.setdefault(window.contig, np.zeros(DEEPEST + 1, np.int64))
            counts += np.bincount(np.minimum(depth, DEEPEST), minlength=DEEPEST + 1)
            progress.advance(str(window))
    for contig, counts in contigs.items():
        counts[0] += inputs.contigs[contig] - counts.sum()
    return Depths({contig: counts for contig, counts in contigs.items() if counts[1:].any()})


def fragment_depth(reads: ReadArrays, start: int, end: int) -> NDArray[np.int64]:
    """Count the fragments with a base on each position of [start, end): int64 [end - start]."""
    owner = np.repeat(np.arange(len(reads.read_start)), np.diff(reads.cigar_offset))
    length = reads.cigar_length.astype(np.int64)
    sums = np.concatenate([[0], np.cumsum(np.where(_ADVANCES[reads.cigar_op], length, 0))])
    first = reads.read_start[owner] + sums[:-1] - sums[reads.cigar_offset[:-1]][owner]
    aligned = _ALIGNED[reads.cigar_op]
    fragment = reads.fragment[owner][aligned].astype(np.int64)
    low = np.clip(first[aligned], start, end) - start
    high = np.clip((first + length)[aligned], start, end) - start
    # Sorted by fragment and start, a stretch counts from where the fragment's earlier ones end;
    # the fragment's number above the position makes one running maximum serve all fragments.
    size = end - start + 1
    low, high = low + fragment * size, high + fragment * size
    order = np.argsort(low, kind="stable")
    low, high = low[order], high[order]
    before = np.concatenate([[0], np.maximum.accumulate(high)[:-1]]) if len(high) else high
    low = np.minimum(np.maximum(low, before), np.maximum(high, low))
    new = high > low
    steps = np.bincount(low[new] % size, minlength=size)
    steps -= np.bincount(high[new] % size, minlength=size)
    return np.cumsum(steps)[:-1]


def mosdepth_lines(depths: Depths) -> Iterator[str]:
    """Spell the lines of a `.mosdepth.global.dist.txt`: contig, depth, share, the deepest first."""
    for name, counts in (*depths.contigs.items(), (TOTAL, depths.total)):
        size, deeper = int(counts.sum()), 0
        for depth in range(DEEPEST, -1, -1):
            count = int(counts[depth])
            deeper += count
            if deeper and (count or depth <= _ALWAYS_LISTED):
                yield f"{name}\t{depth}\t{deeper / size:.5f}\n"
