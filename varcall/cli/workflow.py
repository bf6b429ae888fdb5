"""``varcall workflow``: the Snakemake workflow and wrapper that come with varcall."""

from pathlib import Path
from typing import Annotated

import typer

from varcall.errors import UsageError


def workflow(
    *,
    path: Annotated[bool, typer.Option("--path", help="Print the path of the Snakefile.")] = False,
    copy: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Copy Snakefile, schema, example and wrapper into a new folder."
        ),
    ] = None,
) -> None:
    """Say where the Snakemake workflow lies, or copy it."""
    from varcall.workflow import SNAKEFILE, copy_workflow

    if path == (copy is not None):
        raise UsageError("give one of --path and --copy DIR")
    if copy is None:
        print(SNAKEFILE)
    else:
        copy_workflow(copy)
