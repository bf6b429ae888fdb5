"""Looking at one place: its candidates, the model's questions about them, and its answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.prompt import decode
from models.tasks import COPIES
from varcall.evidence.window import Evidence, EvidenceReader
from varcall.genotyping.answers import CallingModel
from varcall.genotyping.questions import AskedAlleles, Questions, questions_about
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import plan_worker
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.workers.plan import WorkerPlan, model_of


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was put to the model.

    Attributes
    ----------
    alleles
        What was asked about.
    image
        uint8 [224, 224, 3].
    prompt
        The prompt in words.
    features
        float32 [N_FEATURES], in the order of `varcall.evidence.features.FEATURES`.
    answer
        P of each option of the task; of "copies", as a call takes it: the feature model's where it
        is sure.
    """

    alleles: AskedAlleles
    image: NDArray[np.uint8]
    prompt: str
    features: NDArray[np.float32]
    answer: tuple[float, ...]


class Viewer:
    """Looks at places of one sample as a worker of `varcall call` does; made by `open_viewer`.

    Parameters
    ----------
    plan
        What a worker would be given.
    reader
        The sample's reads and reference, opened.
    model
        The plan's model, where it is loaded already.
    """

    def __init__(
        self, plan: WorkerPlan, reader: EvidenceReader, model: CallingModel | None = None
    ) -> None:
        self.plan = plan
        self.reference = reader.reference
        self._reader = reader
        self._loaded = model

    @cached_property
    def _model(self) -> CallingModel:
        return model_of(self.plan) if self._loaded is None else self._loaded

    def look(self, window: Region) -> Questions:
        """Return the questions about the candidates that start in a window."""
        plan = self.plan
        evidence = self._reader.read(window)
        ploidy = plan.ploidy.at(window.contig, evidence.sites.start)
        return questions_about(evidence, plan.profile, ploidy)

    def ask(
        self,
        questions: Questions,
        chosen: NDArray[np.int64],
        task: str = COPIES.name,
        other: int | None = None,
    ) -> list[Asked]:
        """Put the chosen questions to the model.

        Parameters
        ----------
        task
            Name of the task, of `models.tasks.TASKS`.
        other
            Where the task names a second variant: the question that is about it.
        """
        if not len(chosen):
            return []
        others = None if other is None else [other] * len(chosen)
        if task == COPIES.name:
            answers = self._model.answer(questions.about(chosen)).probabilities
        else:
            answers = self._model.ask(questions, chosen, task, others)
        tokens = questions.tokens(chosen, task, others)
        columns = zip(
            chosen.tolist(), questions.images(chosen, others), tokens, answers.tolist(), strict=True
        )
        return [
            Asked(
                questions.alleles(row), image, decode(words), questions.features[row], tuple(answer)
            )
            for row, image, words, answer in columns
        ]


@contextmanager
def open_viewer(
    call: CallOptions, inputs: Inputs, profile: LibraryProfile | None = None
) -> Iterator[Viewer]:
    """Open the reads and the reference of a call for looking at places.

    Parameters
    ----------
    call
        What `varcall call` would be asked to do.
    inputs
        Its reads and reference, checked.
    profile
        The library's, where it was measured before.

    Raises
    ------
    InputError
        They cannot be opened.
    """
    plan = plan_worker(call, inputs, profile or measure_profile(inputs))
    with EvidenceReader(plan.inputs, plan.evidence) as reader:
        yield Viewer(plan, reader)


def distances(evidence: Evidence, sites: NDArray[np.integer], start: int) -> NDArray[np.int64]:
    """Return the distance of sites from a position (0-based); 0 for one inside their REF.

    So any base of a deletion finds it.
    """
    starts = evidence.sites.start[sites]
    ends = starts + evidence.sites.ref_length[sites]
    return np.asarray(np.maximum(0, np.maximum(starts - start, start - ends + 1)))


def questions_of(questions: Questions, sites: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return which questions are about some sites, int64 [n], in their order."""
    return np.flatnonzero(np.isin(questions.site, sites))
