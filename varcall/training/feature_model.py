"""The feature model of a training: fitted on the same spans as the picture model, before it."""

import logging
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from models.feature_model.trees import Trees
from models.feature_model.triage import Triage, TriageSettings
from models.tasks import COPIES
from models.training.feature_model import TriageRecipe, fit_trees
from varcall.errors import InputError
from varcall.evidence.features import FEATURES
from varcall.output.atomic import AtomicOutput
from varcall.training.examples import Sampling, draw_examples, half_of
from varcall.training.spans import load_span
from varcall.workers.pool import run_in_order

_log = logging.getLogger(__name__)

# Depths that each span is seen at; each is another set of reads, and so of examples.
DRAWS = 2
# Above this, a feature model that never saw the question counts as sure while pictures are chosen.
SURE_IN_TRAINING = 0.998
_BEGIN = "triage.begin"  # float64 [6]: anchor, what is decisive and counts beyond it, and biases
TRIAGE_FILES = ("triage.safetensors", "triage.half0.safetensors", "triage.half1.safetensors")


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Labelled questions without pictures.

    Features float32 [n, f], likelihoods float32 [n, 3] (`varcall.evidence.likelihood`), labels
    int64 [n]; `weights` float32 [n], by which questions count where models are fitted; `half`
    (uint8 [n]) is `half_of` the span a question comes from.
    """

    features: NDArray[np.float32]
    likelihoods: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    half: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Plan:
    sampling: Sampling
    seed: int


class _Measurer:
    """Measures the questions of one span after another; each process has its own."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan

    def call(self, path: Path) -> FeatureTable:
        parts = []
        span = load_span(path)
        for draw in range(DRAWS):
            rng = np.random.default_rng([self._plan.seed, zlib.crc32(os.fsencode(path.name)), draw])
            examples, kept = draw_examples(span, rng, self._plan.sampling)
            asked = examples.questions
            # The task of copies has all questions.
            rows = np.arange(len(examples))
            weights = examples.weights_of(COPIES.name, rows, self._plan.sampling.misled_weight)
            columns = asked.features, asked.likelihoods, examples.labels, weights
            parts.append(tuple(column[kept] for column in columns))
        features, likelihoods, labels, weights = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        half = np.full(len(labels), half_of(path), np.uint8)
        return FeatureTable(features, likelihoods, labels, weights, half)


def measure_spans(
    paths: tuple[Path, ...], sampling: Sampling, seed: int, processes: int
) -> FeatureTable:
    """Measure the questions of all spans, each at `DRAWS` depths."""
    tables = [t for _, t in run_in_order(_Measurer, _Plan(sampling, seed), paths, processes)]
    _log.info("measured %d questions of %d spans", sum(len(t.labels) for t in tables), len(paths))
    return FeatureTable(
        np.concatenate([table.features for table in tables]),
        np.concatenate([table.likelihoods for table in tables]),
        np.concatenate([table.labels for table in tables]),
        np.concatenate([table.weights for table in tables]),
        np.concatenate([table.half for table in tables]),
    )


def feature_models(
    folder: Path,
    paths: tuple[Path, ...],
    sampling: Sampling,
    recipe: TriageRecipe,
    processes: int,
) -> tuple[Triage, tuple[Triage, Triage]]:
    """Return what `fit_feature_models` fits to the spans, or what it once left in the folder."""
    files = [folder / name for name in TRIAGE_FILES]
    if not all(file.is_file() for file in files):
        table = measure_spans(paths, sampling, recipe.seed, processes)
        whole, halves = fit_feature_models(table, recipe)
        folder.mkdir(parents=True, exist_ok=True)
        for file, triage in zip(files, (whole, *halves), strict=True):
            with AtomicOutput(file) as output:
                output.path.write_bytes(_to_bytes(triage))
    whole, first, second = (_from_bytes(file.read_bytes()) for file in files)
    return whole, (first, second)


def _to_bytes(triage: Triage) -> bytes:
    known = triage.settings
    begin = np.array([known.anchor, known.decisive, known.beyond, *known.bias])
    return save(triage.trees.to_tensors() | {_BEGIN: begin})


def _from_bytes(content: bytes) -> Triage:
    tensors = load(content)
    anchor, decisive, beyond, *bias = tensors[_BEGIN].tolist()
    settings = TriageSettings(
        sure=SURE_IN_TRAINING, anchor=anchor, bias=tuple(bias), decisive=decisive, beyond=beyond
    )
    return Triage(Trees.from_tensors(tensors, len(FEATURES)), settings)


def fit_feature_models(
    table: FeatureTable, recipe: TriageRecipe
) -> tuple[Triage, tuple[Triage, Triage]]:
    """Fit the feature model, and two more of which each saw the other half of the spans only.

    The latter two choose which pictures the training is about: a model that has seen a question
    would be sure of it for the wrong reason.

    Raises
    ------
    InputError
        Where one half has no questions.
    """
    if len(np.unique(table.half)) < 2:
        raise InputError(
            "the examples to train on are too few: one half of their files, by name, has no "
            "questions; make more files with varcall examples, or shorter ones with its --span"
        )

    def fit(chosen: NDArray[np.bool_]) -> Triage:
        return fit_trees(
            table.features[chosen],
            table.likelihoods[chosen],
            table.labels[chosen],
            table.weights[chosen],
            recipe,
        )

    halves = [fit(table.half != half) for half in (0, 1)]
    return fit(np.ones(len(table.labels), bool)), (halves[0], halves[1])
