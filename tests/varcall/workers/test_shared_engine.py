"""One process that answers for all workers: the same answers, and every way it may end."""

import signal
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest

from models.errors import ModelError
from models.inference.engine import load_engine
from models.weights.model_weights import save_weights
from tests.models import small
from tests.processes import ends_with_its_processes, needs_proc
from tests.varcall.genotyping.engines import Broken, die, nothing, refuse
from varcall.errors import WorkerError
from varcall.workers.pool import run_in_order
from varcall.workers.shared_engine import ROWS, EngineAddress, EngineProcess

pytestmark = pytest.mark.usefixtures("no_process_is_left")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mini.safetensors"
    save_weights(path, small.caller(), small.card())
    return path


def torch_on_cpu(path: Path) -> Callable[[], object]:
    return partial(load_engine, path, "cpu", "fp32", engine="torch")


class Asker:
    """A worker that asks about the questions of a seed."""

    def __init__(self, address: EngineAddress) -> None:
        self.engine = address.engine()

    def call(self, asked: tuple[int, int]) -> np.ndarray:
        return self.engine.predict(*small.questions(*asked))


def test_workers_get_the_answers_of_the_engine(path: Path) -> None:
    todo = [(n, seed) for seed, n in enumerate((1, 7, 0, ROWS, 2 * ROWS + 3, 5, 12, 1))]
    alone = load_engine(path, "cpu", "fp32", engine="torch")
    with EngineProcess(torch_on_cpu(path), path, 2) as process:
        address = process.address()
        assert address is not None
        for asked, answers in run_in_order(Asker, address, todo, 2):
            np.testing.assert_array_equal(answers, alone.predict(*small.questions(*asked)))
        assert process.spent() > 0
        assert process.spent() == 0


def test_what_comes_together_is_answered_together(path: Path) -> None:
    """Each asker still gets its own answers, and what the weights say."""
    alone = load_engine(path, "cpu", "fp32", engine="torch")
    got: dict[int, np.ndarray] = {}
    start = Barrier(4)

    def ask(asker: Asker, seed: int) -> None:
        start.wait()
        got[seed] = asker.call((3, seed))

    with EngineProcess(torch_on_cpu(path), path, 4) as process:
        address = process.address()
        assert address is not None
        askers = [Asker(address) for _ in range(4)]
        threads = [Thread(target=ask, args=(a, seed)) for seed, a in enumerate(askers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (askers[0].engine.card, askers[0].engine.sha256) == (alone.card, alone.sha256)
    for seed in range(4):
        np.testing.assert_array_equal(got[seed], alone.predict(*small.questions(3, seed)))


def test_nothing_loaded_is_no_desk(path: Path) -> None:
    with EngineProcess(nothing, path, 2) as process:
        assert process.address() is None


@pytest.mark.parametrize(
    ("load", "error", "says"),
    [
        (refuse, ModelError, "No CUDA device is visible to torch; use the device cpu."),
        (die, WorkerError, "the process that runs the network died: .*; try --device cpu"),
    ],
)
def test_an_engine_that_does_not_load(
    path: Path, load: Callable[[], None], error: type[Exception], says: str
) -> None:
    with EngineProcess(load, path, 2) as process, pytest.raises(error, match=says):
        process.address()


@pytest.mark.parametrize(
    ("way", "error", "says"),
    [
        ("fails", ModelError, "The network cannot be run: CUDA out of memory.; try --device cpu."),
        ("dies", WorkerError, "the process that runs the network died: .*; try --device cpu"),
    ],
)
def test_an_engine_that_stops(path: Path, way: str, error: type[Exception], says: str) -> None:
    load = partial(Broken, small.card(), way)
    with EngineProcess(load, path, 2) as process:
        address = process.address()
        assert address is not None
        with pytest.raises(error, match=says):
            list(run_in_order(Asker, address, [(1, 0), (2, 1), (3, 2)], 2))


RUN = textwrap.dedent(
    """
    import signal, sys, time
    from functools import partial
    from tests.models import small
    from tests.varcall.genotyping.engines import broken
    from varcall.workers.shared_engine import EngineProcess

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            load = partial(broken, sys.argv[1], small.card())
            with EngineProcess(load, sys.argv[2], 2) as process:
                process.address()
                time.sleep(600)
        except KeyboardInterrupt:
            sys.exit(130)
    """
)


@needs_proc
@pytest.mark.parametrize(
    ("sent", "whom", "status"),
    [(signal.SIGINT, "group", 130), (signal.SIGKILL, "parent", -signal.SIGKILL)],
)
def test_the_process_ends_with_its_parent(
    path: Path, sent: signal.Signals, whom: str, status: int, tmp_path: Path, root: Path
) -> None:
    ends_with_its_processes(RUN, [str(path)], 1, sent, whom, status, tmp_path, root)
