"""Faults F20 and F21: an output is complete or absent, and never beside a stale index."""

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.varcall.output.test_vcf import HEADER, record, write
from varcall.errors import OutputError
from varcall.output.atomic import AtomicOutput, check_writable
from varcall.output.record import format_record
from varcall.output.vcf_writer import OutputType, open_vcf

KINDS = {"v": "out.vcf", "z": "out.vcf.gz", "b": "out.bcf"}
MANY = [record(start=start) for start in range(1800)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_any_exception_leaves_what_was_there(tmp_path, kind, error):
    path = tmp_path / KINDS[kind]
    write(path)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(error), open_vcf(str(path), HEADER.text()) as writer:
        writer.write_window(map(format_record, MANY), contig="chr2", end=2000)
        raise error
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_only_the_temporary_file_grows(tmp_path):
    path = tmp_path / "out.vcf.gz"
    with open_vcf(str(path), HEADER.text()):
        (temporary,) = tmp_path.iterdir()
        assert temporary.name == f".out.vcf.gz.{os.getpid()}.tmp"
        assert temporary.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["out.vcf.gz", "out.vcf.gz.tbi"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_stale_temporary_file_is_no_obstacle(tmp_path):
    (tmp_path / f".out.vcf.{os.getpid()}.tmp").write_text("stale")
    write(tmp_path / "out.vcf")
    assert names(tmp_path) == ["out.vcf"]


def test_a_symbolic_link_stays_a_link(tmp_path):
    (tmp_path / "store").mkdir()
    target = tmp_path / "store" / "real.vcf"
    target.write_text("old")
    link = tmp_path / "out.vcf"
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text().startswith("##fileformat")


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_device(kind):
    with (
        pytest.raises(OutputError, match="cannot write /dev/full: No space left on device"),
        open_vcf("/dev/full", HEADER.text(), OutputType(kind)) as writer,
    ):
        writer.write_window(map(format_record, MANY), contig="chr2", end=2000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_may_not_grow(tmp_path, kind):
    """A limit on the size of files fails in the same places as a full disk."""
    path = tmp_path / KINDS[kind]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with (
            pytest.raises(OutputError, match=r"cannot write .*out"),
            open_vcf(str(path), HEADER.text(), OutputType(kind, 0 if kind != "v" else None)) as w,
        ):
            w.write_window(map(format_record, MANY), contig="chr2", end=2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 KiB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.tools("mount", "umount")
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk(tiny_disk, kind):
    path = tiny_disk / KINDS[kind]
    with (
        pytest.raises(OutputError, match="No space left on device; free some space"),
        open_vcf(str(path), HEADER.text(), OutputType(kind, 0 if kind != "v" else None)) as writer,
    ):
        writer.write_window(map(format_record, MANY), contig="chr2", end=2000)
    assert names(tiny_disk) == []


def test_a_failing_index_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("varcall.output.vcf_writer.build_index", fail)
    with pytest.raises(OutputError):
        write(tmp_path / "out.vcf.gz")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/out.vcf", "No such file or directory"),
        ("file/out.vcf", "Not a directory"),
        ("folder", "it is a folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_unwritable_outputs_are_told_before_any_work(tmp_path, path, reason):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for attempt in (check_writable, lambda path: AtomicOutput(path).__enter__()):
        if reason == "it is a folder" and attempt is not check_writable:
            continue
        with pytest.raises(OutputError, match=reason) as caught:
            attempt(str(tmp_path / path))
        assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            check_writable(tmp_path / "out.vcf")
    finally:
        tmp_path.chmod(0o700)


def test_check_writable_leaves_nothing_behind(tmp_path):
    (tmp_path / "old.vcf").write_text("old")
    for name in ("new.vcf", "old.vcf"):
        check_writable(tmp_path / name)
    check_writable("-")
    check_writable("/dev/null")
    assert names(tmp_path) == ["old.vcf"]
    assert (tmp_path / "old.vcf").read_text() == "old"


WRITE_SLOWLY = textwrap.dedent(
    """
    import signal, sys, time
    from tests.varcall.output.test_vcf import HEADER, record
    from varcall.output.record import format_record
    from varcall.output.vcf_writer import open_vcf

    def stop(*_):
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stop)
    with open_vcf(sys.argv[1], HEADER.text()) as writer:
        for start in range(1800):
            writer.write_window([format_record(record(start=start))], contig="chr2", end=start + 1)
            if start == 100:
                print("writing", flush=True)
            time.sleep(0.01 if start > 100 else 0)
    """
)


@pytest.mark.parametrize("name", KINDS.values())
@pytest.mark.parametrize(
    ("signal_sent", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_signals(tmp_path, root, name, signal_sent, status):
    path = tmp_path / name
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_SLOWLY, str(path)], cwd=root, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal_sent)
        assert process.wait(timeout=30) == status
    assert not path.exists()
    if signal_sent == signal.SIGTERM:
        assert names(tmp_path) == []
    write(path)  # what a killed run left is no obstacle
    assert path.exists()


WRITE_AGAIN_AND_AGAIN = textwrap.dedent(
    """
    import sys
    from tests.faults.test_output_atomic import MANY
    from tests.varcall.output.test_vcf import write

    print("ready", flush=True)
    while True:
        write(sys.argv[1], MANY[:900])
        write(sys.argv[1], MANY)
    """
)


def test_kill_at_random_times(tmp_path, root):
    """The output is one of the two complete files, and an index beside it is its own."""
    complete = {}
    for count in (900, 1800):
        path = write(tmp_path / f"{count}.vcf.gz", MANY[:count])
        complete[path.read_bytes()] = path.with_name(path.name + ".tbi").read_bytes()
    moments = random.Random(1)
    for trial in range(8):
        folder = tmp_path / str(trial)
        folder.mkdir()
        path = folder / "out.vcf.gz"
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_AGAIN_AND_AGAIN, str(path)],
            cwd=root,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.15))
            process.kill()
        if path.exists():
            index = path.with_name(path.name + ".tbi")
            assert path.read_bytes() in complete
            assert not index.exists() or index.read_bytes() == complete[path.read_bytes()]


@pytest.mark.parametrize("kind", "vzub")
def test_a_closed_pipe_is_a_broken_pipe_error(root, kind):
    """Fault F22: the command line turns this error into a quiet exit 141."""
    script = textwrap.dedent(
        f"""
        import os, sys
        from tests.varcall.output.test_vcf import HEADER, record
        from varcall.output.record import format_record
        from varcall.output.vcf_writer import OutputType, open_vcf
        try:
            with open_vcf("-", HEADER.text(), OutputType({kind!r}, None)) as writer:
                sys.stdin.readline()
                lines = [format_record(record(start=start)) for start in range(1999)] * 20
                writer.write_window(lines, contig="chr2", end=2000)
        except BrokenPipeError:
            os._exit(141)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr.read() == b""
