"""Standard streams that the caller has closed, as cron wrappers and daemons do."""

import subprocess
import sys
from pathlib import Path

import pytest

from varcall.simulate import SimulatedSample

STREAMS = ("<&-", ">&-", "2>&-")
ALL_CLOSED = " ".join(STREAMS)


def varcall(words: list[str], closed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "varcall", *words]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True
    )


def call_words(sample: SimulatedSample, model: Path, output: Path | str) -> list[str]:
    words = ["call", str(sample.bam), "--ref", str(sample.reference), "-m", str(model)]
    return [*words, "-r", "sim:1-3000", "-o", str(output)]


@pytest.fixture(scope="module")
def calls(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    output = tmp_path_factory.mktemp("open") / "out.vcf.gz"
    assert varcall(call_words(small_sample, untrained_model, output), "").returncode == 0
    return output.read_bytes()


@pytest.mark.parametrize(
    ("closed", "threads"), [*((closed, 1) for closed in STREAMS), (ALL_CLOSED, 1), (ALL_CLOSED, 2)]
)
def test_a_call_needs_no_stream(
    closed: str,
    threads: int,
    calls: bytes,
    small_sample: SimulatedSample,
    untrained_model: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out.vcf.gz"
    words = [*call_words(small_sample, untrained_model, output), "-t", str(threads)]
    done = varcall(words, closed)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == calls
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_calls_do_not_vanish(
    output: str, small_sample: SimulatedSample, untrained_model: Path
) -> None:
    done = varcall(call_words(small_sample, untrained_model, output), ">&-")
    assert done.returncode == 1
    assert done.stderr.startswith("varcall: error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--version"], 0),
        (["call", "--help"], 0),
        (["call", "absent.bam", "--ref", "absent.fa", "-o", "x.vcf"], 1),
        (["check", "absent.bam", "--ref", "absent.fa"], 1),
        (["call", "--threads", "two"], 2),
        (["no-command"], 2),
    ],
)
def test_exit_codes_stay(words: list[str], status: int) -> None:
    assert varcall(words, ALL_CLOSED).returncode == status


def test_every_command_ends_well(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    reads = [str(small_sample.bam), "--ref", str(small_sample.reference)]
    model = ["-m", str(untrained_model)]
    truth = str(small_sample.truth)
    commands = [
        ["check", *reads],
        ["profile", *reads, "-o", f"{tmp_path}/p.json"],
        ["eval", "-b", truth, "-c", truth, "--ref", reads[2], "-o", f"{tmp_path}/e", "--no-plots"],
        ["merge", truth, "-o", f"{tmp_path}/m.vcf"],
        ["show", *reads, *model, "--vcf", truth, "--limit", "1", "-o", f"{tmp_path}/s.html"],
        ["simulate", "--random-genome", "3000", "--depth", "5", "-o", f"{tmp_path}/s"],
        ["examples", *reads, "--truth", truth, "-o", f"{tmp_path}/examples"],
    ]
    for words in commands:
        assert varcall(words, ALL_CLOSED).returncode == 0, words
    for name in ("p.json", "e.summary.csv", "m.vcf", "s.html", "s.bam", "examples"):
        assert (tmp_path / name).exists()


def test_no_message_goes_into_a_file(tmp_path: Path) -> None:
    """A file opened next gets no number that messages are written to, also in programs started."""
    code = (
        "import os, subprocess, sys\n"
        "from varcall.cli.standard_streams import open_standard_streams\n"
        "open_standard_streams()\n"
        "output = open(sys.argv[1], 'wb')\n"
        "output.write(bytes([output.fileno()]))\n"
        "print('stray')\n"
        "print('stray', file=sys.stderr)\n"
        "os.write(2, b'stray')\n"
        "subprocess.run(['sh', '-c', 'echo stray >&2'], pass_fds=[output.fileno()])\n"
    )
    place = tmp_path / "out"
    command = [sys.executable, "-c", code, str(place)]
    subprocess.run(["sh", "-c", f'exec "$@" {ALL_CLOSED}', "sh", *command], check=True)
    (number,) = place.read_bytes()
    assert number > 2
