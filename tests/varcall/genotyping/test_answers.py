from dataclasses import replace

import numpy as np
import pytest

from models.feature_model.trees import Trees
from models.feature_model.triage import Triage, TriageSettings, log_of
from models.quality_map import KNOTS, QualityMap
from varcall.genotyping.answers import CallingModel
from varcall.genotyping.genotype import call_genotypes
from varcall.genotyping.prior import LEAST_RATIO, with_prior
from varcall.reads.library_profile import LibraryProfile

MAP = QualityMap(KNOTS, (10.0, 13.0, 18.0, 32.0), (10.0, 20.0, 29.0, 32.0))
SAID = np.array([[0.99, 0.008, 0.002], [0.02, 0.97, 0.01], [0.3, 0.6, 0.1]], np.float32)


TRAINED = 0.002


class Engine:
    """Gives the answers it was given, in order."""

    card = None

    def predict(self, images: np.ndarray, *_: np.ndarray) -> np.ndarray:
        return SAID[: len(images)]


class Questions:
    """Three questions without reads: blank pictures, empty prompts, no measurement."""

    features = np.zeros((3, 2), np.float32)
    likelihoods = np.zeros((3, 3), np.float32)
    is_haploid = np.zeros(3, np.bool_)

    def __init__(self, snv_density: float = TRAINED) -> None:
        self.profile = LibraryProfile(snv_density=snv_density)

    def __len__(self) -> int:
        return len(self.features)

    def tokens(self, chosen: np.ndarray, *_: object) -> np.ndarray:
        return np.zeros((len(chosen), 1), np.int32)

    def images(self, chosen: np.ndarray, *_: object) -> np.ndarray:
        return np.zeros((len(chosen), 224, 224, 3), np.uint8)


def leaves(scores: np.ndarray, sure: float) -> Triage:
    """Trees of one leaf each, which say the same of every question."""
    trees = Trees(
        roots=np.arange(3, dtype=np.int32),
        split=np.full(3, -1, np.int32),
        threshold=scores.astype(np.float32),
        child=np.zeros(3, np.int32),
    )
    return Triage(trees, TriageSettings(sure=sure, weights=(0.5, 0.5)))


@pytest.mark.parametrize("triage", [None, *(leaves(log_of(SAID[0]), sure) for sure in (0.9, 1.0))])
def test_every_answer_is_mapped(triage: Triage | None) -> None:
    """The picture's, the trees' own and the pooled ones."""
    model = CallingModel(Engine(), triage)
    plain = model.answer(Questions())
    mapped = replace(model, quality_map=MAP).answer(Questions())
    assert np.array_equal(mapped.pictured, plain.pictured)
    assert len(mapped.pictured) == (0 if triage and triage.settings.sure < 1 else 3)
    assert np.array_equal(mapped.probabilities, MAP.apply(plain.probabilities))
    assert not np.array_equal(mapped.probabilities, plain.probabilities)
    assert np.array_equal(mapped.probabilities.argmax(1), plain.probabilities.argmax(1))


class OtherMachine(Engine):
    """Adds up in another order: the last bits are others."""

    def predict(self, images: np.ndarray, *_: np.ndarray) -> np.ndarray:
        return super().predict(images) * np.array([1 - 2e-6, 1 + 2e-6, 1], np.float32)


def test_the_last_bits_of_an_engines_answers_change_nothing() -> None:
    ours, theirs = (
        CallingModel(engine, None).answer(Questions()) for engine in (Engine(), OtherMachine())
    )
    assert not np.array_equal(OtherMachine().predict(SAID), SAID)
    assert np.array_equal(ours.probabilities, theirs.probabilities)


SURE = np.array([[0, -50, -90], [-60, 0, -70], [-80, -27, 0]], np.float32)


class Sure(Engine):
    """A network that is nearly sure of the same."""

    def predict(self, images: np.ndarray, *_: np.ndarray) -> np.ndarray:
        shares = np.exp(0.5 * SURE[: len(images)].astype(float))
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("sure", [0.9, 1.0])
def test_plain_counts_make_gq_of_sixty_and_more(sure: float) -> None:
    """Trees, pool, map and genotype: nothing on the way saturates below it."""
    triage = leaves(np.array([0.2, 0.5, 0.3]), sure).with_settings(anchor=0.6, temperature=1.2)
    model = CallingModel(Sure(), triage, MAP)
    questions = Questions()
    questions.likelihoods = SURE
    answered = model.answer(questions)
    assert len(answered.pictured) == (0 if sure < 1 else 3)
    calls = call_genotypes(answered.probabilities[:, None], 1)
    assert [call.alleles for call in calls] == [(0, 0), (0, 1), (1, 1)]
    assert min(call.gq for call in calls) >= 55
    assert all(sorted(call.pl)[1] >= 55 for call in calls)
    # More of the same is worth more.
    questions.likelihoods = 2 * SURE
    better = call_genotypes(model.answer(questions).probabilities[:, None], 1)
    assert all(min(99, a.gq + 10) <= b.gq for a, b in zip(calls, better, strict=True))


def test_answers_have_the_prior_of_the_sample() -> None:
    model = CallingModel(Engine(), None, snv_density=TRAINED)
    usual = model.answer(Questions()).probabilities
    few = model.answer(Questions(0.3 * TRAINED)).probabilities
    odds, were = (p[:, 1:] / p[:, :1] for p in (few, usual))
    np.testing.assert_allclose(odds, 0.3 * were, rtol=1e-4)
    # What was a toss is no variant in a sample that has few.
    assert usual.argmax(1).tolist() == [0, 1, 1]
    assert few.argmax(1).tolist() == [0, 1, 0]


def test_no_density_moves_answers_far() -> None:
    none, few = (with_prior(SAID, density, TRAINED) for density in (0.0, LEAST_RATIO * TRAINED))
    np.testing.assert_array_equal(none, few)
    # A sample full of variants is believed no more.
    full, fuller = (with_prior(SAID, density, TRAINED) for density in (5 * TRAINED, 1.0))
    assert np.array_equal(full, fuller)
    np.testing.assert_allclose(fuller, SAID, rtol=1e-6)


def test_weights_that_do_not_say_their_density_have_no_prior() -> None:
    assert np.array_equal(with_prior(SAID, 0.0, None), SAID)
    none, many = (CallingModel(Engine(), None).answer(Questions(d)) for d in (0.0, TRAINED))
    assert np.array_equal(none.probabilities, many.probabilities)
