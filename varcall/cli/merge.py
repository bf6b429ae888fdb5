"""``varcall merge``: one call set from the shards of a run."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults


def merge(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="SHARD...", help="VCF or BCF files of one run.")
    ],
    *,
    output: Annotated[
        str, typer.Option("-o", "--output", help="VCF or BCF to write; - is standard output.")
    ] = defaults.STDOUT,
    output_type: Annotated[
        str | None,
        typer.Option(
            "-O", "--output-type", help="v|z[0-9]|u|b[0-9]; the output's suffix when absent."
        ),
    ] = None,
    no_write_index: Annotated[
        bool, typer.Option("--no-write-index", help="Do not index a compressed output.")
    ] = False,
) -> None:
    """Merge the shards of a run (varcall call --shard I/N) into the unsharded run's output."""
    from varcall.merge import MergeOptions, merge_shards

    merge_shards(
        MergeOptions(
            inputs=tuple(inputs),
            output=output,
            output_type=output_type,
            write_index=not no_write_index,
        )
    )
