"""Both models fitted, calibrated and measured."""
