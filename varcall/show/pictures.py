"""Annotated pictures of a locus: what the model is shown, asked, and answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import UsageError
from varcall.options import CallOptions
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.output.checks import (
    check_outputs,
    file_outputs,
    present_outputs,
)
from varcall.output.html import report_packages
from varcall.pipeline import open_sample, sample_inputs
from varcall.show.locus import questions_at, search_window, single_position
from varcall.show.viewer import Asked, open_viewer


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Options of ``varcall show``.

    Attributes
    ----------
    call
        The reads, and how `varcall call` would call them; its output and regions count for nothing.
    position
        `contig:pos`, 1-based.
    output
        PNG to write; `NAME.1.png`, `NAME.2.png`, ... where there are several questions.
    alt
        The ALT to ask about, or two with a comma; None asks about all, and about all pairs.
    """

    call: CallOptions
    position: str
    output: Path = Path("locus.png")
    alt: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.output.suffix.lower() != ".png":
            raise UsageError(f"--output {self.output} is no PNG: give a name that ends in .png")


def run_show(options: ShowOptions) -> list[Path]:
    """Draw the candidate at a position, one picture per question; return the files written.

    Raises
    ------
    InputError
        No candidate within 20 bases, no such ALT, or files that cannot be used.
    OutputError
        The picture cannot be written, or matplotlib is missing.
    """
    with report_packages():
        import pileup.image.annotated  # noqa: F401  # before any work
    _check_files(options)
    check_writable(options.output)
    call = options.call
    inputs = open_sample(call, regions=(options.position,))
    place = single_position(inputs, options.position)
    with open_viewer(call, inputs) as viewer:
        questions = viewer.look(search_window(place))
        asked = viewer.ask(questions, questions_at(questions, place, call.reads, options.alt))
    paths = list(_paths(options.output, len(asked)))
    for item, path in zip(asked, paths, strict=True):
        with AtomicOutput(path) as output:
            output.path.write_bytes(annotated_png(item, place.contig, inputs.sample))
    return paths


def annotated_png(item: Asked, contig: str, sample: str) -> bytes:
    """Return the picture of a question, annotated for people, as PNG.

    Raises
    ------
    OutputError
        matplotlib is missing.
    """
    with report_packages():
        from pileup.image.annotated import Label, render
    label = Label(
        contig=contig,
        start=item.alleles.start,
        ref=item.alleles.ref,
        alts=item.alleles.alts,
        sample=sample,
        prompt=item.prompt,
        answer=item.answer,
    )
    return render(item.image, label)


def _check_files(options: ShowOptions) -> None:
    call, output = options.call, options.output
    check_outputs(
        [
            *file_outputs("--output", output),
            *present_outputs("--output", output.parent, f"{output.stem}.", f"*{output.suffix}"),
        ],
        sample_inputs(call),
    )


def _paths(output: Path, count: int) -> Iterator[Path]:
    """Name one file per question: the name given, or numbered where there are several."""
    if count == 1:
        yield output
        return
    for number in range(1, count + 1):
        yield output.with_suffix(f".{number}{output.suffix}")
