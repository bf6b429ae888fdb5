"""How right and how sure a model is on labelled examples."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.network.caller import VariantCaller
from models.training.batch import Batch


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits float32 [n, options] and labels int64 [n] of examples."""

    logits: Tensor
    labels: Tensor

    def confusion(self) -> Tensor:
        """Return counts, int64 [options, options], by label (row) and answer (column)."""
        n = self.logits.shape[1]
        return torch.bincount(self.labels * n + self.logits.argmax(1), minlength=n * n).view(n, n)

    def negative_log_likelihood(self) -> float:
        """Return the mean over examples, in nats."""
        return float(functional.cross_entropy(self.logits, self.labels))


def predict(caller: VariantCaller, batches: Iterable[Batch], device: torch.device) -> Predictions:
    """Answer labelled batches with a model in eval mode."""
    logits, labels = [], []
    caller.eval()
    with torch.inference_mode():
        for batch in batches:
            images, tokens, features = (
                torch.from_numpy(x).to(device) for x in (batch.images, batch.tokens, batch.features)
            )
            logits.append(caller(images, tokens, features).float().cpu())
            labels.append(torch.from_numpy(batch.labels))
    if not labels:
        n = len(caller.options)
        return Predictions(torch.zeros(0, n), torch.zeros(0, dtype=torch.int64))
    return Predictions(torch.cat(logits), torch.cat(labels))


def summarise(confusion: Tensor) -> dict[str, Any]:
    """Return accuracy and per-class recall and precision of a confusion matrix, for a log line."""
    counts = confusion.double()
    right = counts.diagonal()
    return {
        "n": int(counts.sum()),
        "accuracy": _ratio(right.sum(), counts.sum()),
        "recall": [_ratio(a, b) for a, b in zip(right, counts.sum(1), strict=True)],
        "precision": [_ratio(a, b) for a, b in zip(right, counts.sum(0), strict=True)],
    }


def _ratio(part: Tensor, whole: Tensor) -> float | None:
    return round(float(part / whole), 5) if whole else None
