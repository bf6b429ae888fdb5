"""Labelled spans of one kind of library after another: held-out examples, and real slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import POOLED
from benchmarks.calibration import cut_examples
from benchmarks.inputs.slices import DATA, SLICES, Slice, StagedSlice, stage
from benchmarks.libraries import LONG, MATE_PAIRS
from benchmarks.runs.network import BATCH
from models.training.batch import Batch
from varcall.training.examples import Examples, make_batch
from varcall.training.run import example_files

REAL: dict[str, tuple[Slice, ...]] = {
    POOLED: tuple(item for item in SLICES if item.held_out),
    **{library.name: library.slices for library in (*LONG, MATE_PAIRS)},
}
"""Real slices by the name of their group."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files of `varcall examples` of one kind of library.

    Attributes
    ----------
    name
        The group of slices, or the folder of held-out examples.
    files
        A span each.
    staged
        The slices that they were cut from; none of a held-out folder.
    """

    name: str
    files: tuple[Path, ...]
    staged: tuple[StagedSlice, ...] = ()


def held_out_sources(folders: Sequence[Path], most: int | None) -> Iterator[Source]:
    """Yield a source for each folder, of `most` files at most, spread evenly over it."""
    for folder in folders:
        files = example_files(folder)
        n = min(most or len(files), len(files))
        places = np.arange(n) * len(files) // n
        yield Source(folder.name, tuple(files[place] for place in places.tolist()))


def real_sources(directory: Path) -> Iterator[Source]:
    """Cut the real slices to examples, and yield a source for each group of them."""
    for number, (name, slices) in enumerate(REAL.items()):
        staged = tuple(stage(item, directory) for item in slices)
        examples = directory / f"examples{number}"
        for item in staged:
            cut_examples(item, examples)
        yield Source(name, example_files(examples), staged)


def all_sources(folders: Sequence[Path], most: int | None, directory: Path) -> Iterator[Source]:
    """Yield the real groups, where there are real data, and the held-out folders."""
    if DATA.is_dir():
        yield from real_sources(directory)
    else:
        print(f"no data at {DATA}: held-out examples only", flush=True)
    yield from held_out_sources(folders, most)


def batches_of(examples: Examples, task: str) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Yield the labelled questions of a task: which rows of the task's, and the batch of them."""
    n = len(examples.tasks[task].labels)
    for first in range(0, n, BATCH):
        rows = np.arange(first, min(first + BATCH, n))
        yield rows, make_batch(examples, task, rows)
