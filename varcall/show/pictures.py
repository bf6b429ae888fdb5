"""Annotated pictures of a locus: what the model is shown, asked, and answers."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from varcall.errors import InputError, UsageError
from varcall.genotyping.questions import Questions
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region, split_region_list
from varcall.options import CallOptions
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.output.checks import (
    check_outputs,
    file_outputs,
    present_outputs,
)
from varcall.output.html import report_packages
from varcall.pipeline import open_sample, sample_inputs
from varcall.show.viewer import distances, open_viewer, questions_of

logger = logging.getLogger(__name__)

# A candidate this near is meant: callers anchor the same indel at different bases.
SEARCH_DISTANCE = 20


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
        from pileup.image.annotated import Label, render
    _check_files(options)
    check_writable(options.output)
    call = options.call
    inputs = open_sample(call, regions=(options.position,))
    place = _single_position(inputs, options.position)
    start, end = max(0, place.start - SEARCH_DISTANCE), place.end + SEARCH_DISTANCE
    with open_viewer(call, inputs) as viewer:
        questions = viewer.look(Region(place.contig, start, end))
        asked = viewer.ask(questions, _chosen(questions, place, options))
    paths = list(_paths(options.output, len(asked)))
    for item, path in zip(asked, paths, strict=True):
        label = Label(
            contig=place.contig,
            start=item.alleles.start,
            ref=item.alleles.ref,
            alts=item.alleles.alts,
            sample=inputs.sample,
            prompt=item.prompt,
            answer=item.answer,
        )
        with AtomicOutput(path) as output:
            output.path.write_bytes(render(item.image, label))
    return paths


def _check_files(options: ShowOptions) -> None:
    call, output = options.call, options.output
    check_outputs(
        [
            *file_outputs("--output", output),
            *present_outputs("--output", output.parent, f"{output.stem}.", f"*{output.suffix}"),
        ],
        sample_inputs(call),
    )


def _single_position(inputs: Inputs, text: str) -> Region:
    """Return the one base that is meant by `contig:pos`."""
    region = inputs.regions[0]
    is_open = region.end == inputs.contigs[region.contig]
    if len(split_region_list(text)) > 1 or not (is_open or len(region) == 1):
        raise UsageError(f"-r {text} is a range: give one position, contig:pos")
    return Region(region.contig, region.start, region.start + 1)


def _chosen(questions: Questions, place: Region, options: ShowOptions) -> NDArray[np.int64]:
    """Return which questions are about the nearest candidate, or about what --alt names."""
    evidence = questions.evidence
    sites = np.unique(questions.site)
    if not len(sites):
        covering = (evidence.reads.read_start <= place.start) & (
            evidence.reads.read_end > place.start
        )
        raise InputError(
            f"there is no candidate within {SEARCH_DISTANCE} bp of "
            f"{place.contig}:{place.start + 1} in {options.call.reads} ({int(covering.sum())} "
            f"usable reads cover it): give the POS of an allele that at least two reads show"
        )
    distance = distances(evidence, sites, place.start)
    if distance.min() > 0:
        nearest = evidence.sites.start[sites[distance.argmin()]]
        logger.info("the nearest candidate is at %s:%d", place.contig, nearest + 1)
    nearest_ones = questions_of(questions, sites[distance == distance.min()])
    if options.alt is None:
        return nearest_ones
    wanted = set(options.alt.upper().split(","))
    alts = [questions.alleles(index).site_alts for index in nearest_ones.tolist()]
    named = [set(site_alts) == wanted for site_alts in alts]
    if not any(named):
        known = dict.fromkeys(alt for site_alts in alts for alt in site_alts)
        raise InputError(
            f"no candidate at {place.contig}:{place.start + 1} has the ALT {options.alt}: "
            f"choose one of, or two of one site of, {', '.join(known)}"
        )
    return nearest_ones[named]


def _paths(output: Path, count: int) -> Iterator[Path]:
    """Name one file per question: the name given, or numbered where there are several."""
    if count == 1:
        yield output
        return
    for number in range(1, count + 1):
        yield output.with_suffix(f".{number}{output.suffix}")
