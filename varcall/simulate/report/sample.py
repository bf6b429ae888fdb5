"""Measure one sample, real or simulated, for the realism report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pysam

from pileup.sam import FDUP
from varcall.errors import InputError
from varcall.evidence.window import WINDOW_MARGIN, EvidenceOptions, EvidenceReader
from varcall.inputs.open import Inputs, occupied_spans_of, open_inputs
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region, read_bed
from varcall.options import DEFAULT_EXCLUDE_FLAGS
from varcall.reads.batch import ReadBatch, ReadFilter
from varcall.reads.library_profile import SHORT_READ, LibraryProfile
from varcall.reads.loader import RecordReads
from varcall.reads.measure_library import measure_profile
from varcall.reads.open import open_reads
from varcall.simulate.report.base_errors import ErrorTally
from varcall.simulate.report.candidates import CandidateTally
from varcall.simulate.report.chunk import Metrics
from varcall.simulate.report.reads import DepthTally, ReadTally
from varcall.simulate.report.runs import RunTally
from varcall.training.labels import TruthRecord, read_truth

logger = logging.getLogger(__name__)

CHUNK = 5_000
#: The whole of a big file would take hours and say no more.
MAX_CHUNKS = 200
#: Mapping quality 0 and duplicates stay in, to be counted.
_FILTER = ReadFilter(min_mapq=0, exclude_flags=DEFAULT_EXCLUDE_FLAGS & ~FDUP)
_MIN_DEPTH_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class ReportSample:
    """A sample to measure.

    Attributes
    ----------
    reads, reference
        BAM or CRAM, and its FASTA.
    truths
        Truth VCFs; each contig is looked up in the first that has records of it.
    confident
        BED of what to measure; None takes all that reads cover.
    """

    reads: Path
    reference: Path
    truths: tuple[Path, ...] = ()
    confident: Path | None = None

    @classmethod
    def simulated(cls, reads: Path, reference: Path) -> ReportSample:
        """A sample of `varcall simulate`, with its truth and BED beside it."""
        truth, bed = reads.with_suffix(".truth.vcf.gz"), reads.with_suffix(".bed")
        return cls(
            reads, reference, (truth,) if truth.exists() else (), bed if bed.exists() else None
        )


def sample_depth(sample: ReportSample) -> float:
    """Return the depth of a sample, duplicates left out."""
    return measure_profile(open_inputs(sample.reads, sample.reference)).depth


def measure_sample(sample: ReportSample, depth: float) -> dict[str, Metrics]:
    """Measure a sample at a depth: metrics by group and name.

    Parameters
    ----------
    depth
        Reads of a deeper sample are left out (by a hash of their names) down to this depth, since
        candidates depend on it.

    Raises
    ------
    InputError
        Files cannot be used, or hold too few reads.
    """
    inputs = open_inputs(sample.reads, sample.reference)
    profile = measure_profile(inputs)
    share = min(1.0, depth / max(profile.depth, 1e-9))
    profile = replace(profile, depth=profile.depth * share)
    chunks = _chunks(sample, inputs, profile)
    if not chunks:
        raise InputError(f"{sample.reads} covers no stretch of {CHUNK} bases evenly: too little")
    with EvidenceReader(inputs, EvidenceOptions(read_filter=_FILTER)) as reader:
        return _measure(sample, chunks, share, profile, reader)


def _measure(
    sample: ReportSample,
    chunks: list[Region],
    share: float,
    profile: LibraryProfile,
    reader: EvidenceReader,
) -> dict[str, Metrics]:
    tallies = (ReadTally(), ErrorTally(), RunTally(), DepthTally())
    truths = {region.contig: _truth_of(sample, region.contig) for region in chunks}
    candidates = CandidateTally(profile, with_truth=all(truths.values()))
    for region in chunks:
        loaded = reader.load(region)
        chunk = replace(loaded, reads=_thinned(loaded.reads, share))
        for tally in tallies:
            tally.add(chunk)
        candidates.add(chunk, _truth(truths[region.contig], region, reader.reference))
    metrics: dict[str, Metrics] = {}
    for tally in tallies:
        metrics |= tally.metrics()
    return candidates.metrics() | metrics


def _thinned(batch: ReadBatch, share: float) -> ReadBatch:
    if share >= 1:
        return batch
    # CRC-32 of names that count up is no even hash; Knuth's multiplier makes it one.
    mixed = (batch.arrays.name_hash * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    return batch.subset(mixed < share * 2**32)


def _chunks(sample: ReportSample, inputs: Inputs, profile: LibraryProfile) -> list[Region]:
    if sample.confident is not None:
        covered = read_bed(sample.confident, inputs.contigs)
    else:
        with open_reads(inputs) as source:
            long = profile.read_length >= SHORT_READ
            covered = _deep(inputs, source) if long else _covered(inputs, source)
    chunks = [
        Region(region.contig, start, start + CHUNK)
        for region in covered
        for start in range(region.start, region.end - CHUNK + 1, CHUNK)
    ]
    step = -(-len(chunks) // MAX_CHUNKS) if chunks else 1
    return chunks[::step]


def _covered(inputs: Inputs, source: RecordReads) -> list[Region]:
    """Return the stretches in which reads start in most kilobases, without their ragged ends."""
    found = []
    for contig, low, high in occupied_spans_of(inputs, 1):
        starts = source.load(contig, low, high, _FILTER).arrays.read_start - low
        counts = np.bincount(np.maximum(starts, 0) // 1000, minlength=(high - low) // 1000)
        busy = np.flatnonzero(counts >= _MIN_DEPTH_SHARE * np.median(counts[counts > 0]))
        for piece in np.split(busy, np.flatnonzero(np.diff(busy) > 5) + 1):
            if len(piece) > 2:
                found.append(
                    Region(contig, low + 1000 * int(piece[1]), low + 1000 * int(piece[-1]))
                )
    return found


def _deep(inputs: Inputs, source: RecordReads) -> list[Region]:
    """Return the stretches with at least half the depth of the deepest tenth, by kilobase.

    Long reads of a slice reach far beyond it, at a depth that falls off.
    """
    found = []
    for contig, low, high in occupied_spans_of(inputs, 1):
        reads = source.load(contig, low, high, _FILTER).arrays
        steps = np.zeros((high - low) // 1000 + 2, np.int64)
        for edges, change in ((reads.read_start, 1), (reads.read_end, -1)):
            np.add.at(steps, np.clip(edges - low, 0, high - low) // 1000 + (change < 0), change)
        depth = np.cumsum(steps)
        deep = np.flatnonzero(depth >= 0.5 * np.percentile(depth[depth > 0], 90))
        for piece in np.split(deep, np.flatnonzero(np.diff(deep) > 1) + 1):
            if len(piece) > 2:
                found.append(
                    Region(contig, low + 1000 * int(piece[1]), low + 1000 * int(piece[-1]))
                )
    return found


def _truth_of(sample: ReportSample, contig: str) -> Path | None:
    """Return the truth VCF that has records of a contig."""
    for path in sample.truths:
        try:
            with pysam.VariantFile(str(path)) as truth:
                if contig in truth.header.contigs and any(True for _ in truth.fetch(contig)):
                    return path
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read truth {path} ({error}); it must have an index: tabix {path}"
            ) from error
    return None


def _truth(path: Path | None, region: Region, reference: Reference) -> list[TruthRecord]:
    if path is None:
        return []
    length = reference.length(region.contig)

    def fetch(start: int, end: int) -> str:
        return reference.fetch_string(region.contig, max(0, start), min(end, length))

    low, high = max(0, region.start - WINDOW_MARGIN), min(region.end + WINDOW_MARGIN, length)
    return read_truth(path, region.contig, low, high, fetch)
