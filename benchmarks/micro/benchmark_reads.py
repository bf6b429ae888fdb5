"""Reads per second from a BAM, and from a CRAM of the same reads, into arrays."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.inputs.cram import as_cram
from benchmarks.micro.conftest import Count
from varcall.evidence.window import EvidenceReader
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region


@pytest.mark.parametrize("form", ["bam", "cram"])
def benchmark_reads(
    count: Count, form: str, inputs: Inputs, spans: tuple[Region, ...], tmp_path: Path
) -> None:
    """Load window after window, as a worker does; a source keeps what windows share."""
    if form == "cram":
        cram = as_cram(inputs.reads, inputs.reference, tmp_path)
        inputs = replace(open_inputs(cram, inputs.reference), regions=inputs.regions)

    def load() -> int:
        with EvidenceReader(inputs) as reader:
            return sum(len(reader.load(span).reads) for span in spans)

    count("reads", load)
