"""Annotated pictures of a locus: what the model is shown, asked, and answers."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from varcall.errors import InputError, UsageError
from varcall.evidence.window import Evidence
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region, split_region_list
from varcall.options import DEFAULT_MODEL
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.output.checks import (
    check_outputs,
    file_outputs,
    model_inputs,
    present_outputs,
    reads_inputs,
    reference_inputs,
)
from varcall.output.html import report_packages
from varcall.show.viewer import Question, distances, open_viewer, questions_of

logger = logging.getLogger(__name__)

# A candidate this near is meant: callers anchor the same indel at different bases.
SEARCH_DISTANCE = 20


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Options of ``varcall show``.

    Attributes
    ----------
    reads, index, reference, allow_other_reference, sample
        As in `varcall.options.CallOptions`.
    position
        `contig:pos`, 1-based.
    output
        PNG to write; `NAME.1.png`, `NAME.2.png`, ... where there are several questions.
    alt
        The ALT to ask about, or two with a comma; None asks about all, and about all pairs.
    model
        Weights that answer; None takes the bundled ones, or no answer where there are none.
    """

    reads: Path
    reference: Path
    position: str
    output: Path = Path("locus.png")
    alt: str | None = None
    index: Path | None = None
    allow_other_reference: bool = False
    sample: str | None = None
    model: str | None = None

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
        from pileup.image.annotated import Label, render
    _check_files(options)
    check_writable(options.output)
    inputs = open_inputs(
        options.reads,
        options.reference,
        index=options.index,
        sample=options.sample,
        regions=(options.position,),
        allow_other_reference=options.allow_other_reference,
    )
    place = _single_position(inputs, options.position)
    start, end = max(0, place.start - SEARCH_DISTANCE), place.end + SEARCH_DISTANCE
    with open_viewer(inputs, options.model) as viewer:
        evidence = viewer.look(Region(place.contig, start, end))
        asked = viewer.ask(evidence, _chosen(evidence, place, options))
    paths = list(_paths(options.output, len(asked)))
    for item, path in zip(asked, paths, strict=True):
        label = Label(
            contig=place.contig,
            start=item.question.start,
            ref=item.question.ref,
            alts=item.question.alts,
            sample=inputs.sample,
            prompt=item.prompt,
            answer=item.answer,
        )
        with AtomicOutput(path) as output:
            output.path.write_bytes(render(item.image, label))
    return paths


def _check_files(options: ShowOptions) -> None:
    output = options.output
    check_outputs(
        [
            *file_outputs("--output", output),
            *present_outputs("--output", output.parent, f"{output.stem}.", f"*{output.suffix}"),
        ],
        [
            *reads_inputs(options.reads, options.index),
            *reference_inputs(options.reference),
            *model_inputs(options.model or DEFAULT_MODEL),
        ],
    )


def _single_position(inputs: Inputs, text: str) -> Region:
    """Return the one base that is meant by `contig:pos`."""
    region = inputs.regions[0]
    is_open = region.end == inputs.contigs[region.contig]
    if len(split_region_list(text)) > 1 or not (is_open or len(region) == 1):
        raise UsageError(f"-r {text} is a range: give one position, contig:pos")
    return Region(region.contig, region.start, region.start + 1)


def _chosen(evidence: Evidence, place: Region, options: ShowOptions) -> list[Question]:
    """Return the questions of the nearest candidate, or those that --alt names."""
    sites = np.unique(evidence.questions.site)
    if not len(sites):
        covering = (evidence.reads.read_start <= place.start) & (
            evidence.reads.read_end > place.start
        )
        raise InputError(
            f"there is no candidate within {SEARCH_DISTANCE} bp of "
            f"{place.contig}:{place.start + 1} in {options.reads} ({int(covering.sum())} usable "
            f"reads cover it): give the POS of an allele that at least two reads show"
        )
    distance = distances(evidence, sites, place.start)
    if distance.min() > 0:
        nearest = evidence.sites.start[sites[distance.argmin()]]
        logger.info("the nearest candidate is at %s:%d", place.contig, nearest + 1)
    questions = questions_of(evidence, sites[distance == distance.min()])
    if options.alt is None:
        return questions
    wanted = set(options.alt.upper().split(","))
    named = [question for question in questions if set(question.site_alts) == wanted]
    if not named:
        known = dict.fromkeys(alt for question in questions for alt in question.site_alts)
        raise InputError(
            f"no candidate at {place.contig}:{place.start + 1} has the ALT {options.alt}: "
            f"choose one of, or two of one site of, {', '.join(known)}"
        )
    return named


def _paths(output: Path, count: int) -> Iterator[Path]:
    """Name one file per question: the name given, or numbered where there are several."""
    if count == 1:
        yield output
        return
    for number in range(1, count + 1):
        yield output.with_suffix(f".{number}{output.suffix}")
