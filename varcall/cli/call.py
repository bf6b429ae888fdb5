"""``varcall call``: germline small variants of one sample."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults
from varcall.cli.arguments import (
    AllowOtherReference,
    ExcludeFlags,
    HaploidContigs,
    Index,
    MaxDepth,
    MinAltCountIndel,
    MinAltCountSnv,
    MinAltFractionIndel,
    MinAltFractionSnv,
    MinBaseQuality,
    MinMapq,
    Model,
    NoWriteIndex,
    OutputType,
    ParBed,
    Ploidy,
    PloidyBed,
    Realign,
    Reference,
    Regions,
    RegionsFile,
    Sample,
    Sex,
    Threads,
    comma_list,
)
from varcall.errors import UsageError


def call(
    reads: Annotated[
        Path | None,
        typer.Argument(metavar="READS", help="Sorted, indexed BAM or CRAM.", show_default=False),
    ] = None,
    *,
    reads_option: Annotated[
        Path | None, typer.Option("--reads", help="The same as READS.", show_default=False)
    ] = None,
    reference: Reference,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    regions: Regions = None,
    regions_file: RegionsFile = None,
    alleles: Annotated[
        Path | None,
        typer.Option(help="Write a record for each of these sites (VCF, BCF), and no other."),
    ] = None,
    alleles_and_discovery: Annotated[
        bool,
        typer.Option("--alleles-and-discovery", help="With --alleles: also what calling finds."),
    ] = False,
    all_sites: Annotated[
        bool,
        typer.Option("--all-sites", help="Also write a record for each base as in the reference."),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="VCF or BCF to write; - is standard output, where it goes without --gvcf.",
        ),
    ] = None,
    output_type: OutputType = None,
    gvcf: Annotated[
        str | None, typer.Option(help="gVCF to write, beside or instead of the VCF; - too.")
    ] = None,
    gvcf_alt: Annotated[
        str, typer.Option(help="Name of the gVCF's allele for all others: * or NON_REF.")
    ] = defaults.GVCF_ALTS[0],
    gvcf_gq_bands: Annotated[
        int, typer.Option(help="Values of GQ that reference blocks do not tell apart.")
    ] = defaults.DEFAULT_GVCF_GQ_BANDS,
    no_write_index: NoWriteIndex = False,
    threads: Threads = 1,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="<cluster>",
            help="Call on a Dask cluster: dask://HOST:PORT, or dask-local:N to try.",
        ),
    ] = None,
    sample: Sample = None,
    sample_name: Annotated[
        str | None, typer.Option(help="Sample name to write instead of SM.")
    ] = None,
    min_mapq: MinMapq = defaults.DEFAULT_MIN_MAPQ,
    min_base_quality: MinBaseQuality = defaults.DEFAULT_MIN_BASE_QUALITY,
    exclude_flags: ExcludeFlags = defaults.DEFAULT_EXCLUDE_FLAGS,
    max_depth: MaxDepth = defaults.DEFAULT_MAX_DEPTH,
    min_alt_count_snv: MinAltCountSnv = defaults.DEFAULT_MIN_ALT_COUNT,
    min_alt_count_indel: MinAltCountIndel = defaults.DEFAULT_MIN_ALT_COUNT,
    min_alt_fraction_snv: MinAltFractionSnv = defaults.DEFAULT_MIN_ALT_FRACTION_SNV,
    min_alt_fraction_indel: MinAltFractionIndel = defaults.DEFAULT_MIN_ALT_FRACTION_INDEL,
    min_qual: Annotated[
        float, typer.Option(help="Set FILTER to LowQual below this QUAL.")
    ] = defaults.DEFAULT_MIN_QUAL,
    write_gl: Annotated[bool, typer.Option("--write-gl", help="Write GL beside PL.")] = False,
    phase: Annotated[
        bool, typer.Option("--phase", help="Phase heterozygous records by the reads (GT, PS).")
    ] = False,
    join_mnvs: Annotated[
        int,
        typer.Option(
            metavar="<bases>", help="With --phase: join SNVs of one haplotype that lie so near."
        ),
    ] = 0,
    ploidy: Ploidy = 2,
    haploid_contigs: HaploidContigs = "",
    sex: Sex = None,
    par_bed: ParBed = None,
    ploidy_bed: PloidyBed = None,
    model: Model = defaults.DEFAULT_MODEL,
    engine: Annotated[str, typer.Option(help="|".join(defaults.ENGINES) + ".")] = "auto",
    device: Annotated[str, typer.Option(help="auto|cpu|cuda[:N].")] = "auto",
    precision: Annotated[str, typer.Option(help="|".join(defaults.PRECISIONS) + ".")] = "auto",
    batch_size: Annotated[
        int, typer.Option(help="Images per call of the network.")
    ] = defaults.DEFAULT_BATCH_SIZE,
    realign: Realign = True,
    triage: Annotated[bool, typer.Option(help="Answer easy questions without a picture.")] = True,
    window: Annotated[
        int, typer.Option(help="Reference bases per window.")
    ] = defaults.DEFAULT_WINDOW,
    shard: Annotated[
        str | None, typer.Option(help="Call part I of N only, as I/N; see varcall merge.")
    ] = None,
    workdir: Annotated[
        Path | None, typer.Option(help="Keep finished windows in this folder.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Reuse the finished windows in --workdir.")
    ] = False,
    timings: Annotated[Path | None, typer.Option(help="Write CPU seconds by stage (TSV).")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write a page about the calls; see varcall report.")
    ] = None,
    no_version: Annotated[
        bool, typer.Option("--no-version", help="Leave version and command out of the header.")
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            show_default=False,
            help="More messages; -vv for debugging.",
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Warnings and errors only.")] = False,
    log_file: Annotated[Path | None, typer.Option(help="Also write the log to this file.")] = None,
) -> None:
    """Call germline SNVs and indels of one sample from aligned reads."""
    from varcall.inputs.regions import parse_shard

    if (reads is None) == (reads_option is None):
        raise UsageError("give one BAM or CRAM: as READS or with --reads")
    options = defaults.CallOptions(
        reads=reads or reads_option or Path(),
        index=index,
        reference=reference,
        allow_other_reference=allow_other_reference,
        output=defaults.STDOUT if output is None and gvcf is None else output,
        output_type=output_type,
        gvcf=gvcf,
        gvcf_alt=gvcf_alt,
        gvcf_gq_bands=gvcf_gq_bands,
        write_index=not no_write_index,
        regions=tuple(regions or ()),
        regions_file=regions_file,
        alleles=alleles,
        alleles_and_discovery=alleles_and_discovery,
        all_sites=all_sites,
        shard=None if shard is None else parse_shard(shard),
        sample=sample,
        sample_name=sample_name,
        min_mapq=min_mapq,
        min_base_quality=min_base_quality,
        exclude_flags=exclude_flags,
        max_depth=max_depth,
        min_alt_count_snv=min_alt_count_snv,
        min_alt_count_indel=min_alt_count_indel,
        min_alt_fraction_snv=min_alt_fraction_snv,
        min_alt_fraction_indel=min_alt_fraction_indel,
        min_qual=min_qual,
        write_gl=write_gl,
        phase=phase,
        join_mnvs=join_mnvs,
        ploidy=ploidy,
        haploid_contigs=comma_list(haploid_contigs),
        sex=sex,
        par_bed=par_bed,
        ploidy_bed=ploidy_bed,
        model=model,
        engine=engine,
        device=device,
        precision=precision,
        batch_size=batch_size,
        window=window,
        threads=threads,
        executor=executor,
        realign=realign,
        triage=triage,
        workdir=workdir,
        resume=resume,
        timings=timings,
        log_file=log_file,
        no_version=no_version,
    )
    # Imported only now: a usage error should not wait for torch.
    from varcall.log import configure_logging
    from varcall.pipeline import call_variants, check_call_files

    if report is None:
        check_call_files(options)  # before the log file is opened
        configure_logging(verbose=verbose, quiet=quiet, log_file=log_file)
        call_variants(options)
        return
    from varcall.report.run import (
        ReportOptions,
        check_report_packages,
        report_outputs,
        run_report,
    )

    if options.output is None or options.output == defaults.STDOUT:
        raise UsageError("--report reads the calls again: give a file to -o")
    about = ReportOptions(calls=Path(options.output), output=report, call=options)
    check_call_files(options, report_outputs(about, "--report"))
    check_report_packages(report)
    configure_logging(verbose=verbose, quiet=quiet, log_file=log_file)
    call_variants(options)
    run_report(about)
