"""Examples cut from a simulated sample."""

from pathlib import Path

from varcall.simulate import SimulatedSample
from varcall.training.make_examples import DEFAULT_SPAN, ExamplesOptions, run_examples


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
