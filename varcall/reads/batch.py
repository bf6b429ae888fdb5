"""What is known of the alignments of one window: flat arrays, which were left out, and why."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from pileup.kernels.reads.records import (
    N_REASONS,
)
from varcall.options import DEFAULT_EXCLUDE_FLAGS, DEFAULT_MIN_MAPQ

# Reads are capped per tile of their start, on an absolute grid, so that what is kept does not
# depend on windows, shards or regions. 6,000 reads of 150 bases a kilobase are 900x.
TILE = 1000
MAX_READS_PER_TILE = 6000
# Alignments without base qualities (SAM QUAL `*`) are given this one.
MISSING_QUALITY = 25


@dataclass(frozen=True, slots=True)
class ReadFilter:
    """Which alignments are used at all."""

    min_mapq: int = DEFAULT_MIN_MAPQ
    exclude_flags: int = DEFAULT_EXCLUDE_FLAGS
    max_reads_per_tile: int = MAX_READS_PER_TILE


@dataclass(slots=True)
class ReadCounts:
    """Alignments that start in the own part of a span: where a file is read in windows, in one.

    Attributes
    ----------
    placed, mapped
        All of them, and those that are mapped.
    skipped
        int64, those that are not used, by the reason numbers of `pileup.kernels.reads.records`.
    """

    placed: int = 0
    mapped: int = 0
    skipped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(N_REASONS, np.int64))


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """The alignments that overlap one span of a contig, ordered as in the file.

    Attributes
    ----------
    contig, start, end
        The span that was fetched, 0-based half-open.
    counts
        What was seen in the own part of the span.
    left_out
        int32 [end - start], reads over each position that the cap left out; None where it left out
        none.
    """

    contig: str
    start: int
    end: int
    arrays: ReadArrays
    counts: ReadCounts = field(default_factory=ReadCounts)
    left_out: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.arrays.read_start)

    def depth_factor(self, position: int) -> float:
        """Reads over a position of the span by reads kept there: 1 where the cap kept all."""
        if self.left_out is None:
            return 1.0
        more = int(self.left_out[position - self.start])
        reads = self.arrays
        kept = int(((reads.read_start <= position) & (reads.read_end > position)).sum())
        return 1.0 + more / max(1, kept)

    def depth_factors(self, start: int, end: int) -> NDArray[np.float64] | float:
        """Return `depth_factor` of each position of [start, end) of the span: float64, or 1."""
        if self.left_out is None:
            return 1.0
        reads = self.arrays
        kept = depth_of(
            reads.read_start.astype(np.int64), reads.read_end.astype(np.int64), start, end
        )
        return 1.0 + self.left_out[start - self.start : end - self.start] / np.maximum(1, kept)

    def moved(self, by: int) -> "ReadBatch":
        """Return the batch with its span and its reads moved along the contig."""
        reads = self.arrays
        places = {
            name: (getattr(reads, name) + by).astype(np.int32)
            for name in ("read_start", "read_end")
        }
        return replace(
            self, start=self.start + by, end=self.end + by, arrays=reads._replace(**places)
        )

    def covering(self, position: int) -> int:
        """Fragments over a position of the span, scaled up where the cap left some out."""
        reads = self.arrays
        over = (reads.read_start <= position) & (reads.read_end > position)
        return round(self.depth_factor(position) * len(np.unique(reads.fragment[over])))

    def subset(self, keep: NDArray[np.bool_]) -> "ReadBatch":
        """Return the batch with only the reads where `keep` (bool [n]) is true."""
        return replace(self, arrays=self.arrays.take(np.flatnonzero(keep)))


def tiles_around(start: int, end: int) -> tuple[int, int]:
    """Return the span to look at for the reads of a span: whole tiles, and one before.

    They make the cap independent of the window.
    """
    return max(0, (start // TILE - 1) * TILE), -(-end // TILE) * TILE


def depth_of(
    read_start: NDArray[np.int64], read_end: NDArray[np.int64], start: int, end: int
) -> NDArray[np.int32]:
    """Count the reads over each position of [start, end): int32."""
    steps = np.bincount(np.clip(read_start, start, end) - start, minlength=end - start + 1)
    steps -= np.bincount(np.clip(read_end, start, end) - start, minlength=end - start + 1)
    return np.cumsum(steps[:-1], dtype=np.int32)
