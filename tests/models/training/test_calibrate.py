import numpy as np
import pytest
import torch

from models.card import Calibration
from models.errors import ModelError
from models.quality_map import KNOTS, QualityMap
from models.training.calibrate import fit_calibration, fit_quality_map, reliability_table
from models.training.metrics import Predictions, summarise


def overconfident(factor: float, n: int = 4000) -> Predictions:
    """Return predictions whose logits are `factor` times the honest ones."""
    generator = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn(n, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return Predictions(factor * logits, labels, torch.ones(len(labels)))


@pytest.mark.parametrize("factor", [0.6, 1.0, 3.0])
def test_the_temperature_undoes_over_and_underconfidence(factor: float) -> None:
    calibration = fit_calibration(overconfident(factor))
    assert calibration.temperature == pytest.approx(factor, rel=0.1)
    assert calibration.bias == (0.0, 0.0, 0.0)


def test_a_bias_is_found_where_it_is_asked_for() -> None:
    honest = overconfident(1.0, 20_000)
    shifted = Predictions(
        honest.logits - torch.tensor([1.0, 0.0, -1.0]), honest.labels, honest.weights
    )
    assert fit_calibration(shifted, with_bias=True).bias == pytest.approx((1, 0, -1), abs=0.15)


def test_without_errors_or_examples_the_temperature_is_bounded() -> None:
    right = Predictions(10 * torch.eye(3), torch.arange(3), torch.ones(3))
    assert fit_calibration(right).temperature == 0.5
    none = Predictions(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert fit_calibration(none).temperature == 1.0


def test_reliability_shows_what_is_off() -> None:
    predictions = overconfident(3.0)
    stated = reliability_table(predictions, Calibration())
    honest = reliability_table(predictions, fit_calibration(predictions))
    assert sum(row.n for row in stated) == len(predictions.labels)
    assert max(row.observed_error - row.stated_error for row in stated) > 0.1
    assert max(abs(row.observed_error - row.stated_error) for row in honest) < 0.05


@pytest.mark.parametrize("values", [{}, {"temperature": 0, "bias": []}, {"temperature": "x"}])
def test_broken_numbers_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="calibration"):
        Calibration.from_mapping(values)


def test_summary_of_a_confusion_matrix() -> None:
    summary = summarise(torch.tensor([[8, 2, 0], [0, 5, 5], [0, 0, 0]]))
    assert summary["n"] == 20
    assert summary["accuracy"] == 0.65
    assert summary["recall"] == [0.8, 0.5, None]
    assert summary["precision"] == [1.0, round(5 / 7, 5), 0.0]


def misstated(truth: QualityMap, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers evenly of GQ 5 to 40, and labels they err about as often as `truth` says."""
    rng = np.random.default_rng(seed)
    copies = rng.integers(0, 3, n)
    error = 10 ** (-rng.uniform(5, 40, n) / 10)
    answers = np.repeat(error[:, None] / 2, 3, axis=1).astype(np.float32)
    answers[np.arange(n), copies] = 1 - error
    odds = truth.apply(answers)
    wrong = rng.random(n) < 1 - odds[np.arange(n), copies]
    return answers, (copies + wrong * rng.integers(1, 3, n)) % 3


def fit_evenly(answers: np.ndarray, labels: np.ndarray) -> QualityMap:
    return fit_quality_map(answers, labels, np.ones(len(labels), np.float32))


def test_answers_count_by_their_weight() -> None:
    """Wrong answers of little weight make a model neither less sure nor its GQ worth less."""
    rng = np.random.default_rng(5)
    answers = np.full((4000, 3), 0.001, np.float32)
    copies = rng.integers(0, 3, 4000)
    answers[np.arange(4000), copies] = 0.998
    labels = np.where(rng.random(4000) < 0.05, (copies + 1) % 3, copies)
    little = np.where(labels == copies, 1.0, 0.001).astype(np.float32)
    even = np.ones(4000, np.float32)
    found = {}
    for name, weights in (("even", even), ("little", little)):
        own = Predictions(*map(torch.from_numpy, (np.log(answers), labels, weights)))
        found[name] = fit_calibration(own).temperature
        found[name, "gq"] = fit_quality_map(answers, labels, weights).variant[2]
    assert found["little"] < found["even"] - 0.3
    assert found["little", "gq"] > found["even", "gq"] + 2


def test_the_quality_map_of_misstated_answers_is_found() -> None:
    truth = QualityMap(KNOTS, (10.0, 14.0, 20.0, 32.0), (10.0, 20.0, 27.0, 32.0))
    fitted = fit_evenly(*misstated(truth, 400_000, 1))
    assert fitted.hom_ref == pytest.approx(truth.hom_ref, abs=0.5)
    assert fitted.variant == pytest.approx(truth.variant, abs=0.5)


def test_honest_answers_and_few_answers_are_left_as_they_are() -> None:
    honest = fit_evenly(*misstated(QualityMap(), 400_000, 2))
    assert honest.hom_ref == pytest.approx(KNOTS, abs=0.7)
    assert honest.variant == pytest.approx(KNOTS, abs=0.7)
    answers, labels = misstated(QualityMap(), 10, 3)
    few = fit_evenly(answers, answers.argmax(1))
    assert few.variant == pytest.approx(KNOTS, abs=1.0)
    assert fit_evenly(answers[:0], labels[:0]) == QualityMap()


@pytest.mark.parametrize("right", [True, False])
def test_a_quality_map_is_monotone_whatever_it_was_fitted_to(right: bool) -> None:
    answers, _ = misstated(QualityMap(), 2000, 4)
    copies = answers.argmax(1)
    fitted = fit_evenly(answers, copies if right else (copies + 1) % 3)
    assert fitted.hom_ref[1] > KNOTS[1] if right else fitted.hom_ref[1] < KNOTS[1]
