"""The command line: exit codes, one-line errors, quick help."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ModelError
from varcall import __version__
from varcall.cli import app, run
from varcall.errors import InputError, UsageError

HEAVY = ("numpy", "torch", "pysam", "numba", "cyvcf2", "pyfaidx", "matplotlib", "safetensors")


def python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, **options
    )


def test_version_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    out = capfd.readouterr().out
    assert out == f"varcall {__version__}\n"
    assert re.fullmatch(r"varcall \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["call", "-h"], ["demo", "--help"]])
def test_help(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    assert capfd.readouterr().out.startswith("Usage: varcall")


def test_every_command_has_help(capfd: pytest.CaptureFixture[str]) -> None:
    for command in app.registered_commands:
        assert command.name is not None
        assert run([command.name, "--help"]) == 0
        out, err = capfd.readouterr()
        assert len(out.splitlines()) > 5
        assert err == ""


def test_help_imports_nothing_heavy() -> None:
    result = python(
        "import sys; from varcall.cli import run\n"
        "for words in (['--help'], ['call', '--help'], ['--version']): run(words)\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "HEAVY []"


def test_module_runs_as_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "varcall", "--version"], capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, f"varcall {__version__}\n")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["cal"], "Did you mean 'call'"),
        (["call", "--threds", "2"], "--threads"),
        (["call", "reads.bam"], "--ref"),
        (["call", "--ref", "ref.fa"], "READS"),
        (["call", "a.bam", "--reads", "b.bam", "--ref", "ref.fa"], "READS"),
        (["call", "a.bam", "--ref", "r.fa", "--threads", "0"], "--threads"),
        (["call", "a.bam", "--ref", "r.fa", "--threads", "two"], "--threads"),
        (["call", "a.bam", "--ref", "r.fa", "-q", "256"], "--min-mapq"),
        (["call", "a.bam", "--ref", "r.fa", "--ploidy", "3"], "--ploidy"),
        (["call", "a.bam", "--ref", "r.fa", "-O", "x"], "--output-type"),
        (["call", "a.bam", "--ref", "r.fa", "--device", "tpu"], "--device"),
        (["call", "a.bam", "--ref", "r.fa", "--shard", "4/3"], "4/3"),
        (["call", "a.bam", "--ref", "r.fa", "--min-alt-fraction-snv", "nan"], "fraction-snv"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(
    words: list[str], part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("varcall: error: ")
    assert part in err
    assert err.count("\n") == 1


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run `varcall call` where the work raises `error`."""

    def call_variants(options: object) -> None:
        raise error

    pipeline = type(sys)("varcall.pipeline")
    pipeline.call_variants = call_variants  # type: ignore[attr-defined]
    pipeline.check_call_files = lambda options: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "varcall.pipeline", pipeline)
    return run(["call", "reads.bam", "--ref", "ref.fa"])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("no index for reads.bam: samtools index reads.bam"), 1, "no index"),
        (ModelError("No model weights at x.safetensors"), 1, "No model weights"),
        (UsageError("--window 3 is too small"), 2, "--window 3"),
        (OSError(28, "No space left on device", "out.vcf"), 1, "No space left"),
    ],
)
def test_errors_are_one_sentence(
    error: Exception,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert failing(error, monkeypatch) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("varcall: error: ")
    assert message in err
    assert err.count("\n") == 1


def test_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(KeyboardInterrupt(), monkeypatch) == 130


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError(), monkeypatch)


def call_that(does: str, before: str = "") -> list[str]:
    """A `varcall call` in a process of its own that does something else, and tells its clean-up."""
    code = (
        f"import sys, time, types\n{before}"
        "def work(options):\n"
        "    try:\n"
        f"        {does}; time.sleep(50)\n"
        "    finally:\n"
        "        print('cleaned', flush=True)\n"
        "module = types.ModuleType('varcall.pipeline'); module.call_variants = work\n"
        "module.check_call_files = lambda options: None\n"
        "sys.modules['varcall.pipeline'] = module\n"
        "sys.argv = ['varcall', 'call', 'reads.bam', '--ref', 'ref.fa']\n"
        "from varcall.cli import main; main()"
    )
    return [sys.executable, "-c", code]


def test_sigterm_runs_finally_and_exits_143() -> None:
    command = call_that("print('working', flush=True)")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "working\n"
        child.send_signal(signal.SIGTERM)
        rest, _ = child.communicate(timeout=30)
    assert (child.returncode, rest) == (143, "cleaned\n")


@pytest.mark.parametrize(("sent", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_in_a_callback_is_not_lost(sent: str, status: int) -> None:
    """Python prints and forgets what is raised there; a run may be in one when the signal comes."""
    before = (
        "import ctypes, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"callback = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.{sent}))\n"
    )
    result = subprocess.run(call_that("callback()", before), capture_output=True, timeout=30)
    assert (result.returncode, result.stdout, result.stderr) == (status, b"cleaned\n", b"")


@pytest.mark.parametrize("words", ["--help", "call --help"])
def test_closed_pipe_is_quiet_141(words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "varcall", *words.split()], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "varcall", "--help"], stdout=full, stderr=subprocess.PIPE
        )
    assert result.returncode == 1
    assert result.stderr.startswith(b"varcall: error: ")
    assert result.stderr.count(b"\n") == 1
