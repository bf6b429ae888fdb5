"""What `varcall call` reads and writes."""

from varcall.options import CallOptions
from varcall.output.checks import (
    Output,
    check_outputs,
    file_inputs,
    file_outputs,
    model_inputs,
    present_outputs,
    reads_inputs,
    reference_inputs,
    vcf_outputs,
)
from varcall.workers.finished_windows import FILES


def check_call_files(options: CallOptions) -> None:
    """See that no output of a call is one of its inputs, or another of its outputs.

    Raises
    ------
    OutputError
        One is.
    """
    outputs = [
        *vcf_outputs("--output", options.output),
        *file_outputs("--timings", options.timings),
        *file_outputs("--log-file", options.log_file),
    ]
    if options.workdir is not None:
        outputs.append(Output("--workdir", options.workdir, is_folder=True))
        for pattern in FILES:
            outputs += present_outputs("--workdir", options.workdir, "", pattern)
    check_outputs(
        outputs,
        [
            *reads_inputs(options.reads, options.index),
            *reference_inputs(options.reference),
            *file_inputs("the regions file", options.regions_file),
            *model_inputs(options.model),
        ],
    )
