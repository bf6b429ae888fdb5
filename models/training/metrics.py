"""How right and how sure a model is on labelled examples."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.network.caller import VariantCaller
from models.prompt import packed, words_of
from models.tasks import ANSWERS, TASK_NAMES, TASKS, answer_columns
from models.training.batch import Batch


@dataclass(frozen=True, slots=True)
class Predictions:
    """Examples of one task: logits float32 [n, options], labels int64 [n], weights float32 [n]."""

    logits: Tensor
    labels: Tensor
    weights: Tensor

    def confusion(self) -> Tensor:
        """Return counts, int64 [options, options], by label (row) and answer (column)."""
        n = self.logits.shape[1]
        return torch.bincount(self.labels * n + self.logits.argmax(1), minlength=n * n).view(n, n)

    def negative_log_likelihood(self) -> float:
        """Return the mean over examples, all of equal weight, in nats."""
        return float(functional.cross_entropy(self.logits, self.labels))


def predict(
    caller: VariantCaller, batches: Iterable[Batch], device: torch.device
) -> dict[str, Predictions]:
    """Answer labelled batches with a model in eval mode; return the predictions of every task."""
    logits, labels = [torch.zeros(0, len(ANSWERS))], [torch.zeros(0, dtype=torch.int64)]
    weights = [torch.zeros(0)]
    tasks = [torch.zeros(0, dtype=torch.int64)]
    caller.eval()
    with torch.inference_mode():
        for batch in batches:
            words, columns = packed(batch.tokens, int(words_of(batch.tokens).max()))
            images, tokens, features, likelihoods, places = (
                torch.from_numpy(x).to(device)
                for x in (batch.images, words, batch.features, batch.likelihoods, columns)
            )
            logits.append(caller(images, tokens, features, likelihoods, places).cpu())
            labels.append(torch.from_numpy(batch.labels))
            weights.append(torch.from_numpy(batch.weights))
            tasks.append(torch.from_numpy(batch.task))
    whole = Predictions(torch.cat(logits), torch.cat(labels), torch.cat(weights))
    return _by_task(whole, torch.cat(tasks))


def _by_task(whole: Predictions, tasks: Tensor) -> dict[str, Predictions]:
    found = {}
    for index, name in enumerate(TASK_NAMES):
        rows = tasks == index
        logits = whole.logits[rows][:, list(answer_columns(name))]
        found[name] = Predictions(logits, whole.labels[rows], whole.weights[rows])
    return found


class TaskOptions:
    """The options of each task among the logits of all answers, so that a batch may mix tasks.

    Attributes
    ----------
    columns
        int64 [tasks, most], column of each option of each task; behind a task's last option 0.
    is_option
        bool [tasks, most], false behind a task's last option.
    """

    def __init__(self, device: torch.device) -> None:
        most = max(len(task.options) for task in TASKS.values())
        columns = torch.zeros(len(TASKS), most, dtype=torch.int64)
        self.is_option = torch.zeros(len(TASKS), most, dtype=torch.bool)
        for i, name in enumerate(TASK_NAMES):
            own = answer_columns(name)
            columns[i, : len(own)] = torch.tensor(own)
            self.is_option[i, : len(own)] = True
        self.columns, self.is_option = columns.to(device), self.is_option.to(device)

    def log_probabilities(self, logits: Tensor, task: Tensor) -> Tensor:
        """Return those of the options of each example's task, float32 [n, most].

        Parameters
        ----------
        logits
            float [n, answers].
        task
            int64 [n].
        """
        own = logits.float().gather(1, self.columns[task])
        return own.masked_fill(~self.is_option[task], -torch.inf).log_softmax(1)

    def losses(self, logp: Tensor, task: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Return the cross entropy of each example, float32 [n].

        Parameters
        ----------
        logp, task
            Of `log_probabilities`, and what it was given.
        labels
            int64 [n].
        smoothing
            Share of each label that is spread evenly over the task's options.
        """
        right = -logp.gather(1, labels.unsqueeze(1)).squeeze(1)
        if not smoothing:
            return right
        is_option = self.is_option[task]
        even = -logp.masked_fill(~is_option, 0.0).sum(1) / is_option.sum(1)
        return (1 - smoothing) * right + smoothing * even


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
