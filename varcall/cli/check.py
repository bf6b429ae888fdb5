"""``varcall check``: are these inputs fit to be called, and if not, how to mend them."""

from functools import partial

import typer

from varcall import options as defaults
from varcall.cli.arguments import (
    AllowOtherReference,
    Index,
    Model,
    Reads,
    Reference,
    Regions,
    RegionsFile,
    Sample,
)


def check(
    reads: Reads,
    *,
    reference: Reference,
    index: Index = None,
    allow_other_reference: AllowOtherReference = False,
    sample: Sample = None,
    regions: Regions = None,
    regions_file: RegionsFile = None,
    model: Model = defaults.DEFAULT_MODEL,
) -> None:
    """Run all checks of the inputs, print each result, and exit 1 where something is wrong.

    Where nothing is, the library is compared with those that the model was trained on.
    """
    from varcall.inputs.open import check_inputs
    from varcall.reads.seen_libraries import check_library

    findings = check_inputs(
        reads,
        reference,
        index=index,
        sample=sample,
        regions=tuple(regions or ()),
        regions_file=regions_file,
        allow_other_reference=allow_other_reference,
        then=partial(check_library, model),
    )
    for finding in findings:
        message = " ".join(finding.message.split())
        print(f"{finding.level:<8} {finding.check:<10} {message}")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)
