"""From reads to a VCF: the whole flow on one screen.

    inputs -> profile -> regions -> [reads -> candidates -> images -> model -> genotype] -> VCF

What stands in brackets is `varcall.workers.window_worker`, done window by window, in as many
processes as asked, or on a cluster (`varcall.workers.executor`).
"""

import hashlib
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from models.registry import weights_path
from varcall.evidence.candidates import CandidateThresholds
from varcall.evidence.haplotypes import reach_of
from varcall.evidence.realign import RealignOptions
from varcall.evidence.window import EvidenceOptions
from varcall.genotyping.genotype import GenotypeOptions
from varcall.genotyping.ploidies import Ploidies, decide_ploidies
from varcall.inputs.completeness import ReadTally
from varcall.inputs.given_sites import GivenSites, open_given_sites
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region, shard, windows
from varcall.log import Progress
from varcall.options import CallOptions
from varcall.output.checks import (
    Input,
    Output,
    check_outputs,
    file_inputs,
    file_outputs,
    model_inputs,
    present_outputs,
    reads_inputs,
    reference_inputs,
    vcf_inputs,
    vcf_outputs,
)
from varcall.output.header import HeaderContig, HeaderShard, Phasing, VcfHeader
from varcall.output.provenance import ModelIdentity, header_lines, normalised_command
from varcall.output.summary import CallSummary, peak_memory
from varcall.reads.batch import TILE, ReadFilter
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.library_warnings import library_warnings
from varcall.reads.measure_library import measure_profile
from varcall.reads.seen_libraries import compared_with_training
from varcall.workers.call_outputs import CallOutputs, gvcf_format
from varcall.workers.executor import opened_executor
from varcall.workers.finished_windows import FILES, Compute, FinishedWindows, fingerprint
from varcall.workers.plan import WorkerPlan
from varcall.workers.timings import Timings
from varcall.workers.window_worker import WindowResult

_log = logging.getLogger(__name__)


ShowProgress = Callable[[int, int, str], None]
"""Takes how many windows are done, of how many, and the last one's locus."""


def call_variants(
    options: CallOptions, *, into: BinaryIO | None = None, progress: ShowProgress | None = None
) -> CallSummary:
    """Call the small variants of one sample and write them as VCF or BCF.

    Parameters
    ----------
    into
        Takes the text of the VCF in place of the output that the options name.
    progress
        Called after each window; None tells the log, and draws a bar on a terminal.

    Raises
    ------
    VarcallError
        With one sentence for the user; nothing then stands at the output path.
    """
    started = time.monotonic()
    timings = Timings()
    check_call_files(options)
    outputs = CallOutputs(options, into)
    inputs = open_sample(options, regions=options.regions, regions_file=options.regions_file)
    ploidies = decide_ploidies(options, inputs)
    # A given site has a record where the sample has no copy, too.
    called = inputs.regions
    if options.alleles is None:
        called = ploidies.map.called(inputs.regions, inputs.contigs)
    todo = windows(called, options.window)
    if options.shard is not None:
        todo = shard(todo, options.shard[0], options.shard[1])
    model = _model_identity(options.model)
    header = _header(options, inputs, model, ploidies)
    finished = None
    if options.workdir is not None:
        run = fingerprint(options, inputs, model, ploidies.map)
        finished = FinishedWindows(options.workdir, run, resume=options.resume)
    with timings.stage("profile"):
        measure = partial(measure_profile, inputs)
        profile = measure() if finished is None else finished.profile(measure)
    plan = plan_worker(options, inputs, profile, ploidies)
    tally = ReadTally(inputs)
    with (
        _given_sites(options, inputs) as given,
        # Before anything is written: standard output keeps what it has got.
        opened_executor(options, replace(plan, given=given)) as compute,
        outputs.opened(header, todo) as write,
    ):
        with closing(_results(compute, finished, todo, progress)) as results:
            for window, result in results:
                timings.add(result)
                tally.add(window, result)
                with timings.stage("write"):
                    write(window, result)
    tally.log()
    if options.timings is not None:
        timings.save(options.timings)
    summary = _summary(options, header.sample, model, timings, time.monotonic() - started)
    for line in summary.lines():
        _log.info("%s", line)
    return summary


@contextmanager
def _given_sites(options: CallOptions, inputs: Inputs) -> Iterator[GivenSites | None]:
    """Open the given sites, if there are any."""
    if options.alleles is None:
        yield None
        return
    is_partial = bool(options.regions) or options.regions_file is not None
    is_remote = options.executor is not None and options.executor.startswith("dask://")
    with open_given_sites(
        options.alleles, inputs.contigs, is_partial=is_partial, must_be_indexed=is_remote
    ) as given:
        yield given


def check_call_files(options: CallOptions, also: Sequence[Output] = ()) -> None:
    """See that no output of a call is one of its inputs, or another of its outputs.

    Parameters
    ----------
    also
        What is written besides, after the calls.

    Raises
    ------
    OutputError
        One is.
    """
    outputs = [
        *(vcf_outputs("--output", options.output) if options.output is not None else ()),
        *(vcf_outputs("--gvcf", options.gvcf) if options.gvcf is not None else ()),
        *file_outputs("--timings", options.timings),
        *file_outputs("--log-file", options.log_file),
        *also,
    ]
    if options.workdir is not None:
        outputs.append(Output("--workdir", options.workdir, is_folder=True))
        for pattern in FILES:
            outputs += present_outputs("--workdir", options.workdir, "", pattern)
    check_outputs(
        outputs,
        [
            *sample_inputs(options),
            *file_inputs("the regions file", options.regions_file),
            *vcf_inputs("the given sites", *([options.alleles] if options.alleles else [])),
        ],
    )


def sample_inputs(options: CallOptions) -> list[Input]:
    """Return what is read to call a sample, or to look at it as a call does."""
    return [
        *reads_inputs(options.reads, options.index),
        *reference_inputs(options.reference),
        *model_inputs(options.model),
        *file_inputs("the PAR BED", options.par_bed),
        *file_inputs("the ploidy BED", options.ploidy_bed),
    ]


def open_sample(
    options: CallOptions, *, regions: Sequence[str] = (), regions_file: Path | None = None
) -> Inputs:
    """Open the reads and the reference of a call, limited to regions.

    Raises
    ------
    InputError
        As `open_inputs` does.
    """
    return open_inputs(
        options.reads,
        options.reference,
        index=options.index,
        sample=options.sample,
        regions=regions,
        regions_file=regions_file,
        allow_other_reference=options.allow_other_reference,
    )


def _results(
    compute: Compute,
    finished: FinishedWindows | None,
    todo: Sequence[Region],
    show: ShowProgress | None,
) -> Generator[tuple[Region, WindowResult], None, None]:
    if finished is not None:
        compute = partial(finished.completed, compute=compute)
    if show is not None:
        for done, (window, result) in enumerate(compute(todo), start=1):
            show(done, len(todo), str(window))
            yield window, result
        return
    with Progress(len(todo)) as progress:
        for window, result in compute(todo):
            progress.advance(str(window))
            yield window, result


def _summary(
    options: CallOptions, sample: str, model: ModelIdentity, timings: Timings, seconds: float
) -> CallSummary:
    own, workers = peak_memory()
    return CallSummary(
        sample=sample,
        model=model.name,
        model_sha256=model.sha256,
        counts=timings.records,
        work=timings.work,
        cpu_seconds=timings.cpu_seconds,
        wall_seconds=seconds,
        peak_memory=own,
        peak_worker_memory=workers if options.threads > 1 else 0,
    )


def plan_worker(
    options: CallOptions,
    inputs: Inputs,
    profile: LibraryProfile,
    ploidies: Ploidies | None = None,
) -> WorkerPlan:
    """Return what the workers of a run are given; warn where the library is unusual.

    Where `ploidies` is None it is decided here.
    """
    if ploidies is None:
        ploidies = decide_ploidies(options, inputs)
    for warning in library_warnings(profile, inputs):
        _log.warning("%s", warning)
    profile = compared_with_training(profile, options.model, inputs)
    return WorkerPlan(
        inputs=inputs,
        evidence=EvidenceOptions(
            read_filter=ReadFilter(
                min_mapq=options.min_mapq,
                exclude_flags=options.exclude_flags,
                max_reads_per_tile=max(1, options.max_depth * TILE // max(1, profile.read_length)),
            ),
            realign=RealignOptions() if options.realign else None,
            thresholds=CandidateThresholds(
                min_base_quality=options.min_base_quality,
                snv_min_count=options.min_alt_count_snv,
                snv_min_fraction=options.min_alt_fraction_snv,
                indel_min_count=options.min_alt_count_indel,
                indel_min_fraction=options.min_alt_fraction_indel,
            ),
            phase_reach=reach_of(profile.read_length),
        ),
        profile=profile,
        model=options.model,
        engine=options.engine,
        device=options.device,
        precision=options.precision,
        batch_size=options.batch_size,
        triage=options.triage,
        gvcf=None if options.gvcf is None else gvcf_format(options),
        ploidy=ploidies.map,
        phasing=Phasing(options.join_mnvs) if options.phase else None,
        all_sites=options.all_sites,
        discovers=options.alleles is None or options.alleles_and_discovery,
        genotype=GenotypeOptions(min_qual=options.min_qual, write_gl=options.write_gl),
    )


def _model_identity(model: str) -> ModelIdentity:
    weights, _ = weights_path(model)
    return ModelIdentity(weights.stem, hashlib.sha256(weights.read_bytes()).hexdigest())


def _header(
    options: CallOptions, inputs: Inputs, model: ModelIdentity, ploidies: Ploidies
) -> VcfHeader:
    return VcfHeader(
        contigs=tuple(
            HeaderContig(name, length, inputs.md5.get(name))
            for name, length in inputs.contigs.items()
        ),
        sample=options.sample_name or inputs.sample,
        provenance=header_lines(
            reference=str(options.reference),
            model=model,
            command=None if options.no_version else normalised_command("call", options),
            other_contigs=inputs.other_contigs,
        )
        + ploidies.header,
        shard=None if options.shard is None else HeaderShard(*options.shard),
        phasing=Phasing(options.join_mnvs) if options.phase else None,
        has_given=options.alleles is not None,
        all_sites=options.all_sites,
    )
