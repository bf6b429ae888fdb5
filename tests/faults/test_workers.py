"""Fault F23 and what else ends worker processes: no orphan, no hang, one sentence."""

import multiprocessing
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.callers import ERRORS, Obedient, obey
from tests.processes import ends_with_its_processes, needs_proc, wait_for
from varcall.cli import run as run_varcall
from varcall.errors import WorkerError
from varcall.workers.pool import beside, run_in_order

pytestmark = pytest.mark.usefixtures("no_process_is_left")


def test_results_come_in_order() -> None:
    items = ["sleep 0.1", *(f"item {number}" for number in range(30))]
    expected = [(item, item.upper()) for item in items]
    assert list(run_in_order(Obedient, "", items, 2)) == expected
    assert list(run_in_order(Obedient, "", items, 1)) == expected


def test_results_of_bundles_come_one_by_one_in_order() -> None:
    items = ["sleep 0.1", *(f"item {number}" for number in range(30))]

    def threes(items: Sequence[str]) -> list[Sequence[str]]:
        return [items[first : first + 3] for first in range(0, len(items), 3)]

    expected = [(item, item.upper()) for item in items]
    assert list(run_in_order(Obedient, "", items, 2, threes)) == expected
    assert list(run_in_order(Obedient, "", items, 1, threes)) == expected


def test_f23_a_killed_worker_is_named_with_its_item(tmp_path: Path) -> None:
    word = tmp_path / "die"
    results = run_in_order(Obedient, "", ["item 0", f"die {word}", *["sleep 0.1"] * 30], 2)
    next(results)
    word.touch()
    with pytest.raises(WorkerError, match=rf"died on die {word} or nearby: .* fewer --threads"):
        list(results)


def test_f23_a_pool_that_broke_while_nobody_looked(tmp_path: Path) -> None:
    word = tmp_path / "die"
    results = run_in_order(Obedient, "", ["item 0", f"die {word}", *["item 2"] * 999], 2)
    next(results)
    word.touch()
    wait_for(lambda: not multiprocessing.active_children())
    with pytest.raises(WorkerError, match=f"a worker process died on die {word} or nearby"):
        list(results)


def test_work_beside_a_block_runs_while_it_does(tmp_path: Path) -> None:
    word = tmp_path / "die"
    with (
        pytest.raises(WorkerError, match="a process that helped died"),
        beside(obey, [f"die {word}", "item"], 2),
    ):
        word.touch()
        wait_for(lambda: not multiprocessing.active_children())


@pytest.mark.parametrize("processes", [1, 2])
def test_what_work_beside_a_block_raises_is_raised_at_its_end(processes: int) -> None:
    blocks = []
    with (
        pytest.raises(ERRORS["input"], match="a bad file"),
        beside(obey, ["item", "input a bad file"], processes),
    ):
        blocks.append("ended")
    assert blocks == ["ended"]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("where", ["start", "item"])
def test_an_error_in_a_worker_arrives_as_it_is(kind: str, where: str) -> None:
    sentence = f"{kind} the file x is broken at chr1:5: mend it"
    plan, items = (sentence, ["a", "b"]) if where == "start" else ("", ["a", sentence, "b"])
    with pytest.raises(ERRORS[kind]) as caught:
        list(run_in_order(Obedient, plan, items, 2))
    assert type(caught.value) is ERRORS[kind]
    assert str(caught.value) == sentence.partition(" ")[2]


def test_leaving_early_ends_the_workers_at_once() -> None:
    started = time.monotonic()
    results = run_in_order(Obedient, "", ["item", *["sleep 60"] * 30], 2)
    next(results)
    results.close()
    assert time.monotonic() - started < 30


FORKED = textwrap.dedent(
    """
    import threading
    from tests.faults.callers import Obedient
    from varcall.errors import InputError, WorkerError
    from varcall.workers.pool import run_in_order, start_method

    assert start_method() == "fork"
    items = [f"item {number}" for number in range(30)]
    assert [result for _, result in run_in_order(Obedient, "", items, 2)] == [
        item.upper() for item in items
    ]
    for plan, item, error in [
        ("", "die .", WorkerError),
        ("", "input mend it", InputError),
        ("input mend it", "a", InputError),
    ]:
        try:
            list(run_in_order(Obedient, plan, ["b", item, *["sleep 0.1"] * 9], 2))
        except error as caught:
            print(caught)
    held = threading.Event()
    threading.Thread(target=held.wait).start()
    print(start_method())
    held.set()
    """
)


def test_without_threads_processes_are_forked(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=root, capture_output=True, text=True, check=True
    )
    died, *errors, method = run.stdout.splitlines()
    assert died.startswith("a worker process died on ")
    assert errors == ["mend it"] * 2
    assert method == "spawn"
    assert run.stderr == ""


RUN = textwrap.dedent(
    """
    import signal, sys
    from tests.faults.callers import Obedient
    from varcall.workers.pool import beside, run_in_order

    def stop(*_):
        raise SystemExit(143)

    if __name__ == "__main__":
        # Where the tests run in a shell's background, Ctrl-C is ignored from the start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, stop)
        try:
            list(run_in_order(Obedient, "", [f"tell {sys.argv[1]}"] * 9, 2))
        except KeyboardInterrupt:
            sys.exit(130)
    """
)


@needs_proc
@pytest.mark.parametrize(
    ("sent", "whom", "status"),
    [
        (signal.SIGINT, "group", 130),
        (signal.SIGINT, "parent", 130),
        (signal.SIGTERM, "parent", 143),
        (signal.SIGKILL, "parent", -signal.SIGKILL),
    ],
)
def test_f21_no_worker_outlives_its_parent(
    sent: signal.Signals, whom: str, status: int, tmp_path: Path, root: Path
) -> None:
    ends_with_its_processes(RUN, [], 2, sent, whom, status, tmp_path, root)


def test_out_of_memory_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("varcall.pipeline.call_variants", fail)
    assert run_varcall(["call", "reads.bam", "--ref", "ref.fa"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("varcall: error: out of memory: try fewer --threads")
    assert said.count("\n") == 1
