"""``varcall check``: are these inputs fit to be called, and if not, how to mend them."""

from pathlib import Path
from typing import Annotated

import typer


def check(
    reads: Annotated[Path, typer.Argument(metavar="READS", help="Sorted, indexed BAM or CRAM.")],
    *,
    reference: Annotated[
        Path, typer.Option("-f", "--ref", "--reference", help="Reference FASTA with its .fai.")
    ],
    index: Annotated[
        Path | None, typer.Option(help="Index of READS, where it does not lie beside it.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option("-s", "--sample", help="Which sample (SM) of READS, where it has several."),
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "-r",
            "--regions",
            metavar="REGION",
            help="contig[:start-end], comma list; may be repeated.",
        ),
    ] = None,
    regions_file: Annotated[
        Path | None, typer.Option("-R", "--regions-file", help="BED of regions.")
    ] = None,
) -> None:
    """Run all checks of the inputs, print each result, and exit 1 where something is wrong."""
    from varcall.inputs import check_inputs

    findings = check_inputs(
        reads,
        reference,
        index=index,
        sample=sample,
        regions=tuple(regions or ()),
        regions_file=regions_file,
    )
    for finding in findings:
        message = " ".join(finding.message.split())
        typer.echo(f"{finding.level:<8} {finding.check:<10} {message}")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
