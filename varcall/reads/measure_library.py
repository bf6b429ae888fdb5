"""Measures a library's profile, once per sample, on a sample of its reads.

What is measured depends on the reads file alone: places are spread evenly over the parts of the
contigs that the index says hold reads, so a slice is sampled as densely as it needs, and regions,
threads and shards change nothing.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from math import nan

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.kernels.candidates.primers import MIN_STACK, MIN_STACK_PERCENT
from pileup.kernels.reads.library import (
    find_plain,
    shown_lengths,
    tally_bases,
    tally_mismatches,
)
from pileup.sam import (
    CHARD_CLIP,
    CSOFT_CLIP,
    FDUP,
    FPAIRED,
    FPROPER_PAIR,
    FREVERSE,
    UNKNOWN_MAPQ,
    UNKNOWN_QUALITY,
)
from varcall.inputs.open import Inputs, occupied_spans_of
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.options import DEFAULT_EXCLUDE_FLAGS, DEFAULT_MIN_BASE_QUALITY
from varcall.reads.batch import MISSING_QUALITY, TILE, ReadBatch, ReadFilter
from varcall.reads.library_profile import (
    LEAST_CANDIDATES,
    LONG_PLATFORMS,
    MAX_QUALITY,
    OTHER_PLATFORMS,
    PRIOR_SLIPPAGE,
    RUN_BINS,
    SHORT_PLATFORM,
    SHORT_READ,
    STATED_MISMATCHES,
    UNKNOWN_PLATFORM,
    USUAL_MAPQ,
    USUAL_REF_AT_HOM,
    USUAL_SNV_DENSITY,
    LibraryProfile,
    quality_bins,
)
from varcall.reads.loader import RecordReads
from varcall.reads.open import open_reads

# As some files have it.
_PLATFORM_ALIASES = {
    "nanopore": "ont", "oxford_nanopore": "ont", "bgi": "dnbseq", "mgi": "dnbseq",
    "ion_torrent": "iontorrent", "454": "ls454",
}  # fmt: skip

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
# Of a diploid sample's candidates few have less than this share of reads but by error.
LOW_FRACTION = 0.25
# A variant that few errors look like: so many bases there, and so large a share of them.
MIN_DENSITY_DEPTH, MIN_DENSITY_FRACTION = 10, 0.3
# `USUAL_SNV_DENSITY` counts as so many bases seen.
PRIOR_DENSITY_BASES = 20_000
# `USUAL_REF_AT_HOM` counts as so many bases seen.
PRIOR_HOM_BASES = 200
# Of the SNVs of a person, about (0.37 of those of HG001 and HG002 on chromosome 20: GIAB truth).
_HOM_SHARE = 0.4
# From a high share down: from a low one, sites of a library full of foreign reads all look het.
_FIRST_REF_AT_HOM, _MIXTURE_ROUNDS = 0.15, 20

# Of a read's first bases mappers seldom clip so many; primers are longer.
MIN_PRIMER = 10
# The stated meaning counts as so many bases against those that were compared.
PRIOR_BASES = 2_000

# Mismatches and indels per base, variants included: HiFi reads 0.0017 to 0.0036, ONT reads of the
# chemistry R10 0.0096 (slices of Sequel II, Revio and R10).
_HIFI_MISMATCHES = 0.006
RUN_FLANK = 5
MIN_RUN_DEPTH = 6
HET_SHARE = 0.25
_MAX_CHANGE = 10
# `PRIOR_SLIPPAGE` counts as so many reads.
PRIOR_READS = 20


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
    return tally.profile(inputs.platform, inputs.basecaller)


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
        self._by_quality = np.zeros((256, 2), dtype=np.int64)
        self._mapqs = np.zeros(256, dtype=np.int64)
        self._candidates = self._low_fraction = 0
        self._searched = self._stacked = 0
        self._snv_counts: list[NDArray[np.int64]] = []
        self._mismatches, self._clips = _PerRead(), _PerRead()

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
        self._mapqs += np.bincount(reads.mapq[own & (reads.flag & FDUP == 0)], minlength=256)
        clipped = reads.cigar_op == CSOFT_CLIP
        clipped_before = np.append(0, np.cumsum(np.where(clipped, reads.cigar_length, 0)))
        self._clips.add(
            np.diff(clipped_before[reads.cigar_offset])[own], np.diff(reads.base_offset)[own]
        )
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
        # Where hardly any base is good (old ONT), all of them are compared.
        good = np.count_nonzero(reads.qualities >= MIN_ERROR_QUALITY)
        min_quality = MIN_ERROR_QUALITY if 2 * good >= len(reads.qualities) else 0
        tally_bases(reads, covering, compared, start, min_quality, counts, coverage)
        self._add_stacks(reads, unique & (reads.read_start >= start), coverage, start)
        covered = int(np.count_nonzero(coverage))
        if covered:
            self._depths.append((float(coverage.sum()) / covered, int(coverage.sum())))
        plain = np.zeros(len(reference), dtype=np.bool_)
        fraction = np.zeros(len(reference))
        rules = MIN_ERROR_DEPTH, VARIANT_COUNT, VARIANT_FRACTION
        find_plain(counts, reference, *rules, plain, fraction)
        depth = counts[plain].sum()
        self._errors += int(depth - counts[plain, reference[plain]].sum())
        self._compared += int(depth)
        self._candidates += int(np.count_nonzero(fraction))
        self._low_fraction += int(np.count_nonzero((fraction > 0) & (fraction < LOW_FRACTION)))
        bases = counts.sum(axis=1)
        is_deep = (bases >= MIN_DENSITY_DEPTH) & (reference < UNKNOWN_BASE)
        self._searched += int(np.count_nonzero(is_deep))
        snvs = np.flatnonzero(is_deep & (fraction >= MIN_DENSITY_FRACTION))
        of_alt = np.rint(fraction[snvs] * bases[snvs]).astype(np.int64)
        self._snv_counts.append(np.stack([counts[snvs, reference[snvs]], of_alt], axis=1))
        per_read = np.zeros((len(reads.flag), 2), dtype=np.int64)
        tally_mismatches(
            reads, covering, compared, start, reference, plain, DEFAULT_MIN_BASE_QUALITY,
            per_read, self._by_quality,
        )  # fmt: skip
        self._mismatches.add(per_read[:, 0], per_read[:, 1])

    def _add_stacks(
        self, reads: ReadArrays, own: NDArray[np.bool_], coverage: NDArray[np.int32], start: int
    ) -> None:
        """Count reads that begin in stacks, unless their first bases were clipped."""
        is_reverse = reads.flag & FREVERSE > 0
        begin = np.where(is_reverse, reads.read_end - 1, reads.read_start)[own].astype(np.int64)
        first_op = np.where(is_reverse, reads.cigar_offset[1:] - 1, reads.cigar_offset[:-1])[own]
        is_clip = np.isin(reads.cigar_op[first_op], (CSOFT_CLIP, CHARD_CLIP))
        is_clipped = is_clip & (reads.cigar_length[first_op] >= MIN_PRIMER)
        _, which, count = np.unique(
            2 * begin + is_reverse[own], return_inverse=True, return_counts=True
        )
        depth = coverage[np.minimum(begin - start, len(coverage) - 1)]
        is_stacked = count[which] >= np.maximum(MIN_STACK, MIN_STACK_PERCENT / 100 * depth)
        self._stacked += int(np.count_nonzero(is_stacked & ~is_clipped))

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

    def profile(self, stated_platform: str, basecaller: str) -> LibraryProfile:
        """Sum up."""
        if self.reads == 0:
            return LibraryProfile(platform=_platform(stated_platform, 0), basecaller=basecaller)
        levels = int((self._qualities * 10_000 >= self._qualities.sum()).sum())
        self._tell_absent_qualities()
        read_length = int(np.median(np.concatenate(self._lengths)))
        templates = np.concatenate(self._templates)
        low, middle, high = (
            np.percentile(templates, (16, 50, 84)).tolist() if len(templates) else (0.0, 0.0, 0.0)
        )
        slippage = (self._slipped + PRIOR_READS * np.array(PRIOR_SLIPPAGE)) / (
            self._spanning + PRIOR_READS
        )
        mismatches, mismatches_sd = self._mismatches.mean_and_sd()
        clips, clips_sd = self._clips.mean_and_sd()
        quality, quality_sd = self._quality()
        is_known = self._candidates >= LEAST_CANDIDATES
        return LibraryProfile(
            platform=_platform(stated_platform, read_length),
            paired=2 * self._paired > self.reads,
            read_length=read_length,
            depth=round(_weighted_median(self._depths), 2),
            insert_size=float(middle),
            insert_size_sd=float(high - low) / 2,
            proper_share=round(self._proper / max(1, self._paired), 5),
            duplicate_rate=round(self._duplicates / self.reads, 5),
            quality_levels=levels,
            error_rate=round(self._errors / max(1, self._compared), 7),
            slippage=tuple(round(float(rate), 5) for rate in slippage),
            slippage_reads=tuple(int(count) for count in self._spanning),
            looks_like=_looks_like(read_length, mismatches),
            mapq=self._sure_mapq(),
            base_quality=round(quality, 2),
            base_quality_sd=round(quality_sd, 2),
            mismatch_by_quality=self._mismatch_by_quality(),
            mismatch_rate=round(mismatches, 7),
            mismatch_rate_sd=round(mismatches_sd, 7),
            clip_rate=round(clips, 6),
            clip_rate_sd=round(clips_sd, 6),
            clipped_share=round(self._clips.some / self.reads, 5),
            low_fraction_share=(
                round(self._low_fraction / self._candidates, 4) if is_known else nan
            ),
            snv_density=self._snv_density(),
            ref_at_hom=self._ref_at_hom(),
            stack_share=round(self._stacked / max(1, self.reads - self._duplicates), 5),
            basecaller=basecaller,
        )

    def _snv_density(self) -> float:
        expected = PRIOR_DENSITY_BASES * USUAL_SNV_DENSITY
        snvs = sum(map(len, self._snv_counts))
        density = (snvs + expected) / (self._searched + PRIOR_DENSITY_BASES)
        return float(round(density, 8))

    def _ref_at_hom(self) -> float:
        """REF's share where a mixture of two binomials, of hets and others, says hom-alt."""
        of_ref, of_alt = np.concatenate(self._snv_counts).T
        share = _FIRST_REF_AT_HOM
        log_odds = np.log(_HOM_SHARE / (1 - _HOM_SHARE)) - (of_ref + of_alt) * np.log(0.5)
        for _ in range(_MIXTURE_ROUNDS):
            lead = log_odds + of_ref * np.log(share) + of_alt * np.log1p(-share)
            is_hom = 1 / (1 + np.exp(-np.clip(lead, -50, 50)))
            ref = float(is_hom @ of_ref) + PRIOR_HOM_BASES * USUAL_REF_AT_HOM
            share = ref / (float(is_hom @ (of_ref + of_alt)) + PRIOR_HOM_BASES)
        return round(share, 5)

    def _tell_absent_qualities(self) -> None:
        """Count MISSING_QUALITY as absent in a library that has no other."""
        if self._qualities[MISSING_QUALITY] == self._qualities.sum():
            for counts in (self._qualities, self._by_quality):
                counts[UNKNOWN_QUALITY] += counts[MISSING_QUALITY]
                counts[MISSING_QUALITY] = 0

    def _sure_mapq(self) -> float:
        known = np.cumsum(self._mapqs[:UNKNOWN_MAPQ])
        if not known[-1]:
            return USUAL_MAPQ
        return float(max(1, np.searchsorted(known, 0.9 * known[-1])))

    def _quality(self) -> tuple[float, float]:
        """Mean and standard deviation of the stated base qualities."""
        counts = self._qualities[:UNKNOWN_QUALITY]
        values = np.minimum(np.arange(len(counts)), MAX_QUALITY)
        total = max(1, int(counts.sum()))
        mean = float((counts * values).sum()) / total
        return mean, float(np.sqrt((counts * (values - mean) ** 2).sum() / total))

    def _mismatch_by_quality(self) -> tuple[float, ...]:
        qualities = np.arange(256)
        bins = quality_bins()
        stated_error = np.minimum(10.0 ** (-np.minimum(qualities, MAX_QUALITY) / 10), 0.75)
        rates = []
        for number, usual in enumerate(STATED_MISMATCHES):
            mismatches, bases = self._by_quality[bins == number].sum(axis=0).tolist()
            stated = usual
            if number and bases:
                weights = self._by_quality[bins == number, 1]
                stated = float((weights * stated_error[bins == number]).sum()) / bases
            rate = (mismatches + PRIOR_BASES * stated) / (bases + PRIOR_BASES)
            rates.append(round(rate, 7))
        return tuple(rates)


class _PerRead:
    """Mean and spread over reads of a share of their bases; a read counts by its bases."""

    def __init__(self) -> None:
        self.some = 0
        self._part = self._whole = 0
        self._squares = 0.0

    def add(self, part: NDArray[np.int64], whole: NDArray[np.int64]) -> None:
        """Take reads: bases of the part, and all of them."""
        self.some += int(np.count_nonzero(part))
        self._part += int(part.sum())
        self._whole += int(whole.sum())
        self._squares += float((part * part / np.maximum(whole, 1)).sum())

    def mean_and_sd(self) -> tuple[float, float]:
        """Return mean and standard deviation; 0 without reads."""
        whole = max(1, self._whole)
        mean = self._part / whole
        return mean, max(0.0, self._squares / whole - mean * mean) ** 0.5


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
    stated = _PLATFORM_ALIASES.get(stated, stated)
    if stated in (SHORT_PLATFORM, *LONG_PLATFORMS, *OTHER_PLATFORMS):
        return stated
    return SHORT_PLATFORM if 0 < read_length <= SHORT_READ else UNKNOWN_PLATFORM


def _looks_like(read_length: int, mismatch_rate: float) -> str:
    if read_length == 0:
        return UNKNOWN_PLATFORM
    if read_length <= SHORT_READ:
        return SHORT_PLATFORM
    return "pacbio" if mismatch_rate < _HIFI_MISMATCHES else "ont"
