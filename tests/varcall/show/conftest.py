"""Fixtures for showing and asking."""

import pytest

from varcall.genotyping import prior


@pytest.fixture(autouse=True)
def _usual_density(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample has fewer variants than those of training: what stand-ins say is the answer."""
    monkeypatch.setattr(prior, "TRAINED_SNV_DENSITY", 1e-6)
