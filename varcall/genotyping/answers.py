"""The answers to a window's questions: the feature model's where it is sure, else with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.errors import ModelError
from models.feature_model.triage import Triage
from models.inference.engine import Engine, load_engine
from models.inference.rounding import rounded
from models.quality_map import QualityMap
from models.tasks import COPIES, TASKS
from models.weights.weights_file import load_triage
from pileup.spec import SPEC
from varcall.clock import Clock, no_clock
from varcall.evidence.features import FEATURES
from varcall.genotyping.prior import with_prior
from varcall.genotyping.questions import Questions
from varcall.options import DEFAULT_BATCH_SIZE
from varcall.reads.seen_libraries import SeenLibraries


@dataclass(frozen=True, slots=True)
class Answers:
    """P of 0, 1 and 2 copies of q questions, float32 [q, 3]; `pictured` int64, those with one."""

    probabilities: NDArray[np.float32]
    pictured: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CallingModel:
    """The model that answers: its feature model where that is sure, its network elsewhere.

    Attributes
    ----------
    engine
        Answers with a picture.
    triage
        The feature model; None where the weights have none.
    quality_map
        What the answers' GQs are worth, those of trees and those of pictures.
    snv_density
        SNVs per base of the samples of training; None where it is not known.
    every_picture
        Ask about the picture even where the feature model is sure.
    batch_size
        Pictures drawn at a time.
    """

    engine: Engine
    triage: Triage | None
    quality_map: QualityMap = field(default_factory=QualityMap)
    snv_density: float | None = None
    every_picture: bool = False
    batch_size: int = DEFAULT_BATCH_SIZE

    def answer(self, questions: Questions, clock: Clock = no_clock) -> Answers:
        """Answer all questions of a window, as the prior of the sample has it.

        Parameters
        ----------
        clock
            Times the stages "triage", "prompts", "images" and "model".
        """
        answers, pictured = self._opinion(questions, clock)
        calibrated = self.quality_map.apply(answers)
        density = questions.profile.snv_density
        return Answers(with_prior(calibrated, density, self.snv_density), pictured)

    def _opinion(
        self, questions: Questions, clock: Clock
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return what trees and network say, and which questions had a picture."""
        everything = np.arange(len(questions))
        if self.triage is None:
            return self.ask(questions, everything, COPIES.name, clock=clock), everything
        with clock("triage"):
            answers = self.triage.predict(questions.features, questions.likelihoods)
            # The feature model knows no ploidy: what looks heterozygous to it in a haploid is
            # something else, and needs to be looked at.
            is_sure = self.triage.is_sure(answers)
            is_sure &= ~questions.is_haploid | (answers.argmax(axis=1) != 1)
            unsure = everything if self.every_picture else everything[~is_sure]
        pictured = self.ask(questions, unsure, COPIES.name, clock=clock)
        answers[unsure] = self.triage.pool(pictured, answers[unsure])
        return answers, unsure

    def ask(
        self,
        questions: Questions,
        asked: NDArray[np.int64],
        task: str,
        others: Sequence[int] | None = None,
        clock: Clock = no_clock,
    ) -> NDArray[np.float32]:
        """Ask the network alone, with a picture: float32 [n, options of the task].

        Parameters
        ----------
        asked
            Which questions, n of them.
        task
            Name of the task.
        others
            Where the task names a second variant: the question about it, one for each.
        clock
            Times the stages "prompts", "images" and "model".
        """
        answers = np.empty((len(asked), len(TASKS[task].options)), np.float32)
        for first in range(0, len(asked), self.batch_size):
            batch = slice(first, first + self.batch_size)
            chosen = asked[batch]
            second = None if others is None else others[batch]
            with clock("prompts"):
                tokens = questions.tokens(chosen, task, second)
            with clock("images"):
                images = questions.images(chosen, second)
            with clock("model"):
                features, counted = questions.features[chosen], questions.likelihoods[chosen]
                answers[batch] = rounded(
                    self.engine.predict(images, tokens, features, counted, task)
                )
        return answers


def load_calling_model(model: str) -> CallingModel:
    """Load bundled weights by name, or a weights file, into one single-threaded process.

    Raises
    ------
    ModelError
        As `load_engine` and `calling_model` do.
    """
    return calling_model(load_engine(model), model)


def calling_model(
    engine: Engine,
    model: str,
    *,
    every_picture: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> CallingModel:
    """Return the model, given the engine that has its weights.

    Raises
    ------
    ModelError
        As `check_model`, `load_triage` and `SeenLibraries.of_training` do.
    """
    check_model(engine.card, model)
    return CallingModel(
        engine,
        load_triage(model),
        engine.card.quality_map,
        SeenLibraries.of_training(engine.card.training, model).snv_density,
        every_picture,
        batch_size,
    )


def check_model(card: ModelCard, name: str) -> None:
    """Refuse weights that were trained on other pictures or other measurements than ours.

    Raises
    ------
    ModelError
        Naming what differs.
    """
    for what, theirs, ours in (
        ("pileup images", card.pileup_spec, SPEC.to_dict()),
        ("features", card.features, FEATURES),
    ):
        if theirs != ours:
            raise ModelError(
                f"model {name} was trained on other {what} than this version makes; "
                f"use the weights that come with it, or train again"
            )
