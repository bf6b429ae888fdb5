"""The library's own error profile, measured once per sample from a sample of its reads.

What is measured depends on the reads file alone: places are spread evenly over the parts of the
contigs that the index says hold reads, so a slice is sampled as densely as it needs, and regions,
threads and shards change nothing.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, islice
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.kernels.reads.library import count_errors, shown_lengths, tally_bases
from pileup.sam import FDUP, FPAIRED, FPROPER_PAIR
from varcall.inputs.open import Inputs, occupied_spans_of
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.options import DEFAULT_EXCLUDE_FLAGS
from varcall.reads.batch import TILE, ReadBatch, ReadFilter
from varcall.reads.loader import RecordReads
from varcall.reads.open import open_reads

PLATFORMS = ("illumina", "pacbio", "ont")
UNKNOWN_PLATFORM = "unknown"
SHORT_READ = 500  # bases; longer reads of no stated platform may be of any

CELL = 2 * TILE  # bases looked at in one place
TARGET_READS = 30_000
MAX_BASES = 40_000_000
MAX_CELLS = 4_000
LEAST_AT_ONCE, MOST_AT_ONCE = 16, 128  # cells loaded in one round

# Duplicates stay in, to be counted: unmapped, secondary, qc-fail, supplementary are left out.
_SAMPLED = ReadFilter(min_mapq=0, exclude_flags=DEFAULT_EXCLUDE_FLAGS & ~FDUP)
_MIN_MAPQ_DEPTH = 5
_MIN_MAPQ_ERRORS = 20

MIN_ERROR_QUALITY = 20
MIN_ERROR_DEPTH = 5
# DeepVariant's candidate rule: what it would look at is left out of the error rate.
VARIANT_COUNT, VARIANT_FRACTION = 2, 0.12

RUN_BINS = ((6, 8), (9, 11), (12, 14), (15, 20))
RUN_FLANK = 5
MIN_RUN_DEPTH = 6
HET_SHARE = 0.25
_MAX_CHANGE = 10
# Where few reads span runs of a length, these rates (typical of Illumina data with PCR) count as
# so many reads.
PRIOR_SLIPPAGE = (0.004, 0.015, 0.05, 0.14)
PRIOR_READS = 20


@dataclass(frozen=True, slots=True)
class LibraryProfile:
    """What one library's reads are like.

    Attributes
    ----------
    platform
        "illumina", "pacbio", "ont" or "unknown".
    paired
        Most reads are of pairs.
    read_length
        Median, bases.
    depth
        Depth, without duplicates, at which the median sequenced base lies.
    insert_size, insert_size_sd
        Median and half the central 68 % of the template lengths of proper pairs; 0 if unpaired.
    proper_share
        Share of the reads of pairs that are flagged as properly paired; 0 if unpaired.
    duplicate_rate
        Share of reads marked as duplicates.
    quality_levels
        Base qualities in use (each at least 1 base in 10,000).
    error_rate
        Mismatches per base of quality >= 20 at positions that do not look variant.
    slippage
        For homopolymers of 6-8, 9-11, 12-14 and 15-20 bases: share of spanning reads that do not
        show the site's commonest length. Sites whose second length has 25 % are left out as
        probably heterozygous; with few reads the rate leans to `PRIOR_SLIPPAGE`.
    slippage_reads
        Reads behind each of them.
    basecaller
        Name of the basecalling model as the file states it; empty where it states none.
    """

    platform: str = UNKNOWN_PLATFORM
    paired: bool = False
    read_length: int = 0
    depth: float = 0.0
    insert_size: float = 0.0
    insert_size_sd: float = 0.0
    proper_share: float = 0.0
    duplicate_rate: float = 0.0
    quality_levels: int = 0
    error_rate: float = 0.0
    slippage: tuple[float, ...] = PRIOR_SLIPPAGE
    slippage_reads: tuple[int, ...] = (0, 0, 0, 0)
    looks_like: str = UNKNOWN_PLATFORM
    mismatch_by_quality: tuple[float, ...] = (nan,) * 6
    low_fraction_share: float = nan
    basecaller: str = ""

    def to_json(self) -> str:
        """Spell it as a JSON object."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "LibraryProfile":
        """Read what `to_json` spelled."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("slippage", "slippage_reads", "mismatch_by_quality"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


def measure_profile(inputs: Inputs) -> LibraryProfile:
    """Measure the library of the chosen sample; the same for any regions, threads and shards.

    Raises
    ------
    InputError
        The reads or the reference cannot be read.
    """
    tally = _Tally()
    with Reference(inputs.reference) as reference, open_reads(inputs) as source:
        for batch in _sample(source, _cells(inputs), _first_round(inputs), inputs.read_groups):
            if tally.reads >= TARGET_READS or tally.bases >= MAX_BASES:
                break
            if len(batch):
                tally.add(batch, reference)
    return tally.profile(inputs.platform)


def _first_round(inputs: Inputs) -> int:
    """Cells that the index's counts tell will be needed; some, where it does not count."""
    mapped = sum(count or 0 for count in inputs.mapped.values())
    bases = sum(end - start for _, start, end in occupied_spans_of(inputs, CELL))
    needed = 1.1 * TARGET_READS * bases / CELL / mapped if mapped else 0
    return min(MOST_AT_ONCE, max(LEAST_AT_ONCE, int(needed)))


def _sample(
    source: RecordReads, cells: Iterator[Region], size: int, read_groups: frozenset[str] | None
) -> Iterator[ReadBatch]:
    """Load cells in their order, but each round of them sorted, as files are read fastest.

    `size` is that of the first round; later ones are as large as the cells before tell that may
    still be needed.
    """
    loaded = reads = 0
    while chosen := list(islice(cells, min(size, MAX_CELLS - loaded))):
        batches = {
            cell: source.load(cell.contig, cell.start, cell.end, _SAMPLED, read_groups)
            for cell in sorted(chosen, key=lambda cell: (cell.contig, cell.start))
        }
        yield from (batches[cell] for cell in chosen)
        loaded += len(chosen)
        reads += sum(len(batch) for batch in batches.values())
        needed = max(1, TARGET_READS - reads) * loaded // max(1, reads)
        size = min(MOST_AT_ONCE, max(LEAST_AT_ONCE, needed))


def _cells(inputs: Inputs) -> Iterator[Region]:
    """Yield cells of the occupied parts of the contigs, any first k of them evenly spread.

    They come in the order of the van der Corput sequence: first one, then those that halve the
    distances, and so on.
    """
    spans = occupied_spans_of(inputs, CELL)
    ends = list(accumulate(-(-end // CELL) - start // CELL for _, start, end in spans))
    count = ends[-1] if ends else 0
    bits = max(count - 1, 0).bit_length()
    for turn in range(1 << bits if count else 0):
        number = int(f"{turn:0{bits}b}"[::-1], 2) if bits else 0
        if number < count:
            index = bisect_right(ends, number)
            contig, start, _ = spans[index]
            first = start // CELL + number - (ends[index - 1] if index else 0)
            end = min((first + 1) * CELL, inputs.contigs[contig])
            yield Region(contig, first * CELL, end)


class _Tally:
    """Counts over the cells seen so far."""

    def __init__(self) -> None:
        self.reads = self.bases = 0
        self._paired = self._proper = self._duplicates = 0
        self._lengths: list[NDArray[np.int64]] = []
        self._templates: list[NDArray[np.int32]] = []
        self._qualities = np.zeros(256, dtype=np.int64)
        self._depths: list[tuple[float, int]] = []
        self._errors = self._compared = 0
        self._slipped = np.zeros(len(RUN_BINS), dtype=np.int64)
        self._spanning = np.zeros(len(RUN_BINS), dtype=np.int64)

    def add(self, batch: ReadBatch, reference: Reference) -> None:
        """Count the reads that overlap one cell (the span of the batch)."""
        reads = batch.arrays
        own = reads.read_start >= batch.start  # the others are counted by the cell before
        self.reads += int(own.sum())
        self.bases += len(reads.bases)
        self._paired += int((reads.flag[own] & FPAIRED > 0).sum())
        both = FPAIRED | FPROPER_PAIR
        self._proper += int((reads.flag[own] & both == both).sum())
        self._duplicates += int((reads.flag[own] & FDUP > 0).sum())
        self._lengths.append(np.diff(reads.base_offset)[own])
        proper = own & (reads.flag & FPROPER_PAIR > 0) & (reads.template_length > 0)
        self._templates.append(reads.template_length[proper])
        self._qualities += np.bincount(reads.qualities, minlength=256)
        codes = reference.fetch(batch.contig, batch.start - 1, batch.end + 1)
        self._add_bases(reads, codes[1:-1], batch.start)
        self._add_runs(reads, codes, batch.start - 1)

    def _add_bases(self, reads: ReadArrays, reference: NDArray[np.uint8], start: int) -> None:
        """Depth, and mismatches at positions that do not look variant."""
        unique = reads.flag & FDUP == 0
        counts = np.zeros((len(reference), N_BASES), dtype=np.int32)
        coverage = np.zeros(len(reference), dtype=np.int32)
        covering = unique & (reads.mapq >= _MIN_MAPQ_DEPTH)
        compared = unique & (reads.mapq >= _MIN_MAPQ_ERRORS)
        tally_bases(reads, covering, compared, start, MIN_ERROR_QUALITY, counts, coverage)
        covered = int(np.count_nonzero(coverage))
        if covered:
            self._depths.append((float(coverage.sum()) / covered, int(coverage.sum())))
        errors, bases = count_errors(
            counts, reference, MIN_ERROR_DEPTH, VARIANT_COUNT, VARIANT_FRACTION
        )
        self._errors += errors
        self._compared += bases

    def _add_runs(self, reads: ReadArrays, codes: NDArray[np.uint8], origin: int) -> None:
        """Run lengths that reads show; `codes` reaches one base beyond the cell on both sides.

        It begins at the contig position `origin`.
        """
        start, end = _runs(codes)
        if not len(start):
            return
        histogram = np.zeros((len(start), 2 * _MAX_CHANGE + 1), dtype=np.int32)
        used = (reads.flag & FDUP == 0) & (reads.mapq >= _MIN_MAPQ_ERRORS)
        shown_lengths(reads, used, start + origin, end + origin, codes[start], RUN_FLANK, histogram)
        depth = histogram.sum(axis=1)
        ranked = np.sort(histogram, axis=1)
        usable = (depth >= MIN_RUN_DEPTH) & (ranked[:, -2] < HET_SHARE * depth)
        for number, (shortest, longest) in enumerate(RUN_BINS):
            chosen = usable & (end - start >= shortest) & (end - start <= longest)
            self._spanning[number] += int(depth[chosen].sum())
            self._slipped[number] += int((depth - ranked[:, -1])[chosen].sum())

    def profile(self, stated_platform: str) -> LibraryProfile:
        """Sum up."""
        if self.reads == 0:
            return LibraryProfile(platform=_platform(stated_platform, 0))
        read_length = int(np.median(np.concatenate(self._lengths)))
        templates = np.concatenate(self._templates)
        low, middle, high = (
            np.percentile(templates, (16, 50, 84)).tolist() if len(templates) else (0.0, 0.0, 0.0)
        )
        slippage = (self._slipped + PRIOR_READS * np.array(PRIOR_SLIPPAGE)) / (
            self._spanning + PRIOR_READS
        )
        return LibraryProfile(
            platform=_platform(stated_platform, read_length),
            paired=2 * self._paired > self.reads,
            read_length=read_length,
            depth=round(_weighted_median(self._depths), 2),
            insert_size=float(middle),
            insert_size_sd=float(high - low) / 2,
            proper_share=round(self._proper / max(1, self._paired), 5),
            duplicate_rate=round(self._duplicates / self.reads, 5),
            quality_levels=int((self._qualities * 10_000 >= self._qualities.sum()).sum()),
            error_rate=round(self._errors / max(1, self._compared), 7),
            slippage=tuple(round(float(rate), 5) for rate in slippage),
            slippage_reads=tuple(int(count) for count in self._spanning),
        )


def _runs(codes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the homopolymers of measured lengths that lie wholly inside `codes`."""
    borders = np.flatnonzero(np.diff(codes)) + 1
    start, end = borders[:-1], borders[1:]
    length = end - start
    chosen = (
        (length >= RUN_BINS[0][0]) & (length <= RUN_BINS[-1][1]) & (codes[start] < UNKNOWN_BASE)
    )
    return start[chosen], end[chosen]


def _weighted_median(depths: Sequence[tuple[float, int]]) -> float:
    """Depth of the cell in which the median base lies.

    Unlike a mean it is not moved by a few collapsed repeats with thousands of reads, and for a
    capture it is the depth of the targets.
    """
    if not depths:
        return 0.0
    ordered = sorted(depths)
    weights = np.cumsum([weight for _, weight in ordered])
    return ordered[int(np.searchsorted(weights, weights[-1] / 2))][0]


def _platform(stated: str, read_length: int) -> str:
    if stated in PLATFORMS:
        return stated
    if stated in ("nanopore", "oxford_nanopore"):
        return "ont"
    return "illumina" if 0 < read_length <= SHORT_READ else UNKNOWN_PLATFORM
