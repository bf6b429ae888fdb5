"""Examples cut from a simulated sample, and what is known of reads that nobody simulated."""

from pathlib import Path

import numpy as np

from varcall.simulate import SimulatedSample
from varcall.training.make_examples import DEFAULT_SPAN, ExamplesOptions, run_examples
from varcall.training.origins import UNKNOWN_MOLECULE, Origins


def cut_sample(sample: SimulatedSample, folder: Path, span: int = DEFAULT_SPAN) -> list[Path]:
    """Cut all of a sample into a folder; return the files by name."""
    run_examples(
        ExamplesOptions(
            reference=sample.reference,
            output=folder,
            reads=sample.bam,
            truth=sample.truth,
            span=span,
        )
    )
    return sorted(folder.iterdir())


def unknown_origins(n: int) -> Origins:
    """Return the origins of n real reads."""
    return Origins(
        np.full(n, UNKNOWN_MOLECULE, np.int32), np.full(n, -1, np.int32), np.zeros(n, np.uint8)
    )
