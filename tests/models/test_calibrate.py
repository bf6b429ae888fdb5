import pytest
import torch

from models.calibrate import fit_calibration, reliability_table
from models.card import Calibration
from models.errors import ModelError
from models.metrics import Predictions, summarise


def overconfident(factor: float, n: int = 4000) -> Predictions:
    """Return predictions whose logits are `factor` times the honest ones."""
    generator = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn(n, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return Predictions(factor * logits, labels)


@pytest.mark.parametrize("factor", [0.6, 1.0, 3.0])
def test_the_temperature_undoes_over_and_underconfidence(factor: float) -> None:
    calibration = fit_calibration(overconfident(factor))
    assert calibration.temperature == pytest.approx(factor, rel=0.1)
    assert calibration.bias == (0.0, 0.0, 0.0)


def test_a_bias_is_found_where_it_is_asked_for() -> None:
    honest = overconfident(1.0, 20_000)
    shifted = Predictions(honest.logits - torch.tensor([1.0, 0.0, -1.0]), honest.labels)
    assert fit_calibration(shifted, with_bias=True).bias == pytest.approx((1, 0, -1), abs=0.15)


def test_without_errors_or_examples_the_temperature_is_bounded() -> None:
    right = Predictions(10 * torch.eye(3), torch.arange(3))
    assert fit_calibration(right).temperature == 0.5
    none = Predictions(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
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
