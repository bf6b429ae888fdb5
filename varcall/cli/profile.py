"""``varcall profile``: measure what a library's reads are like."""

from typing import Annotated

import typer

from varcall.cli.arguments import AllowOtherReference, Index, Reads, Reference, Sample


def profile(
    reads: Reads,
    *,
    reference: Reference,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    sample: Sample = None,
    output: Annotated[
        str, typer.Option("-o", "--output", help="JSON to write; - is standard output.")
    ] = "-",
) -> None:
    """Measure depth, insert size, error rate and homopolymer slippage from a sample of reads."""
    from varcall.inputs.open import open_inputs
    from varcall.log import configure_logging
    from varcall.output.atomic import AtomicOutput, check_writable
    from varcall.output.checks import check_outputs, file_outputs, reads_inputs, reference_inputs
    from varcall.reads.measure_library import measure_profile

    configure_logging()
    check_outputs(
        file_outputs("--output", output),
        [*reads_inputs(reads, index), *reference_inputs(reference)],
    )
    check_writable(output)
    inputs = open_inputs(
        reads,
        reference,
        index=index,
        sample=sample,
        allow_other_reference=allow_other_reference,
    )
    measured = measure_profile(inputs)
    if output == "-":
        typer.echo(measured.to_json())
    else:
        with AtomicOutput(output) as out:
            out.path.write_text(measured.to_json() + "\n")
