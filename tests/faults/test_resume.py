"""Faults F21 and F24: an interrupted run leaves nothing, or what the next one can go on with."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.weights.export import export
from models.weights.weights_file import graph_paths
from varcall.errors import OutputError, UsageError
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.measure_library import measure_profile
from varcall.simulate import SimulatedSample
from varcall.workers.window_worker import WindowResult, Worker

WINDOWS = 6


@pytest.fixture(scope="module")
def options(
    small_sample: SimulatedSample,
    untrained_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> CallOptions:
    """A run of six windows over files that a test may change."""
    folder = tmp_path_factory.mktemp("resume")
    for path in (small_sample.bam, small_sample.reference):
        for file in path.parent.glob(path.name + "*"):
            shutil.copy2(file, folder)
    for file in (untrained_model, *graph_paths(untrained_model)):
        shutil.copy2(file, folder)
    with open(f"{small_sample.reference}.fai") as index:
        contig = index.readline().split("\t")[0]
    return CallOptions(
        reads=folder / small_sample.bam.name,
        reference=folder / small_sample.reference.name,
        model=str(folder / untrained_model.name),
        regions=(f"{contig}:1-12000",),
        window=2000,
    )


@pytest.fixture(scope="module")
def uninterrupted(options: CallOptions, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("uninterrupted")
    called = call(options, folder)
    assert os.listdir(folder) == ["out.vcf"]
    assert called.count(b"\n") > called.count(b"\n#") + 6
    return called


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """The windows that were computed, as they are."""
    windows: list[Region] = []
    original = Worker.call

    def counted(self: Worker, window: Region) -> WindowResult:
        windows.append(window)
        return original(self, window)

    monkeypatch.setattr(Worker, "call", counted)
    return windows


def call(options: CallOptions, folder: Path, **changes: object) -> bytes:
    output = folder / "out.vcf"
    call_variants(replace(options, output=str(output), **changes))  # type: ignore[arg-type]
    return output.read_bytes()


def window_files(workdir: Path) -> list[Path]:
    return sorted(workdir.rglob("*.window"))


def test_f24_the_library_is_measured_once(
    options: CallOptions,
    uninterrupted: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[Inputs] = []

    def counted(inputs: Inputs) -> LibraryProfile:
        measured.append(inputs)
        return measure_profile(inputs)

    monkeypatch.setattr("varcall.pipeline.measure_profile", counted)
    again = {"workdir": tmp_path / "work", "resume": True}
    for expected, changes in ((1, {}), (1, {}), (2, {"min_mapq": 6}), (2, {})):
        called = call(options, tmp_path, **again, **changes)
        assert len(measured) == expected
    assert called == uninterrupted
    # A damaged one is as good as none.
    for kept in (tmp_path / "work").glob("*.profile"):
        kept.write_bytes(kept.read_bytes().replace(b"0", b"1"))
    assert call(options, tmp_path, **again) == uninterrupted
    assert len(measured) == 3


def test_f24_an_interrupted_run_goes_on(
    options: CallOptions,
    uninterrupted: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = Worker.call
    windows: list[Region] = []

    def interrupted(self: Worker, window: Region) -> WindowResult:
        windows.append(window)
        if len(windows) == 4:
            raise KeyboardInterrupt
        return original(self, window)

    monkeypatch.setattr(Worker, "call", interrupted)
    workdir = tmp_path / "work"
    with pytest.raises(KeyboardInterrupt):
        call(options, tmp_path, workdir=workdir)
    assert os.listdir(tmp_path) == ["work"]
    assert len(window_files(workdir)) == 3
    first = windows.copy()
    assert call(options, tmp_path, workdir=workdir, resume=True) == uninterrupted
    assert len(windows) == 4 + WINDOWS - 3
    assert windows[4:] == [first[3], *windows[5:]]
    # Now all are finished, and how it runs or where it writes does not matter.
    again = call(
        options, tmp_path, workdir=workdir, resume=True, threads=2, batch_size=5, timings=None
    )
    assert again == uninterrupted
    assert len(windows) == 4 + WINDOWS - 3
    assert len(window_files(workdir)) == WINDOWS


@pytest.fixture(scope="module")
def finished(
    options: CallOptions, uninterrupted: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run that was completed; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    assert call(options, folder, workdir=folder / "work") == uninterrupted
    assert os.listdir(folder) == ["out.vcf", "work"] or os.listdir(folder) == ["work", "out.vcf"]
    return folder / "work"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"reads": ', b'"reads": 1', 1))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\n" + path.read_bytes())


def of_another_window(path: Path) -> None:
    others = [other for other in window_files(path.parents[1]) if other != path]
    shutil.copy(others[0], path)


@pytest.mark.parametrize("damage", [cut, altered, emptied, garbled, of_another_window, Path.unlink])
def test_f24_a_damaged_window_is_computed_again(
    damage: Callable[[Path], None],
    options: CallOptions,
    uninterrupted: bytes,
    finished: Path,
    tmp_path: Path,
    computed: list[Region],
) -> None:
    workdir = Path(shutil.copytree(finished, tmp_path / "work"))
    damage(window_files(workdir)[2])
    assert call(options, tmp_path, workdir=workdir, resume=True) == uninterrupted
    assert len(computed) == 1


def touch(name: str) -> Callable[[CallOptions], CallOptions]:
    def change(options: CallOptions) -> CallOptions:
        path = Path(getattr(options, name))
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
        return options

    return change


def other_model(options: CallOptions) -> CallOptions:
    """The same path and time of change, other weights."""
    path = Path(options.model)
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    export(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return options


CHANGES: dict[str, Callable[[CallOptions], CallOptions]] = {
    "reads": touch("reads"),
    "reference": touch("reference"),
    "model": other_model,
    "option": lambda options: replace(options, min_base_quality=11),
    "sample name": lambda options: replace(options, sample_name="x", ploidy=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_f24_nothing_of_another_run_is_reused(
    change: Callable[[CallOptions], CallOptions],
    options: CallOptions,
    finished: Path,
    tmp_path: Path,
    computed: list[Region],
) -> None:
    copies = tmp_path / "inputs"
    shutil.copytree(options.reads.parent, copies)
    options = replace(
        options,
        reads=copies / options.reads.name,
        reference=copies / options.reference.name,
        model=str(copies / Path(options.model).name),
        regions=(options.regions[0].replace("12000", "4000"),),
    )
    workdir = tmp_path / "work"
    call(options, tmp_path, workdir=workdir)
    assert len(computed) == 2
    # The same run again finds all of its windows; the changed one finds none.
    call(options, tmp_path, workdir=workdir, resume=True)
    assert len(computed) == 2
    changed = change(options)
    assert call(changed, tmp_path, workdir=workdir, resume=True)
    assert len(computed) == 4


def test_a_used_folder_is_not_mixed_up_unasked(
    options: CallOptions, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="add --resume"):
        call(options, tmp_path, workdir=finished)
    with pytest.raises(UsageError, match="--resume needs --workdir"):
        call(options, tmp_path, resume=True)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(options: CallOptions, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        call(options, tmp_path, workdir=tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_a_window_that_vanishes_meanwhile(
    options: CallOptions, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = Path(shutil.copytree(finished, tmp_path / "work"))
    last = window_files(workdir)[-1]
    last.write_bytes(b"")
    original = Worker.call

    def call_and_lose(self: Worker, window: Region) -> WindowResult:
        shutil.rmtree(workdir)
        return original(self, window)

    monkeypatch.setattr(Worker, "call", call_and_lose)
    with pytest.raises(OutputError):
        call(options, tmp_path, workdir=workdir, resume=True)
    assert not (tmp_path / "out.vcf").exists()
