"""Looking at one place: its candidates, the model's questions about them, and its answers."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.prompt import PromptContext, decode
from models.registry import BUNDLED_SHA256
from varcall.evidence.alleles import trim
from varcall.evidence.candidates import CandidateThresholds
from varcall.evidence.window import Evidence, gather, load_window, reference_of
from varcall.genotyping.answers import Answerer, load_answerer
from varcall.genotyping.questions import question_tokens
from varcall.inputs.open import Inputs
from varcall.inputs.reference import Reference
from varcall.inputs.regions import Region
from varcall.options import DEFAULT_MODEL
from varcall.reads.batch import ReadFilter
from varcall.reads.library_profile import LibraryProfile, measure_profile
from varcall.reads.loader import RecordReads
from varcall.reads.open import open_reads


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a place.

    Attributes
    ----------
    index
        Its number among the evidence's questions.
    site
        Its site's number.
    start
        The site's start, 0-based.
    ref, alts
        The one or two alleles asked about, trimmed.
    site_alts
        The same as the site's record spells them.
    """

    index: int
    site: int
    start: int
    ref: str
    alts: tuple[str, ...]
    site_alts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was put to the model.

    Attributes
    ----------
    question
        What was asked.
    image
        uint8 [224, 224, 3].
    prompt
        The prompt in words.
    features
        float32 [N_FEATURES], in the order of `varcall.evidence.features.FEATURES`.
    answer
        P of 0, 1 and 2 copies; empty where no model was asked.
    """

    question: Question
    image: NDArray[np.uint8]
    prompt: str
    features: NDArray[np.float32]
    answer: tuple[float, ...]


class Viewer:
    """Looks at places of one sample; made by `open_viewer`.

    Parameters
    ----------
    inputs
        Checked reads and reference.
    source, reference
        The same, opened.
    model
        Weights that answer; None takes the bundled ones, or no answer where there are none.
    """

    def __init__(
        self, inputs: Inputs, source: RecordReads, reference: Reference, model: str | None
    ) -> None:
        self.inputs = inputs
        self.reference = reference
        self._source = source
        is_absent = model is None and DEFAULT_MODEL not in BUNDLED_SHA256
        self.model = None if is_absent else model or DEFAULT_MODEL

    @cached_property
    def profile(self) -> LibraryProfile:
        """The sample's library profile."""
        return measure_profile(self.inputs)

    @cached_property
    def _answerer(self) -> Answerer | None:
        return None if self.model is None else load_answerer(self.model)

    def look(self, window: Region) -> Evidence:
        """Gather the candidates that start in a window, seen as `varcall call` sees them."""
        reads = load_window(self._source, window, ReadFilter(), self.inputs.read_groups)
        codes = reference_of(reads, self.reference)
        return gather(reads, codes, window.start, window.end, CandidateThresholds())

    def ask(self, evidence: Evidence, questions: Sequence[Question]) -> list[Asked]:
        """Put questions to the model, as `varcall call` does."""
        chosen = np.array([question.index for question in questions], np.int64)
        asked = evidence.about(chosen)
        images = asked.images()
        context = PromptContext.from_profile(self.profile)
        tokens = question_tokens(asked, context)
        features = asked.features(self.profile)
        answers: list[tuple[float, ...]] = [()] * len(questions)
        if self._answerer is not None and len(questions):
            predicted = self._answerer.answer(asked, context, features)
            answers = [tuple(row) for row in predicted.probabilities.tolist()]
        return [
            Asked(question, images[row], decode(tokens[row]), features[row], answers[row])
            for row, question in enumerate(questions)
        ]


@contextmanager
def open_viewer(inputs: Inputs, model: str | None) -> Iterator[Viewer]:
    """Open the reads and the reference for looking at places.

    Raises
    ------
    InputError
        They cannot be opened.
    """
    with ExitStack() as files:
        source = files.enter_context(open_reads(inputs))
        reference = files.enter_context(Reference(inputs.reference))
        yield Viewer(inputs, source, reference, model)


def distances(evidence: Evidence, sites: NDArray[np.integer], start: int) -> NDArray[np.int64]:
    """Return the distance of sites from a position (0-based); 0 for one inside their REF.

    So any base of a deletion finds it.
    """
    starts = evidence.sites.start[sites]
    ends = starts + evidence.sites.ref_length[sites]
    return np.asarray(np.maximum(0, np.maximum(starts - start, start - ends + 1)))


def questions_of(evidence: Evidence, sites: NDArray[np.integer]) -> list[Question]:
    """Return the questions about some sites, in their order."""
    return [
        _question(evidence, int(index))
        for index in np.flatnonzero(np.isin(evidence.questions.site, sites))
    ]


def _question(evidence: Evidence, index: int) -> Question:
    site, mask = int(evidence.questions.site[index]), int(evidence.questions.alleles[index])
    ref, alts = evidence.alleles(site)
    asked = [alt for bit, alt in enumerate(alts) if mask >> bit & 1]
    _, short_ref, short_alts = trim(0, ref, asked)
    start = int(evidence.sites.start[site])
    return Question(index, site, start, short_ref, short_alts, tuple(asked))
