"""``varcall merge``: one call set from the shards of a run."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults
from varcall.cli.arguments import NoWriteIndex, OutputType, VcfOutput


def merge(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="SHARD...", help="VCF or BCF files of one run.")
    ],
    *,
    output: VcfOutput = defaults.STDOUT,
    output_type: OutputType = None,
    no_write_index: NoWriteIndex = False,
) -> None:
    """Merge the shards of a run (varcall call --shard I/N) into the unsharded run's output."""
    from varcall.output.merge import MergeOptions, merge_shards

    merge_shards(
        MergeOptions(
            inputs=tuple(inputs),
            output=output,
            output_type=output_type,
            write_index=not no_write_index,
        )
    )
