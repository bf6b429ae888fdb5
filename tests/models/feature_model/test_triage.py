from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.feature_model.triage import Triage, TriageSettings, pool, softmax

lightgbm = pytest.importorskip("lightgbm")


def questions(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, the first of which tells the label but for some noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 5)).astype(np.float32)
    labels = np.digitize(features[:, 0] + 0.2 * rng.normal(size=n), [-0.5, 0.5])
    return features, labels.astype(np.int64)


def nothing(n: int) -> np.ndarray:
    """Counts that say nothing."""
    return np.zeros((n, 3), np.float32)


def even(labels: np.ndarray) -> np.ndarray:
    """Weights of questions that all count as much."""
    return np.ones(len(labels), np.float32)


def test_questions_count_by_their_weight() -> None:
    """Trees and what they begin with follow the questions that count."""
    from models.training.feature_model import TriageRecipe, fit_settings, fit_trees

    n = 3000
    features, labels = np.zeros((n, 4), np.float32), np.arange(n) % 2
    features[:, 1] = np.arange(n) % 4 < 2
    likelihoods = np.tile(np.array([-6, 0, -6], np.float32), (n, 1))
    # Where the counts say 1, half of the labels are 0; those count a hundredth.
    weights = np.where(labels == 0, 0.01, 1).astype(np.float32)
    told = {}
    for name, counted in (("even", even(labels)), ("weighted", weights)):
        fitted = fit_trees(features, likelihoods, labels, counted, TriageRecipe(rounds=20))
        told[name] = fitted.predict(features, likelihoods)[:, 1].mean()
    assert told["even"] == pytest.approx(0.5, abs=0.05)
    assert told["weighted"] > 0.97
    settings = fit_settings(
        fitted, features, likelihoods, fitted.predict(features, likelihoods), labels, weights
    )
    assert settings.predict(features, likelihoods)[:, 1].mean() > 0.97


@pytest.fixture(scope="module")
def triage() -> Triage:
    from models.training.feature_model import TriageRecipe, fit_trees

    features, labels = questions(3000, 1)
    return fit_trees(features, nothing(3000), labels, even(labels), TriageRecipe(rounds=20))


def test_trees_answer_as_lightgbm_does() -> None:
    from models.training.feature_model import _flatten

    features, labels = questions(2000, 2)
    booster = lightgbm.train(
        {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(features, labels),
        15,
    )
    trees = _flatten([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]])
    answers = softmax(trees.scores(features))
    np.testing.assert_allclose(answers, booster.predict(features), atol=1e-6)


def test_more_leaves_than_can_be_asked_are_refused() -> None:
    from models.training.feature_model import TriageRecipe

    with pytest.raises(ModelError, match="num_leaves is 33; it can be 2 to 32"):
        TriageRecipe(num_leaves=33)


def test_answers_do_not_depend_on_their_company(triage: Triage) -> None:
    features, _ = questions(50, 3)
    likelihoods = np.random.default_rng(3).normal(size=(50, 3)).astype(np.float32)
    triage = triage.with_settings(anchor=0.7)
    whole = triage.predict(features, likelihoods)
    for i in range(0, 50, 7):
        part = slice(i, i + 7)
        assert np.array_equal(triage.predict(features[part], likelihoods[part]), whole[part])
    assert triage.predict(features[:0], likelihoods[:0]).shape == (0, 3)


@pytest.mark.parametrize("told", [0.9, 1.0])
def test_the_likelihoods_are_what_trees_begin_with(told: float) -> None:
    """Trees without anything to add leave what the counts say, as sure as they are right."""
    from models.training.feature_model import TriageRecipe, fit_trees

    rng, n = np.random.default_rng(8), 3000
    labels = rng.integers(0, 3, n)
    said = np.where(rng.random(n) < told, labels, rng.integers(0, 3, n))
    likelihoods = np.where(np.arange(3) == said[:, None], 0, -10).astype(np.float32)
    fitted = fit_trees(nothing(n), likelihoods, labels, even(labels), TriageRecipe(rounds=5))
    answers = fitted.predict(nothing(n), likelihoods)
    assert np.array_equal(answers.argmax(1), said)
    assert fitted.settings.anchor > 0
    assert answers.max(1).mean() == pytest.approx((said == labels).mean(), abs=0.02)
    # Far stronger counts than any that were seen are believed more, not the same.
    doubled = fitted.predict(nothing(n), 2 * likelihoods)
    assert (doubled.min(axis=1) < answers.min(axis=1) ** 1.5).all()


def test_trees_add_to_the_likelihoods_what_these_do_not_say() -> None:
    from models.training.feature_model import TriageRecipe, fit_trees

    features, labels = questions(3000, 9)
    likelihoods = np.where(np.arange(3) == np.minimum(labels, 1)[:, None], 0, -6)
    likelihoods[labels > 0, 2] = 0  # they do not tell 1 from 2
    likelihoods = likelihoods.astype(np.float32)
    fitted = fit_trees(features, likelihoods, labels, even(labels), TriageRecipe(rounds=20))
    answers = fitted.predict(features, likelihoods)
    assert (answers.argmax(1) == labels).mean() > 0.93
    alone = fitted.predict(np.zeros_like(features), likelihoods)
    assert (alone.argmax(1) == labels).mean() < 0.8


def test_nothing_counts_as_impossible() -> None:
    """Odds of 1 to 10^20 go through a pool; before, all beyond 10^6 were alike."""
    sure = np.array([[1.0, 1e-20, 1e-25]], np.float32)
    pooled = pool(sure, sure, (0.5, 0.5))
    assert pooled[0, 1] == pytest.approx(1e-20, rel=1e-3)
    assert pooled[0, 2] == pytest.approx(1e-25, rel=1e-3)


def test_settings_are_fitted_to_what_is_right(triage: Triage) -> None:
    from models.training.feature_model import fit_settings

    features, labels = questions(2000, 4)
    useless = np.full((2000, 3), 1 / 3, np.float32)
    fitted = fit_settings(triage, features, nothing(2000), useless, labels, even(labels))
    answers = fitted.predict(features, nothing(2000))
    right = answers.argmax(1) == labels
    # Calibrated: what it says of itself is what comes true.
    assert abs(answers.max(1).mean() - right.mean()) < 0.02
    perfect = np.eye(3, dtype=np.float32)[labels] * 0.97 + 0.01
    sharper = fit_settings(triage, features, nothing(2000), perfect, labels, even(labels))
    assert sharper.settings.weights[0] > sharper.settings.weights[1]
    assert (sharper.pool(perfect, answers).argmax(1) == labels).all()
    # Trees that err where the pictures do not are never called sure of such questions.
    sure = sharper.is_sure(sharper.predict(features, nothing(2000)))
    assert (sharper.predict(features, nothing(2000))[sure].argmax(1) == labels[sure]).all()


def test_trees_that_are_always_wrong_have_no_say(triage: Triage) -> None:
    from models.training.feature_model import fit_settings

    features, _ = questions(60, 4)
    wrong = triage.predict(features, nothing(60)).argmin(1)
    pictured = np.eye(3, dtype=np.float32)[wrong] * 0.97 + 0.01
    fitted = fit_settings(triage, features, nothing(60), pictured, wrong, even(wrong))
    assert fitted.predict(features, nothing(60)).max() < 0.4
    assert (fitted.answer(features, nothing(60), pictured).argmax(1) == wrong).all()


def test_sure_trees_answer_alone(triage: Triage) -> None:
    features, _ = questions(200, 6)
    pictured = np.full((200, 3), 1 / 3, np.float32)
    alone = triage.predict(features, nothing(200))
    half = triage.with_settings(sure=float(np.median(alone.max(1))), weights=(0.5, 0.5))
    sure = half.is_sure(alone)
    assert 0 < sure.sum() < 200
    answers = half.answer(features, nothing(200), pictured)
    assert np.array_equal(answers[sure], alone[sure])
    assert np.array_equal(answers[~sure], half.pool(pictured, alone)[~sure])


def test_everything_fitted_goes_into_the_weights_file(tmp_path: Path) -> None:
    from models.training.feature_model import TriageRecipe, attach, fit_trees
    from models.weights.model_weights import save_weights
    from models.weights.weights_file import read_weights
    from tests.models import small

    rng = np.random.default_rng(7)
    features = rng.normal(size=(2000, small.N_FEATURES)).astype(np.float32)
    labels = np.digitize(features[:, 2] + rng.normal(size=2000), [-0.5, 0.5])
    trees = fit_trees(features, nothing(2000), labels, even(labels), TriageRecipe(rounds=5))
    path = tmp_path / "mini.safetensors"
    save_weights(path, small.caller(), small.card())
    digest = attach(trees, path, small.ToyBatches("features", n_batches=6))
    weights = read_weights(path, digest)
    assert weights.triage is not None
    assert weights.card.triage == weights.triage.settings != TriageSettings()
    # Toy features tell the label: these trees are better than they say.
    assert weights.card.quality_map.variant[1] > weights.card.quality_map.stated[1]


@pytest.mark.parametrize(
    "broken",
    [
        {"temperature": 0.0},
        {"sure": float("nan")},
        {"weights": (1.0, -1.0)},
        {"weights": (1.0,)},
        {"anchor": -0.1},
        {"bias": (0.0, 1.0)},
        {"bias": (0.0, float("inf"), 1.0)},
    ],
)
def test_broken_settings_are_refused(broken: dict) -> None:
    with pytest.raises(ModelError):
        TriageSettings(**broken)


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=1, max_size=5),
    st.floats(0, 2),
    st.floats(0, 2),
)
def test_a_pool_is_a_probability(scores: list[list[float]], first: float, second: float) -> None:
    p = softmax(np.array(scores))
    q = pool(p, p[::-1], (first, second))
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-5)
    assert (q >= 0).all()
    # Where both agree, the pool agrees.
    if first + second > 0.1:
        same = pool(p, p, (first, second))
        assert (same[np.arange(len(p)), p.argmax(1)] >= same.max(1) - 1e-6).all()
