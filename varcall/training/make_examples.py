"""`varcall examples`: cut samples with known truth into spans to train on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.evidence.haplotypes import reach_of
from varcall.evidence.window import EvidenceOptions, EvidenceReader
from varcall.inputs.open import open_inputs
from varcall.inputs.regions import Region, merge_regions, read_bed, windows
from varcall.output.checks import (
    Input,
    Output,
    check_outputs,
    file_inputs,
    present_outputs,
    reads_inputs,
    reference_inputs,
    vcf_inputs,
)
from varcall.reads.measure_library import measure_profile
from varcall.training.spans import SPAN_SUFFIX, SampleFiles, cut_span, save_span, span_name
from varcall.workers.pool import run_in_order

_log = logging.getLogger(__name__)

DEFAULT_SPAN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesOptions:
    """Options of `varcall examples`.

    Attributes
    ----------
    reads, truth, confident
        One sample: alignments, truth VCF, and BED of where its truth is complete (None: all of
        the regions).
    samples
        Instead: a folder of `varcall simulate`, every NAME.bam of which has NAME.truth.vcf.gz and
        NAME.bed beside it.
    allow_other_reference
        As in `varcall.options.CallOptions`.
    span
        Bases a file.
    """

    reference: Path
    output: Path
    reads: Path | None = None
    truth: Path | None = None
    confident: Path | None = None
    samples: Path | None = None
    regions: tuple[str, ...] = ()
    allow_other_reference: bool = False
    span: int = DEFAULT_SPAN
    threads: int = 1

    def __post_init__(self) -> None:
        """Check that exactly one way of naming samples is used."""
        one = self.reads is not None and self.truth is not None
        if one == (self.samples is not None):
            raise UsageError("give either READS with --truth, or --samples FOLDER")


@dataclass(frozen=True, slots=True)
class _Sample:
    reads: Path
    truth: Path
    confident: Path | None

    def __str__(self) -> str:
        return self.reads.name


def run_examples(options: ExamplesOptions) -> int:
    """Write one file per span into the output folder; return how many were written.

    Raises
    ------
    InputError
        Where an input is missing or does not fit.
    """
    samples = _samples(options)
    check_outputs(
        [
            Output("--output", options.output, is_folder=True),
            *present_outputs("--output", options.output, "", f"*{SPAN_SUFFIX}"),
        ],
        [*reference_inputs(options.reference), *_sample_inputs(samples)],
    )
    options.output.mkdir(parents=True, exist_ok=True)
    written = 0
    for sample, count in run_in_order(_Cutter, options, samples, options.threads):
        _log.info("%s: %d spans", sample, count)
        written += count
    return written


def _samples(options: ExamplesOptions) -> list[_Sample]:
    if options.samples is None:
        assert options.reads is not None
        assert options.truth is not None
        return [_Sample(options.reads, options.truth, options.confident)]
    found = [
        _Sample(reads, reads.with_suffix(".truth.vcf.gz"), reads.with_suffix(".bed"))
        for reads in sorted(options.samples.glob("*.bam"))
    ]
    if not found:
        raise InputError(f"{options.samples} holds no .bam; make samples with varcall simulate")
    return found


def _sample_inputs(samples: Sequence[_Sample]) -> list[Input]:
    return [
        item
        for sample in samples
        for item in (
            *reads_inputs(sample.reads),
            *vcf_inputs("the truth", sample.truth),
            *file_inputs("the confident regions", sample.confident),
        )
    ]


class _Cutter:
    """Cuts one sample after another; each process has its own."""

    def __init__(self, options: ExamplesOptions) -> None:
        self._options = options

    def call(self, sample: _Sample) -> int:
        options = self._options
        inputs = open_inputs(
            sample.reads,
            options.reference,
            regions=options.regions,
            allow_other_reference=options.allow_other_reference,
        )
        confident = inputs.regions
        if sample.confident is not None:
            known = read_bed(sample.confident, inputs.contigs)
            confident = merge_regions(known, inputs.contigs)
        profile = measure_profile(inputs)
        files = SampleFiles(sample.reads, options.reference, sample.truth)
        written = 0
        evidence = EvidenceOptions(phase_reach=reach_of(profile.read_length))
        with EvidenceReader(inputs, evidence) as reader:
            for window in windows(inputs.regions, options.span):
                inside = _clip(confident, window)
                if not inside:
                    continue
                span = cut_span(reader, files, profile, window, inside)
                if len(span.window.reads):
                    save_span(span, options.output / span_name(sample.reads, window))
                    written += 1
        return written


def _clip(regions: Sequence[Region], window: Region) -> list[tuple[int, int]]:
    """Return the parts of the regions inside a window as (start, end)."""
    return [
        (max(region.start, window.start), min(region.end, window.end))
        for region in regions
        if region.contig == window.contig
        and region.start < window.end
        and region.end > window.start
    ]
