"""What a model is trained and measured on: batches of labelled examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Labelled examples.

    `images` uint8 [n, 224, 224, 3]; `tokens` int32 [n, t] of `models.prompt`; `features` float32
    [n, n_features]; `likelihoods` float32 [n, 3], of 0, 1, 2 copies by counts of reads, natural
    logarithms; `task` int64 [n], place of each example's task in `models.tasks.TASK_NAMES`;
    `labels` int64 [n], place of the right answer among the task's options; `weights` float32 [n],
    weight of each example in the loss.
    """

    images: NDArray[np.uint8]
    tokens: NDArray[np.int32]
    features: NDArray[np.float32]
    likelihoods: NDArray[np.float32]
    task: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)


class BatchFactory(Protocol):
    """Where batches come from; picklable, since training workers are spawned."""

    def __call__(self, rank: int, world_size: int, seed: int, skip: int) -> Iterator[Batch]:
        """Return this worker's share of the batches.

        Parameters
        ----------
        rank, world_size
            Which of how many workers asks; the shares do not overlap.
        seed
            Of the order of examples.
        skip
            Batches of this worker to leave out first: those it had before an interruption.
        """
        ...
