"""``varcall report``: one HTML page about a call set."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults
from varcall.cli.arguments import (
    AllowOtherReference,
    HaploidContigs,
    Index,
    Model,
    ParBed,
    Ploidy,
    PloidyBed,
    Realign,
    Sex,
    comma_list,
)
from varcall.errors import UsageError


def report(
    calls: Annotated[Path, typer.Argument(metavar="CALLS", help="VCF or BCF, of any caller.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML page to write.")] = Path(
        "report.html"
    ),
    reads: Annotated[
        Path | None,
        typer.Option(help="BAM or CRAM of the calls: adds depths, the library, and pictures."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("-f", "--ref", "--reference", help="With --reads: FASTA with its .fai."),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option("--eval", metavar="PREFIX", help="The -o PREFIX of a varcall eval."),
    ] = None,
    tables: Annotated[
        Path | None, typer.Option(help="Write every table as TSV into this folder.")
    ] = None,
    uncertain: Annotated[
        int, typer.Option(metavar="N", help="How many of the least certain calls to show.")
    ] = 12,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    sample: Annotated[
        str | None,
        typer.Option(
            "-s", "--sample", help="Sample of CALLS, and SM of the reads, if there are several."
        ),
    ] = None,
    ploidy: Ploidy = 2,
    haploid_contigs: HaploidContigs = "",
    sex: Sex = None,
    par_bed: ParBed = None,
    ploidy_bed: PloidyBed = None,
    realign: Realign = True,
    model: Model = defaults.DEFAULT_MODEL,
) -> None:
    """Write a page about a call set: checks, charts, accuracy, the least certain calls."""
    from varcall.report.run import ReportOptions, run_report

    if (reads is None) != (reference is None):
        raise UsageError("--reads and --ref go together: give both, or neither")
    call = None
    if reads is not None and reference is not None:
        call = defaults.CallOptions(
            reads=reads,
            reference=reference,
            index=index,
            allow_other_reference=allow_other_reference,
            sample=sample,
            ploidy=ploidy,
            haploid_contigs=comma_list(haploid_contigs),
            sex=sex,
            par_bed=par_bed,
            ploidy_bed=ploidy_bed,
            realign=realign,
            model=model,
        )
    options = ReportOptions(
        calls=calls,
        output=output,
        sample=sample,
        call=call,
        evaluation=evaluation,
        tables=tables,
        uncertain=uncertain,
    )
    print(run_report(options))
