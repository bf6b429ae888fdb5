"""One process that answers for all workers: a GPU is asked by one, about many windows at a time."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import RawArray, RawValue
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import ModelCard
from models.config import IMAGE_SHAPE, ModelConfig
from models.errors import ModelError
from models.inference.base import KnownWeights
from models.inference.engine import Engine
from models.registry import weights_path
from models.tasks import COPIES, TASKS
from models.weights.weights_file import read_weights
from varcall.errors import WorkerError
from varcall.workers.pool import interrupts_held

ROWS = 64
"""Questions that a worker hands over at a time; their memory is 10 MB."""

# Forked, a process cannot use CUDA if its parent has.
_CONTEXT = multiprocessing.get_context("spawn")

_DIED = "the process that runs the network died: it may have run out of memory; try --device cpu"


@dataclass(frozen=True, slots=True)
class _Place:
    """What one worker and the process share.

    Attributes
    ----------
    memory
        `ROWS` questions and their answers, of the type `_row_type` returns.
    connection
        The worker's end: how many rows it filled, and of which task, goes there; None comes back
        when their answers stand beside them, or the error that ends the call.
    """

    memory: Any
    connection: Connection


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where workers ask; it may cross to them while they start.

    Attributes
    ----------
    card, sha256
        Of the weights.
    places
        One for each worker.
    taken
        How many of them are.
    """

    card: ModelCard
    sha256: str
    places: tuple[_Place, ...]
    taken: Any

    def engine(self) -> "SharedEngine":
        """Take a place; for as long as this process lives."""
        with self.taken.get_lock():
            place = self.places[self.taken.value]
            self.taken.value += 1
        return SharedEngine(self.card, self.sha256, place)


class SharedEngine(KnownWeights):
    """The `Engine` of a worker that has none of its own."""

    def __init__(self, card: ModelCard, sha256: str, place: _Place) -> None:
        super().__init__(card, sha256)
        self._connection = place.connection
        self._rows = np.frombuffer(place.memory, _row_type(card.config))

    def predict(
        self,
        images: NDArray[np.uint8],
        tokens: NDArray[np.int32],
        features: NDArray[np.float32],
        likelihoods: NDArray[np.float32],
        task: str,
    ) -> NDArray[np.float32]:
        """Answer as `Engine.predict` says.

        Raises
        ------
        WorkerError
            When the process has died.
        ModelError
            When it cannot answer.
        """
        answers = np.empty((len(images), len(TASKS[task].options)), np.float32)
        for first in range(0, len(images), ROWS):
            part = slice(first, first + ROWS)
            rows = self._rows[: len(answers[part])]
            rows["images"] = images[part]
            rows["tokens"] = tokens[part]
            rows["features"] = features[part]
            rows["likelihoods"] = likelihoods[part]
            self._wait_for(len(rows), task)
            answers[part] = rows["answer"][:, : answers.shape[1]]
        return answers

    def _wait_for(self, n: int, task: str) -> None:
        try:
            self._connection.send((n, task))
            error = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerError(_DIED) from None
        if error is not None:
            raise error


class EngineProcess:
    """The process; it starts with the `with` block and ends with it, or with its parent.

    Parameters
    ----------
    load
        Loads the engine there; None says that each worker should rather have its own.
    model
        The weights it loads.
    askers
        Workers that will ask.
    """

    def __init__(self, load: Callable[[], Engine | None], model: str | Path, askers: int) -> None:
        weights = read_weights(*weights_path(model))
        row_type = _row_type(weights.card.config)
        memories = [RawArray("b", ROWS * row_type.itemsize) for _ in range(askers)]
        ends = [_CONTEXT.Pipe() for _ in range(askers)]
        places = tuple(_Place(m, worker) for m, (worker, _) in zip(memories, ends, strict=True))
        self._address = EngineAddress(weights.card, weights.sha256, places, _CONTEXT.Value("i", 0))
        self._word, its_word = _CONTEXT.Pipe(duplex=False)
        self._seconds, self._told = RawValue("d"), 0.0
        its_ends = [own for _, own in ends]
        self._process = _CONTEXT.Process(
            target=_serve, args=(load, row_type, memories, its_word, its_ends, self._seconds)
        )
        # Once started it alone has these, so that a process that waits for it notices its death.
        self._to_close = [its_word, *its_ends]

    def __enter__(self) -> "EngineProcess":
        with interrupts_held():
            self._process.start()
        for end in self._to_close:
            end.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        for place in self._address.places:
            place.connection.close()
        self._word.close()

    def address(self) -> EngineAddress | None:
        """Wait until the engine is loaded; return where to ask it, None if `load` returned None.

        Raises
        ------
        ModelError
            What `load` raised.
        WorkerError
            When the process has died.
        """
        try:
            word = self._word.recv()
        except EOFError:
            raise WorkerError(_DIED) from None
        if isinstance(word, Exception):
            raise word
        return self._address if word else None

    def spent(self) -> float:
        """Return the CPU seconds of its answers since the last time this was asked."""
        before, self._told = self._told, self._seconds.value
        return self._told - before


def _row_type(config: ModelConfig) -> np.dtype[Any]:
    return np.dtype(
        [
            ("images", np.uint8, IMAGE_SHAPE),
            ("tokens", np.int32, (config.prompt_length,)),
            ("features", np.float32, (config.n_features,)),
            ("likelihoods", np.float32, (len(COPIES.options),)),
            ("answer", np.float32, (max(len(task.options) for task in TASKS.values()),)),
        ]
    )


def _serve(
    load: Callable[[], Engine | None],
    row_type: np.dtype[Any],
    memories: list[Any],
    word: Connection,
    connections: list[Connection],
    seconds: Any,
) -> None:
    """Answer until the parent dies, or ends this process."""
    try:
        engine = load()
    except ModelError as error:
        word.send(error)
        return
    word.send(engine is not None)
    parent = multiprocessing.parent_process()
    if engine is None or parent is None:
        return
    loaded = time.process_time()
    rows = {
        connection: np.frombuffer(memory, row_type)
        for connection, memory in zip(connections, memories, strict=True)
    }
    while parent.sentinel not in (ready := wait([parent.sentinel, *connections])):
        askers = [asker for asker in ready if isinstance(asker, Connection)]
        trouble = _answer(engine, [(rows[asker], *asker.recv()) for asker in askers])
        seconds.value = time.process_time() - loaded
        for asker in askers:
            asker.send(trouble)


def _answer(engine: Engine, asked: list[tuple[NDArray[Any], int, str]]) -> ModelError | None:
    """Write the answers beside the questions; return what prevents it.

    Of each asker there are its rows, how many of them it filled, and the task; the questions of a
    task are asked in one batch.
    """
    by_task: dict[str, list[NDArray[Any]]] = {}
    for rows, n, task in asked:
        by_task.setdefault(task, []).append(rows[:n])
    for task, filled in by_task.items():
        images, tokens, features, likelihoods = (
            np.concatenate([rows[name] for rows in filled])
            for name in ("images", "tokens", "features", "likelihoods")
        )
        try:
            answers = engine.predict(images, tokens, features, likelihoods, task)
        except RuntimeError as error:  # torch's, out of the GPU's memory for one
            reason = str(error).partition("\n")[0]
            return ModelError(f"The network cannot be run: {reason}; try --device cpu.")
        at = 0
        for rows in filled:
            rows["answer"][:, : answers.shape[1]] = answers[at : at + len(rows)]
            at += len(rows)
    return None
