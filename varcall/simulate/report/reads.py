"""Lengths, pairs, mapping qualities, clips, insert sizes and depth of a sample's reads."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from pileup.codes import UNKNOWN_BASE
from pileup.sam import CSOFT_CLIP, FDUP, FPAIRED, FPROPER_PAIR
from varcall.evidence.window import WindowReads
from varcall.simulate.report.bases import aligned_bases
from varcall.simulate.report.chunk import MIN_MAPQ, Metrics, ratio, used_reads

_LONG_CLIP = 10
_MEAN_QUALITIES = (20, 25, 30, 35)
#: Percentiles of the lengths, beside the median.
_LENGTHS = (5, 25, 75, 95)
#: Bases over which depth and GC share are taken: longer than a read, shorter than an isochore.
DEPTH_WINDOW = 500
GC_STEPS = ((0.0, 0.35), (0.35, 0.45), (0.45, 0.55), (0.55, 1.0))


class ReadTally:
    """What is counted by read."""

    def __init__(self) -> None:
        self._columns: dict[str, list[NDArray[np.float64]]] = {}

    def add(self, chunk: WindowReads) -> None:
        """Take the reads that start in the chunk."""
        reads = chunk.reads.arrays
        own = (reads.read_start >= chunk.start) & (reads.read_start < chunk.end)
        owner = np.repeat(np.arange(len(own)), np.diff(reads.cigar_offset))
        is_clip = reads.cigar_op == CSOFT_CLIP
        clip = np.bincount(owner[is_clip], weights=reads.cigar_length[is_clip], minlength=len(own))
        size = np.diff(reads.base_offset)
        sums = np.concatenate([[0], np.cumsum(reads.qualities, dtype=np.int64)])
        quality = np.diff(sums[reads.base_offset]) / np.maximum(size, 1)
        for name, values in (
            ("mapq", reads.mapq),
            ("flag", reads.flag),
            ("length", size),
            ("clip", clip),
            ("template", reads.template_length),
            ("quality", quality),
        ):
            self._columns.setdefault(name, []).append(values[own].astype(np.float64))

    def metrics(self) -> dict[str, Metrics]:
        """Sum up."""
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        flag, mapq, clip = columns["flag"].astype(np.int64), columns["mapq"], columns["clip"]
        paired, proper = flag & FPAIRED > 0, flag & FPROPER_PAIR > 0
        length = columns["length"]
        return {
            "reads": {
                "median length": float(np.median(length)),
                **{f"length, {p} %": float(np.percentile(length, p)) for p in _LENGTHS},
                "N50 of length": _n50(length),
                "share shorter than 95 % of the longest": _share(length < 0.95 * length.max()),
                "share flagged duplicate": _share(flag & FDUP > 0),
                "share of pairs that are not proper": _share(~proper[paired]),
            },
            "mapping quality, share of reads": {
                "60 and more": _share(mapq >= 60),
                "20-59": _share((mapq >= 20) & (mapq < 60)),
                "1-19": _share((mapq > 0) & (mapq < 20)),
                "0": _share(mapq == 0),
            },
            "soft clips": {
                "share of reads with any": _share(clip > 0),
                f"share of reads with {_LONG_CLIP} or more": _share(clip >= _LONG_CLIP),
                "share of bases": ratio(float(clip.sum()), float(length.sum())),
                "median clip": float(np.median(clip[clip > 0])) if clip.any() else nan,
            },
            "insert size": _insert_metrics(columns["template"][proper]),
            "read quality": {
                f"share with mean below {bound}": _share(columns["quality"] < bound)
                for bound in _MEAN_QUALITIES
            },
        }


def _share(chosen: NDArray[np.bool_]) -> float:
    return ratio(int(chosen.sum()), len(chosen))


def _n50(length: NDArray[np.float64]) -> float:
    """Length that half of all bases are in reads of, or of longer ones."""
    ranked = np.sort(length)
    total = np.cumsum(ranked)
    return float(ranked[np.searchsorted(total, total[-1] / 2)]) if len(length) else nan


def _insert_metrics(template: NDArray[np.float64]) -> Metrics:
    """Describe the template lengths of proper pairs; a standard deviation is half of 16-84 %."""
    template = template[template > 0]
    low, middle, high = np.percentile(template, (16, 50, 84)) if len(template) else (nan,) * 3
    deviation = (high - low) / 2
    return {
        "median": float(middle),
        "sd over median": float(deviation / middle),
        "share above median + 3 sd": _share(template > middle + 3 * deviation),
        "share below median - 2 sd": _share(template < middle - 2 * deviation),
    }


class DepthTally:
    """How even the depth is, and how it follows the share of G and C."""

    def __init__(self) -> None:
        self._depth: list[NDArray[np.float64]] = []
        self._gc: list[NDArray[np.float64]] = []

    def add(self, chunk: WindowReads) -> None:
        """Take the windows of the chunk; those with unknown reference bases are left out."""
        bases = aligned_bases(
            chunk.reads.arrays, used_reads(chunk, MIN_MAPQ), chunk.start, chunk.end
        )
        count = (chunk.end - chunk.start) // DEPTH_WINDOW
        window = (bases.position - chunk.start) // DEPTH_WINDOW
        depth = np.bincount(window, minlength=count + 1)[:count] / DEPTH_WINDOW
        first = chunk.start - chunk.reference.start
        codes = chunk.reference.codes[first : first + count * DEPTH_WINDOW]
        blocks = codes.reshape(count, DEPTH_WINDOW)
        known = (blocks < UNKNOWN_BASE).all(1)
        self._depth.append(depth[known])
        self._gc.append(((blocks == 1) | (blocks == 2)).mean(1)[known])

    def metrics(self) -> dict[str, Metrics]:
        """Sum up."""
        depth, gc = np.concatenate(self._depth), np.concatenate(self._gc)
        mean = float(depth.mean()) if len(depth) else nan
        result = {
            "mean": mean,
            f"coefficient of variation ({DEPTH_WINDOW} bp)": float(depth.std()) / mean,
            "share below half the mean": _share(depth < 0.5 * mean),
            "share above 1.5 times the mean": _share(depth > 1.5 * mean),
        }
        for low, high in GC_STEPS:
            here = (gc >= low) & (gc < high)
            name = f"over the mean, GC {low:.2f}-{high:.2f}"
            result[name] = ratio(float(depth[here].sum()), mean * int(here.sum()))
        return {"depth": result}
