"""``varcall joint``: one VCF from the gVCFs of several samples."""

from pathlib import Path
from typing import Annotated

import typer

from varcall import options as defaults
from varcall.cli.arguments import NoWriteIndex, OutputType, VcfOutput


def joint(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="GVCF...", help="Indexed gVCFs, one of each sample.")
    ],
    *,
    output: VcfOutput = defaults.STDOUT,
    ped: Annotated[
        Path | None,
        typer.Option(help="PED file: genotypes refined by inheritance, de novo marked."),
    ] = None,
    de_novo_prior: Annotated[
        float, typer.Option(help="With --ped: prior of an allele that is not inherited.")
    ] = defaults.DEFAULT_DE_NOVO_PRIOR,
    output_type: OutputType = None,
    no_write_index: NoWriteIndex = False,
) -> None:
    """Join the gVCFs of a family or a cohort (varcall call --gvcf) into one VCF."""
    from varcall.joint.run import JointOptions, call_jointly

    call_jointly(
        JointOptions(
            inputs=tuple(inputs),
            output=output,
            ped=ped,
            de_novo_prior=de_novo_prior,
            output_type=output_type,
            write_index=not no_write_index,
        )
    )
