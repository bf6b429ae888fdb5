"""What a weights file says of its model; read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models import prompt
from models.config import ModelConfig
from models.errors import ModelError
from models.feature_model.triage import TriageSettings, softmax
from models.quality_map import QualityMap
from models.tasks import COPIES, TASKS

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one task: calibrated logits of its options are `logits / temperature + bias`."""

    temperature: float = 1.0
    bias: tuple[float, ...] = (0.0,) * len(COPIES.options)

    def __post_init__(self) -> None:
        """Refuse numbers that make no probability."""
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ModelError(f"The calibration's temperature must not be {self.temperature}.")
        if not all(isfinite(bias) for bias in self.bias):
            raise ModelError("The calibration's bias is not finite.")

    def apply(self, logits: Tensor) -> Tensor:
        """Return calibrated logits."""
        return logits / self.temperature + logits.new_tensor(self.bias)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities, float32 [n, options], of logits of the same shape."""
        return softmax(logits.astype(np.float64) / self.temperature + self.bias)

    def to_mapping(self) -> dict[str, Any]:
        """Return the numbers as they stand in a weights file."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what `to_mapping` gave.

        Raises
        ------
        ModelError
            When a number is missing or no number.
        """
        try:
            return cls(float(values["temperature"]), tuple(float(b) for b in values["bias"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The calibration in the weights is malformed: {error}.") from error


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a weights file says of its model.

    `pileup_spec` is `PileupSpec.to_dict()` of the images it reads; `features` names the columns of
    the measured features, in order; `calibration` has the calibrations by task; `recipe` and
    `training` say how it was made, "seen" in the latter what kinds of libraries it was trained on.
    `triage` is None where the file has no feature model; `quality_map` is the identity where none
    was fitted.
    """

    config: ModelConfig
    pileup_spec: dict[str, Any]
    features: tuple[str, ...]
    calibration: dict[str, Calibration] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    triage: TriageSettings | None = None
    quality_map: QualityMap = field(default_factory=QualityMap)

    def calibration_of(self, task: str) -> Calibration:
        """Return the calibration of a task; one that changes nothing where none was fitted."""
        plain = Calibration(bias=(0.0,) * len(TASKS[task].options))
        return self.calibration.get(task, plain)

    def to_metadata(self) -> dict[str, str]:
        """Return the strings that safetensors keeps."""
        return {
            "format": "varcall",
            "config": self.config.to_json(),
            "pileup_spec": json.dumps(self.pileup_spec, sort_keys=True),
            "features": json.dumps(self.features),
            "calibration": json.dumps(
                {task: fitted.to_mapping() for task, fitted in self.calibration.items()}
            ),
            "recipe": json.dumps(self.recipe, sort_keys=True),
            "training": json.dumps(self.training, sort_keys=True),
            "triage": json.dumps(self.triage and self.triage.to_mapping()),
            "quality_map": json.dumps(self.quality_map.to_mapping()),
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> ModelCard:
        """Read what `to_metadata` gave.

        Raises
        ------
        ModelError
            When an entry is missing, broken, or of another version of the prompt.
        """
        try:
            parsed = {k: json.loads(v) for k, v in metadata.items() if k != "format"}
            config = ModelConfig.from_mapping(parsed["config"])
            card = cls(
                config,
                dict(parsed["pileup_spec"]),
                tuple(str(name) for name in parsed["features"]),
                {k: Calibration.from_mapping(v) for k, v in parsed["calibration"].items()},
                dict(parsed["recipe"]),
                dict(parsed["training"]),
                TriageSettings.from_mapping(triage) if (triage := parsed.get("triage")) else None,
                # Weights from before there was a map state what they mean.
                QualityMap.from_mapping(parsed.get("quality_map", QualityMap().to_mapping())),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The weights' metadata is broken: {error!r}.") from error
        if len(card.features) != config.n_features:
            raise ModelError("The weights' feature names do not match their number.")
        card._check_tasks()
        return card

    def _check_tasks(self) -> None:
        """Refuse weights of other tasks or another grammar than this package's.

        Raises
        ------
        ModelError
            Naming what differs.
        """
        config = self.config
        if config.prompt_version != prompt.VERSION:
            raise ModelError(
                f"The weights were trained on prompt version {config.prompt_version}, this package "
                f"writes version {prompt.VERSION}; use weights made for it."
            )
        for task, calibration in self.calibration.items():
            if task not in TASKS or len(calibration.bias) != len(TASKS[task].options):
                raise ModelError(f"The calibration in the weights does not fit the task {task}.")
