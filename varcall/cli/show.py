"""``varcall show``: the pileup of a locus as an annotated picture."""

from pathlib import Path
from typing import Annotated

import typer

from varcall.cli.arguments import Index, Reads, Reference, Sample


def show(
    reads: Reads,
    *,
    reference: Reference,
    position: Annotated[
        str,
        typer.Option("-r", "--position", metavar="CONTIG:POS", help="Where to look (1-based)."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="PNG to write; numbered if several.")
    ] = Path("locus.png"),
    alt: Annotated[
        str | None,
        typer.Option(help="ALT to ask about, or two with a comma; all where absent."),
    ] = None,
    index: Index = None,
    sample: Sample = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="Who answers: a bundled model's name, or a path."),
    ] = None,
) -> None:
    """Draw the pileup picture of a candidate, with the model's question and answer."""
    from varcall.show import ShowOptions, run_show

    options = ShowOptions(
        reads=reads,
        reference=reference,
        position=position,
        output=output,
        alt=alt,
        index=index,
        sample=sample,
        model=model,
    )
    for path in run_show(options):
        typer.echo(path)
