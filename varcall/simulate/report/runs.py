"""Homopolymers: lengths that reads show for them, and what becomes of a read after one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.reads.library import shown_lengths
from pileup.sam import CDEL, CINS
from varcall.evidence.window import WindowReads
from varcall.simulate.repeats import find_tracts
from varcall.simulate.report.bases import (
    VARIANT_COUNT,
    VARIANT_FRACTION,
    AlignedBases,
    aligned_bases,
    operation_positions,
    variant_positions,
)
from varcall.simulate.report.chunk import GOOD_MAPQ, Metrics, ratio, used_reads

SLIPPAGE_STEPS = ((6, 8), (9, 11), (12, 14), (15, 17), (18, 30))
_FLANK, _MAX_CHANGE, _MIN_DEPTH, _HET_SHARE = 5, 10, 6, 0.25
#: Runs from this length count for the share of gains.
_LONG_RUN = 9
AFTER_STEPS = ((6, 9), (10, 12), (13, 16), (17, 40))
#: Bases after a run that are looked at.
_AFTER = 40
_LOW_QUALITY = 20
#: An indel outside repeats that more reads show is taken for a variant.
_MAX_INDEL_READS = 2
_KINDS = ((CINS, "insertions"), (CDEL, "deletions"))


class _Runs(NamedTuple):
    """Homopolymers inside a chunk, 0-based half-open on the contig."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]

    def of_length(self, step: tuple[int, int]) -> NDArray[np.bool_]:
        size = self.end - self.start
        return np.asarray((size >= step[0]) & (size <= step[1]))


class RunTally:
    """What is counted by homopolymer."""

    def __init__(self) -> None:
        self._spanning = np.zeros(len(SLIPPAGE_STEPS), np.int64)
        self._slipped = np.zeros(len(SLIPPAGE_STEPS), np.int64)
        self._changed = self._longer = self._far = 0
        self._after = np.zeros((len(AFTER_STEPS), 3), np.int64)  # bases, wrong, of low quality
        self._indels = self._outside = self._bases = 0
        self._events = np.zeros((len(_KINDS), 2), np.int64)  # insertions, deletions; and bases

    def add(self, chunk: WindowReads) -> None:
        """Take the runs in the chunk, and the indels outside repeats."""
        tracts = find_tracts(chunk.reference.codes)
        start, end = tracts.start + chunk.reference.start, tracts.end + chunk.reference.start
        inside = (tracts.unit == 1) & (start >= chunk.start) & (end <= chunk.end)
        runs = _Runs(start[inside], end[inside])
        used = used_reads(chunk, GOOD_MAPQ)
        bases = aligned_bases(chunk.reads.arrays, used, chunk.start, chunk.end)
        self._add_lengths(chunk, runs, used)
        self._add_after(chunk, runs, bases)
        self._add_indels(chunk, _Runs(start, end), used, bases)
        self._add_events(chunk, used, bases)

    def _add_lengths(self, chunk: WindowReads, runs: _Runs, used: NDArray[np.bool_]) -> None:
        histogram = np.zeros((len(runs.start), 2 * _MAX_CHANGE + 1), np.int32)
        run_base = chunk.reference.codes[runs.start - chunk.reference.start]
        shown_lengths(chunk.reads.arrays, used, runs.start, runs.end, run_base, _FLANK, histogram)
        depth, ranked = histogram.sum(1), np.sort(histogram, axis=1)
        usable = (depth >= _MIN_DEPTH) & (ranked[:, -2] < _HET_SHARE * depth)
        for number, step in enumerate(SLIPPAGE_STEPS):
            here = usable & runs.of_length(step)
            self._spanning[number] += depth[here].sum()
            self._slipped[number] += (depth - ranked[:, -1])[here].sum()
        long = usable & (runs.end - runs.start >= _LONG_RUN)
        change = np.arange(histogram.shape[1])[None, :] - histogram.argmax(1)[:, None]
        shown = histogram[long]
        self._changed += int(shown[change[long] != 0].sum())
        self._longer += int(shown[change[long] > 0].sum())
        self._far += int(shown[abs(change[long]) > 1].sum())

    def _add_after(self, chunk: WindowReads, runs: _Runs, bases: AlignedBases) -> None:
        """Count errors and low qualities just after a run that the read has come through."""
        reads, origin = chunk.reads.arrays, chunk.reference.start
        column = bases.position - origin
        codes = chunk.reference.codes
        usable = ~variant_positions(bases, chunk.reference)[column]
        usable &= (codes[column] < UNKNOWN_BASE) & (bases.base < UNKNOWN_BASE)
        wrong = bases.base != codes[column]
        for number, step in enumerate(AFTER_STEPS):
            chosen = runs.of_length(step)
            after_forward, after_reverse = _nearest(
                runs.start[chosen] - origin, runs.end[chosen] - origin, len(codes)
            )
            entry = np.where(bases.reverse, after_reverse[column], after_forward[column])
            # The read must have read the run's far end as well, not begun inside it.
            entered = np.where(
                bases.reverse,
                reads.read_end[bases.read] - origin >= entry,
                reads.read_start[bases.read] - origin <= entry,
            )
            here = usable & (entry >= 0) & entered
            self._after[number] += (
                int(here.sum()),
                int((here & wrong).sum()),
                int((here & (bases.quality < _LOW_QUALITY)).sum()),
            )

    def _add_indels(
        self, chunk: WindowReads, tracts: _Runs, used: NDArray[np.bool_], bases: AlignedBases
    ) -> None:
        """Count indels that few reads share, outside all repeats."""
        reads, origin = chunk.reads.arrays, chunk.reference.start
        # +1 where a repeat (with its neighbouring bases) begins, -1 behind its end.
        edges = np.zeros(len(chunk.reference.codes) + 2, np.int64)
        np.add.at(edges, np.maximum(tracts.start - origin - 1, 0), 1)
        np.add.at(edges, tracts.end - origin + 1, -1)
        outside = np.cumsum(edges) == 0
        owner, at = operation_positions(reads)
        chosen = np.isin(reads.cigar_op, (CINS, CDEL)) & used[owner]
        chosen &= (at >= chunk.start) & (at < chunk.end)
        places = at[chosen] - origin
        _, counts = np.unique(places[outside[places]], return_counts=True)
        self._indels += int(counts[counts <= _MAX_INDEL_READS].sum())
        self._outside += int(outside[bases.position - origin].sum())

    def _add_events(self, chunk: WindowReads, used: NDArray[np.bool_], bases: AlignedBases) -> None:
        """Count insertions and deletions anywhere, but where they look like variants."""
        reads = chunk.reads.arrays
        owner, at = operation_positions(reads)
        depth = np.bincount(bases.position - chunk.start, minlength=chunk.end - chunk.start)
        for row, (operation, _) in enumerate(_KINDS):
            chosen = (reads.cigar_op == operation) & used[owner]
            chosen &= (at >= chunk.start) & (at < chunk.end)
            place, size = at[chosen] - chunk.start, reads.cigar_length[chosen].astype(np.int64)
            _, same, count = np.unique(place << 32 | size, return_inverse=True, return_counts=True)
            shared = count[same]
            errors = (shared < VARIANT_COUNT) | (shared < VARIANT_FRACTION * depth[place])
            self._events[row] += int(errors.sum()), int(size[errors].sum())
        self._bases += len(bases.position)

    def metrics(self) -> dict[str, Metrics]:
        """Sum up."""
        slippage = {
            f"run of {low}-{high}": ratio(int(self._slipped[row]), int(self._spanning[row]))
            for row, (low, high) in enumerate(SLIPPAGE_STEPS)
        }
        slippage[f"share of gains, runs of {_LONG_RUN} and more"] = ratio(
            self._longer, self._changed
        )
        slippage["share off by more than one"] = ratio(self._far, self._changed)
        after = {
            f"{what}, run of {low}-{high}": ratio(int(self._after[row, column]), int(seen))
            for column, what in ((1, "error rate"), (2, f"share below Q{_LOW_QUALITY}"))
            for row, ((low, high), seen) in enumerate(
                zip(AFTER_STEPS, self._after[:, 0], strict=True)
            )
        }
        return {
            "slippage, share of reads": slippage,
            f"{_AFTER} bases after a homopolymer": after,
            "indel errors": self._indel_metrics(),
        }

    def _indel_metrics(self) -> Metrics:
        """Rates of insertions and deletions that do not look like variants."""
        result = {"per Mb, outside repeats": ratio(1e6 * self._indels, self._outside)}
        for (_, name), (events, bases) in zip(_KINDS, self._events.tolist(), strict=True):
            result[f"{name} per Mb"] = ratio(1e6 * events, self._bases)
            result[f"bases of {name} per Mb"] = ratio(1e6 * bases, self._bases)
        return result


def _nearest(
    start: NDArray[np.int64], end: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Mark the columns just after runs, for reads of the forward and of the reverse strand.

    Returns int64 [size] twice: where a read entered the run (its start; for the reverse strand its
    end), -1 where no run lies within `_AFTER` bases behind.
    """
    forward, reverse = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for low, high in zip(start.tolist(), end.tolist(), strict=True):
        forward[high : high + _AFTER] = low
        reverse[max(0, low - _AFTER) : low] = high
    return forward, reverse
