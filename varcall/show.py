"""Annotated pictures of a locus: what the model is shown, asked, and answers."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.engine import load_engine
from models.prompt import PromptContext, decode
from models.registry import BUNDLED_SHA256
from varcall.alleles import trim
from varcall.atomic import AtomicOutput, check_writable
from varcall.candidates import CandidateThresholds
from varcall.errors import InputError, OutputError, UsageError
from varcall.evidence import Evidence, gather, load_window, reference_of
from varcall.inputs import Inputs, open_alignments, open_inputs
from varcall.options import DEFAULT_MODEL
from varcall.profile import measure_profile
from varcall.prompts import question_tokens
from varcall.reads import ReadFilter
from varcall.reference import Reference
from varcall.regions import Region, split_region_list
from varcall.worker import check_model

logger = logging.getLogger(__name__)

# A candidate this near is meant: callers anchor the same indel at different bases.
SEARCH_DISTANCE = 20


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Options of ``varcall show``.

    Attributes
    ----------
    reads, index, reference, sample
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
    sample: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.output.suffix.lower() != ".png":
            raise UsageError(f"--output {self.output} is no PNG: give a name that ends in .png")


@dataclass(frozen=True, slots=True)
class _Question:
    """One question of a locus: its place among the evidence's questions, and its alleles."""

    index: int
    start: int
    ref: str
    alts: tuple[str, ...]
    site_alts: tuple[str, ...]


def run_show(options: ShowOptions) -> list[Path]:
    """Draw the candidate at a position, one picture per question; return the files written.

    Raises
    ------
    InputError
        No candidate within 20 bases, no such ALT, or files that cannot be used.
    OutputError
        The picture cannot be written, or matplotlib is missing.
    """
    try:
        from pileup.show import Label, render
    except ModuleNotFoundError as error:
        raise OutputError(
            f"pictures need {error.name}; install it with: pip install 'varcall-pileup[report]'"
        ) from None
    check_writable(options.output)
    inputs = open_inputs(
        options.reads,
        options.reference,
        index=options.index,
        sample=options.sample,
        regions=(options.position,),
    )
    place = _single_position(inputs, options.position)
    evidence = _look(inputs, place)
    questions = _chosen(evidence, place, options)
    profile = measure_profile(inputs)
    chosen = np.array([question.index for question in questions])
    images = evidence.images(chosen)
    tokens = question_tokens(evidence, PromptContext.from_profile(profile))[chosen]
    answers = _answers(images, tokens, evidence.features(profile)[chosen], options.model)
    paths = list(_paths(options.output, len(questions)))
    for row, (question, path) in enumerate(zip(questions, paths, strict=True)):
        label = Label(
            contig=place.contig,
            start=question.start,
            ref=question.ref,
            alts=question.alts,
            sample=inputs.sample,
            prompt=decode(tokens[row]),
            answer=answers[row] if answers else (),
        )
        with AtomicOutput(path) as output:
            output.path.write_bytes(render(images[row], label))
    return paths


def _single_position(inputs: Inputs, text: str) -> Region:
    """Return the one base that is meant by `contig:pos`."""
    region = inputs.regions[0]
    is_open = region.end == inputs.contigs[region.contig]
    if len(split_region_list(text)) > 1 or not (is_open or len(region) == 1):
        raise UsageError(f"-r {text} is a range: give one position, contig:pos")
    return Region(region.contig, region.start, region.start + 1)


def _look(inputs: Inputs, place: Region) -> Evidence:
    """Gather the candidates near a position, seen as in any window."""
    start, end = max(0, place.start - SEARCH_DISTANCE), place.end + SEARCH_DISTANCE
    with open_alignments(inputs) as alignments, Reference(inputs.reference) as reference:
        window = Region(place.contig, start, end)
        reads = load_window(alignments, window, ReadFilter(), inputs.read_groups)
        codes = reference_of(reads, reference)
    return gather(reads, codes, start, end, CandidateThresholds())


def _chosen(evidence: Evidence, place: Region, options: ShowOptions) -> list[_Question]:
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
    starts = evidence.sites.start[sites]
    ends = starts + evidence.sites.ref_length[sites]
    # A position inside REF is at no distance, so any base of a deletion finds it.
    distance = np.maximum(0, np.maximum(starts - place.start, place.start - ends + 1))
    nearest = sites[distance == distance.min()]
    if distance.min() > 0:
        logger.info(
            "the nearest candidate is at %s:%d", place.contig, starts[distance.argmin()] + 1
        )
    questions = [
        _question(evidence, int(index))
        for index in np.flatnonzero(np.isin(evidence.questions.site, nearest))
    ]
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


def _question(evidence: Evidence, index: int) -> _Question:
    site, mask = int(evidence.questions.site[index]), int(evidence.questions.alleles[index])
    ref, alts = evidence.alleles(site)
    asked = [alt for bit, alt in enumerate(alts) if mask >> bit & 1]
    _, short_ref, short_alts = trim(0, ref, asked)
    return _Question(index, int(evidence.sites.start[site]), short_ref, short_alts, tuple(asked))


def _answers(
    images: NDArray[np.uint8],
    tokens: NDArray[np.int32],
    features: NDArray[np.float32],
    model: str | None,
) -> list[tuple[float, ...]]:
    """Return P of 0, 1 and 2 copies of each question; nothing where there is no model."""
    if model is None and DEFAULT_MODEL not in BUNDLED_SHA256:
        return []
    name = DEFAULT_MODEL if model is None else model
    engine = load_engine(name)
    check_model(engine.card, name)
    return [tuple(row) for row in engine.predict(images, tokens, features).tolist()]


def _paths(output: Path, count: int) -> Iterator[Path]:
    """Name one file per question: the name given, or numbered where there are several."""
    if count == 1:
        yield output
        return
    for number in range(1, count + 1):
        yield output.with_suffix(f".{number}{output.suffix}")
