"""Losses and answers of batches that mix tasks."""

import pytest
import torch
from torch.nn import functional

from models.tasks import ANSWERS, TASK_NAMES, TASKS, answer_columns
from models.training.metrics import TaskOptions


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(40, len(ANSWERS), generator=torch.Generator().manual_seed(2))


TASK = torch.arange(40) % len(TASKS)


def test_a_probability_is_never_given_to_another_tasks_answer(logits: torch.Tensor) -> None:
    options = TaskOptions(torch.device("cpu"))
    p = options.log_probabilities(logits, TASK).exp()
    torch.testing.assert_close(p.sum(1), torch.ones(40))
    for row, task in zip(p, TASK.tolist(), strict=True):
        n = len(TASKS[TASK_NAMES[task]].options)
        assert (row[:n] > 0).all()
        assert (row[n:] == 0).all()
    # Nor does another answer's logit matter.
    moved = logits.clone()
    for i, task in enumerate(TASK.tolist()):
        others = sorted(set(range(len(ANSWERS))) - set(answer_columns(TASK_NAMES[task])))
        moved[i, others] += 100
    assert torch.equal(options.log_probabilities(moved, TASK).exp(), p)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_are_those_of_each_task_alone(logits: torch.Tensor, smoothing: float) -> None:
    options = TaskOptions(torch.device("cpu"))
    logits.requires_grad_(True)
    labels = torch.arange(40) % 3
    losses = options.losses(options.log_probabilities(logits, TASK), TASK, labels, smoothing)
    for i, task in enumerate(TASK.tolist()):
        own = logits[i : i + 1, list(answer_columns(TASK_NAMES[task]))]
        alone = functional.cross_entropy(own, labels[i : i + 1], label_smoothing=smoothing)
        torch.testing.assert_close(losses[i], alone)
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
