"""Calls on a Dask cluster: the bytes of one process, whatever becomes of the workers."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pysam
import pytest

from varcall import call as call_from_python
from varcall.cli import run as run_varcall
from varcall.errors import InputError, UsageError, WorkerError
from varcall.inputs.given_sites import GivenSites
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.simulate import SimulatedSample

pytest.importorskip("distributed", reason="needs distributed: pip install 'varcall-pileup[dask]'")

from distributed import Client

from tests.dask_cluster import RunningCluster, n_tasks, pids, running_cluster
from tests.processes import wait_for
from varcall.workers.cluster import opened_cluster
from varcall.workers.cluster_task import call_bundle, unchanged
from varcall.workers.worker_check import Requirements

WORKERS = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        for _ in range(WORKERS):
            running.add_worker()
        yield running


@pytest.fixture
def client(cluster: RunningCluster) -> Iterator[Client]:
    """A client of the test's own; all workers are there, and nobody gives them orders."""
    for order in cluster.orders.iterdir():
        order.unlink()
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(WORKERS, timeout=120)
        yield client


@pytest.fixture(scope="module")
def options(small_sample: SimulatedSample) -> CallOptions:
    return CallOptions(
        reads=small_sample.bam, reference=small_sample.reference, window=1000, no_version=True
    )


@pytest.fixture(scope="module")
def alone(options: CallOptions, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """VCF and gVCF of one process."""
    return called(options, tmp_path_factory.mktemp("alone"))


def called(options: CallOptions, folder: Path, **changes: Any) -> tuple[bytes, bytes]:
    outputs = folder / "out.vcf", folder / "out.g.vcf"
    changes = {"output": str(outputs[0]), "gvcf": str(outputs[1]), **changes}
    call_variants(replace(options, **changes))
    return outputs[0].read_bytes(), outputs[1].read_bytes()


def test_the_same_bytes_and_nothing_left_behind(
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    alone: tuple[bytes, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The workers are in another folder than this process.
    monkeypatch.chdir(options.reads.parent)
    near = replace(options, reads=Path(options.reads.name), reference=Path(options.reference.name))
    vcf, gvcf = called(near, tmp_path, executor=cluster.name)
    named = f"##reference={near.reference}".encode()
    assert vcf == alone[0].replace(f"##reference={options.reference}".encode(), named)
    assert gvcf == alone[1].replace(f"##reference={options.reference}".encode(), named)
    wait_for(lambda: n_tasks(client) == 0)


def test_workers_killed_in_the_middle(
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    alone: tuple[bytes, bytes],
    tmp_path: Path,
) -> None:
    for start in (3000, 7000):
        (cluster.orders / f"once-{start}").touch()
    assert called(options, tmp_path, executor=cluster.name) == alone
    assert list(cluster.orders.iterdir()) == []


def test_a_window_that_kills_each_worker(
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    alone: tuple[bytes, bytes],
    tmp_path: Path,
) -> None:
    (cluster.orders / "always-4000").touch()
    workdir = tmp_path / "windows"
    with pytest.raises(WorkerError, match=r"^sim:4001-5000 ended each worker of dask://127"):
        called(options, tmp_path, executor=cluster.name, workdir=workdir)
    assert os.listdir(tmp_path) == ["windows"]
    # What was finished stays so, and another way to run goes on with it.
    finished = len(list(workdir.rglob("*.window")))
    assert finished == 4
    (cluster.orders / "always-4000").unlink()
    client.wait_for_workers(WORKERS, timeout=120)
    again = called(options, tmp_path, executor=cluster.name, workdir=workdir, resume=True)
    assert again == alone


def test_shards_and_phasing(
    cluster: RunningCluster, client: Client, options: CallOptions, tmp_path: Path
) -> None:
    for shard in ((1, 2), (2, 2)):
        expected, told = (tmp_path / f"{name}-{shard[0]}.vcf" for name in ("expected", "told"))
        parts = replace(options, shard=shard, phase=True)
        call_variants(replace(parts, output=str(expected)))
        call_variants(replace(parts, output=str(told), executor=cluster.name))
        assert told.read_bytes() == expected.read_bytes()


def test_given_sites(
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    alone: tuple[bytes, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = tmp_path / "sites.vcf"
    plain.write_bytes(alone[0])
    sites = Path(pysam.tabix_index(str(plain), preset="vcf", force=True, keep_original=True))
    monkeypatch.chdir(tmp_path)
    given = replace(options, alleles=Path(sites.name))
    call_variants(replace(given, output="expected.vcf"))
    call_variants(replace(given, output="told.vcf", executor=cluster.name))
    expected = (tmp_path / "expected.vcf").read_bytes()
    assert expected.count(b"FORCED\t") > 5
    assert (tmp_path / "told.vcf").read_bytes() == expected
    # The copy that is made of a plain VCF is of this machine, but so are these workers.
    here = replace(given, alleles=plain)
    call_variants(replace(here, output="here.vcf", executor="dask-local:1"))
    assert (tmp_path / "here.vcf").read_bytes() == expected
    with pytest.raises(UsageError, match=r"sites\.vcf is plain text, .*run 'bgzip "):
        call_variants(replace(here, output="none.vcf", executor=cluster.name))
    assert not (tmp_path / "none.vcf").exists()
    # All that is read on the workers is compared there.
    (path, index) = Requirements.of(
        open_inputs(options.reads, options.reference),
        options.model,
        GivenSites(sites, sites, Path(f"{sites}.tbi")),
    ).files[-2:]
    assert (path[0], index[0]) == (str(sites), f"{sites}.tbi")


def test_an_error_on_a_worker_arrives_as_it_is(
    cluster: RunningCluster, client: Client, options: CallOptions, tmp_path: Path
) -> None:
    (cluster.orders / "wrong-5000").touch()
    with pytest.raises(InputError, match=r"^what the file says is wrong: mend it$"):
        called(options, tmp_path, executor=cluster.name)
    assert os.listdir(tmp_path) == []
    wait_for(lambda: n_tasks(client) == 0)


def test_another_file_on_a_worker(
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the workers had not the files that this process has."""
    original = Requirements.of

    def changed(inputs: Inputs, model: str, given: GivenSites | None) -> Requirements:
        found = original(inputs, model, given)
        (path, size, digest), *rest = found.files
        return replace(found, files=((path + suffix, size, digest[::-1]), *rest))

    monkeypatch.setattr(Requirements, "of", changed)
    address = min(client.scheduler_info()["workers"])
    suffix = ""
    with pytest.raises(WorkerError, match=f"^the Dask worker {address} has another file at "):
        called(options, tmp_path, executor=cluster.name)
    suffix = "x"
    with pytest.raises(WorkerError, match=f"^the Dask worker {address} cannot read .*bamx"):
        called(options, tmp_path, executor=cluster.name)
    assert os.listdir(tmp_path) == []


def test_a_worker_that_came_later_checks_itself(client: Client) -> None:
    requirements = Requirements("0.0.1", "tiny", "", ())
    work = client.submit(unchanged, (None, requirements), pure=False)
    windows = (Region("sim", 0, 1000),)
    answer = client.submit(call_bundle, "run", work, windows, pure=False).result(timeout=60)
    assert isinstance(answer, WorkerError)
    assert "the Dask worker tcp://127.0.0.1:" in str(answer)
    assert "this is 0.0.1: install the same version" in str(answer)


def test_another_version_on_a_worker(
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = set(client.scheduler_info()["workers"])
    other = cluster.add_worker("0.0.1")
    client.wait_for_workers(WORKERS + 1, timeout=120)
    (address,) = set(client.scheduler_info()["workers"]) - before
    words = ["call", str(options.reads), "--ref", str(options.reference), "--quiet"]
    try:
        for output in (str(tmp_path / "out.vcf"), "-"):
            assert run_varcall([*words, "-o", output, "--executor", cluster.name]) == 1
            said = capsys.readouterr()
            assert said.err.startswith(f"varcall: error: the Dask worker {address} runs varcall 0.")
            assert said.err.count("\n") == 1
            # Not even a header, as standard output keeps what it has got.
            assert said.out == ""
        assert os.listdir(tmp_path) == []
    finally:
        os.killpg(other.pid, signal.SIGTERM)
        other.wait(timeout=60)
        wait_for(lambda: set(client.scheduler_info()["workers"]) == before)


def test_leaving_early_takes_everything_back(
    cluster: RunningCluster, client: Client, options: CallOptions
) -> None:
    def stop(*progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_from_python(
            options.reads, options.reference, window=1000, executor=cluster.name, progress=stop
        )
    wait_for(lambda: n_tasks(client) == 0)


def test_processes_of_this_machine(
    options: CallOptions, alone: tuple[bytes, bytes], tmp_path: Path
) -> None:
    assert called(options, tmp_path, executor="dask-local:1") == alone


def test_no_scheduler(options: CallOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("varcall.workers.cluster._CONNECT_SECONDS", 1)
    with (
        pytest.raises(WorkerError, match=r"no Dask scheduler answers at dask://127\.0\.0\.1:9: "),
        opened_cluster("dask://127.0.0.1:9"),
    ):
        pass


def test_a_cluster_without_workers(
    options: CallOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("varcall.workers.cluster.PATIENCE_SECONDS", 2.0)
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    with (
        running_cluster(tmp_path) as empty,
        pytest.raises(WorkerError, match="has had no workers for 2 s, and sim:1-1000 is still"),
    ):
        called(options, outputs, executor=empty.name)
    assert os.listdir(outputs) == []


def test_without_the_package(options: CallOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "varcall.workers.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'varcall-pileup\[dask\]'"):
        call_variants(replace(options, executor="dask-local:1"))


def test_dask_is_not_loaded_unasked(root: Path) -> None:
    script = "import sys, varcall.pipeline; print({'dask', 'distributed'} & {*sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert run.stdout == "set()\n"


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(8))
def test_a_random_worker_is_killed(
    seed: int,
    cluster: RunningCluster,
    client: Client,
    options: CallOptions,
    alone: tuple[bytes, bytes],
    tmp_path: Path,
) -> None:
    chance = random.Random(seed)
    killed = []

    def kill() -> None:
        wait_for(lambda: n_tasks(client) > 2)
        time.sleep(chance.uniform(0, 0.5))
        killed.append(chance.choice(pids(client)))
        os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert called(options, tmp_path, executor=cluster.name, window=500) == alone
    finally:
        killer.join()
    assert killed
