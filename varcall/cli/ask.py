"""``varcall ask``: a question in words about a variant, answered from the pileup's picture."""

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
    Reads,
    Realign,
    Reference,
    Sample,
    Sex,
    comma_list,
)


def ask(
    reads: Reads,
    question: Annotated[
        str | None,
        typer.Argument(help="The question in words; one that is not known lists those that are."),
    ] = None,
    *,
    reference: Reference,
    position: Annotated[
        str,
        typer.Option(
            "-r", "--position", metavar="CONTIG:POS", help="Position to ask about (1-based)."
        ),
    ],
    alt: Annotated[
        str | None,
        typer.Option(help="ALT allele, or two separated by a comma; each if not given."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Ask the question of this task instead.")
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(
            metavar="CONTIG:POS", help="The other variant, for questions about two of them."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object per variant, with the prompt.")
    ] = False,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    sample: Sample = None,
    ploidy: Ploidy = 2,
    haploid_contigs: HaploidContigs = "",
    sex: Sex = None,
    par_bed: ParBed = None,
    ploidy_bed: PloidyBed = None,
    realign: Realign = True,
    model: Model = defaults.DEFAULT_MODEL,
) -> None:
    """Ask the model about a candidate: copies, cause, share of molecules, haplotype."""
    from varcall.show.ask import AskOptions, run_ask

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
    for reply in run_ask(AskOptions(call, position, alt, question, task, other)):
        typer.echo(reply.to_json() if as_json else reply.to_text())
