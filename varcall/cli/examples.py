"""Cut reads with known truth into examples to train on."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from varcall.cli.arguments import AllowOtherReference, Reference, Regions, Threads


def examples(
    reads: Annotated[
        Path | None, typer.Argument(help="Coordinate-sorted, indexed BAM or CRAM.")
    ] = None,
    *,
    reference: Reference,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the example files.")],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Truth VCF of the reads, indexed.")
    ] = None,
    confident: Annotated[
        Path | None, typer.Option("--confident", help="BED of where the truth is complete.")
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", help="Instead of READS: a folder made by varcall simulate."),
    ] = None,
    allow_other_reference: AllowOtherReference = False,
    regions: Regions = None,
    span: Annotated[int, typer.Option("--span", help="Bases per example file.")] = 100_000,
    threads: Threads = 1,
) -> None:
    """Cut reads with known truth into examples to train on."""
    from varcall.training.make_examples import ExamplesOptions, run_examples

    written = run_examples(
        ExamplesOptions(
            reference=reference,
            output=output,
            reads=reads,
            truth=truth,
            confident=confident,
            samples=samples,
            regions=tuple(regions or ()),
            allow_other_reference=allow_other_reference,
            span=span,
            threads=threads,
        )
    )
    print(f"{written} example files in {output}", file=sys.stderr)
