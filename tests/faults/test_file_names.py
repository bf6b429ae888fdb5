"""Names of files that are no UTF-8, and locales that know ASCII alone."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.weights.weights_file import graph_paths
from tests.varcall.output.test_vcf import record, write
from varcall.cli import run
from varcall.formats.text import as_utf8
from varcall.inputs.contig_sequences import ContigSequences
from varcall.output.header import escape_control
from varcall.simulate import SimulatedSample

E, U = os.fsdecode(b"\xe9"), os.fsdecode(b"\xff")
ASCII_LOCALE = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii:strict",
}


class Inputs:
    """Links, with names that are no UTF-8, to a sample's files."""

    def __init__(self, folder: Path, sample: SimulatedSample, model: Path) -> None:
        home = folder / f"in{U}"
        home.mkdir()
        for source, name in (
            (sample.bam, f"r{E}.bam"),
            (f"{sample.bam}.bai", f"r{E}.bam.bai"),
            (sample.reference, f"f{E}.fa"),
            (f"{sample.reference}.fai", f"f{E}.fa.fai"),
            (sample.truth, f"t{E}.vcf.gz"),
            (f"{sample.truth}.tbi", f"t{E}.vcf.gz.tbi"),
            (sample.bed, f"b{E}.bed"),
            (model, f"m{E}.safetensors"),
            *((path, f"m{E}{''.join(path.suffixes)}") for path in graph_paths(model)),
        ):
            (home / name).symlink_to(source)
        self.reads = [str(home / f"r{E}.bam"), "--ref", str(home / f"f{E}.fa")]
        self.truth = str(home / f"t{E}.vcf.gz")
        self.bed = str(home / f"b{E}.bed")
        self.model = ["-m", str(home / f"m{E}.safetensors")]
        self.out = folder / f"out{U}"
        self.out.mkdir()


@pytest.fixture
def inputs(tmp_path: Path, small_sample: SimulatedSample, untrained_model: Path) -> Inputs:
    return Inputs(tmp_path, small_sample, untrained_model)


def text_files(folder: Path) -> dict[str, str]:
    """Every text that was written, compressed or not; what is no UTF-8 fails here."""
    found = {}
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        if path.is_file() and path.suffix not in (".tbi", ".csi", ".png", ".safetensors"):
            found[path.name] = content.decode("utf-8")
    return found


def test_a_call(inputs: Inputs, capfd: pytest.CaptureFixture[str]) -> None:
    out = inputs.out
    words = ["call", *inputs.reads, *inputs.model, "-R", inputs.bed, "-o", f"{out}/x{U}.vcf.gz"]
    words += ["--workdir", f"{out}/w{U}", "--timings", f"{out}/t{U}.tsv"]
    words += ["--log-file", f"{out}/l{U}", "--sample-name", f"s{U}", "-v"]
    assert run(words) == 0, capfd.readouterr().err
    texts = text_files(out)
    header = texts[f"x{U}.vcf.gz"]
    assert f"##reference={inputs.out.parent}/in%FF/f%E9.fa\n" in header
    assert "FORMAT\ts%FF\n" in header
    assert {f"t{U}.tsv", f"l{U}", f"x{U}.vcf.gz"} <= set(texts)


def test_a_report(inputs: Inputs, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "-b", inputs.truth, "-c", inputs.truth, *inputs.reads[1:], "-e", inputs.bed]
    words += ["-c", inputs.truth, "--name", f"a{U}", "--name", "b", "--engine", "builtin"]
    assert run([*words, "-o", f"{inputs.out}/e{U}", "--split-vcfs"]) == 0, capfd.readouterr().err
    assert "a%FF" in text_files(inputs.out)[f"e{U}.callers.csv"]


@pytest.mark.parametrize("output", [f"s{U}.html", f"s{U}.png", f"s{U}"])
def test_a_contact_sheet(inputs: Inputs, output: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["show", *inputs.reads, *inputs.model, "--vcf", inputs.truth, "--limit", "1"]
    assert run([*words, "-o", f"{inputs.out}/{output}"]) == 0, capfd.readouterr().err
    assert "t%E9.vcf.gz" in "".join(text_files(inputs.out).values()) or output.endswith(".png")


def test_profile_merge_and_examples(inputs: Inputs, capfd: pytest.CaptureFixture[str]) -> None:
    out = inputs.out
    shard = write(out / f"shard{U}.vcf.gz", [record()])
    for words in (
        ["profile", *inputs.reads, "-o", f"{out}/p{U}.json"],
        ["merge", str(shard), "-o", f"{out}/m{U}.vcf.gz"],
        ["examples", *inputs.reads, "--truth", inputs.truth, "-o", f"{out}/e{U}"],
    ):
        assert run(words) == 0, capfd.readouterr().err
    text_files(out)


def test_a_reference_without_index(inputs: Inputs, small_sample: SimulatedSample) -> None:
    fasta = inputs.out / f"alone{E}.fa"
    fasta.write_bytes(small_sample.reference.read_bytes())
    with ContigSequences(fasta) as reference:
        assert reference.lengths == {"sim": 12_000}


@pytest.mark.parametrize("words", [["-o", f"out{U}/s"], ["-o", "s", "--sample-name", f"s{U}"]])
def test_simulation_refuses_such_a_name(
    words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = [f"{tmp_path}/{words[1]}", *words[2:]]
    assert run(["simulate", "--random-genome", "3000", "-o", *place]) == 2
    message = capfd.readouterr().err
    assert "no UTF-8" in message
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def in_ascii(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "varcall", *words]
    return subprocess.run(command, env=os.environ | ASCII_LOCALE, capture_output=True)


def test_another_locale_writes_the_same_calls(
    inputs: Inputs, tmp_path: Path, small_sample: SimulatedSample
) -> None:
    """The name of the reference has an e with an accent, in UTF-8: one header in every locale."""
    reference = tmp_path / "é.fa"
    for suffix in ("", ".fai"):
        Path(f"{reference}{suffix}").symlink_to(f"{small_sample.reference}{suffix}")
    words = ["call", inputs.reads[0], "--ref", str(reference), *inputs.model, "-r", "sim:1-2000"]
    assert run([*words, "-o", str(tmp_path / "here.vcf"), "--quiet"]) == 0
    done = in_ascii([*words, "-o", str(tmp_path / "there.vcf"), "--log-file", f"{tmp_path}/é.log"])
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "here.vcf").read_bytes() == (tmp_path / "there.vcf").read_bytes()
    assert "é.fa\n" in (tmp_path / "there.vcf").read_text(encoding="utf-8")


def test_names_are_printed_as_they_are(inputs: Inputs) -> None:
    absent = f"{inputs.out}/é{U}.bam"
    done = in_ascii(["call", absent, *inputs.reads[1:]])
    assert done.returncode == 1
    assert os.fsencode(absent) in done.stderr
    assert done.stderr.count(b"\n") == 1
    place = f"{inputs.out}/é{U}.png"
    done = in_ascii(["show", *inputs.reads, *inputs.model, "--vcf", inputs.truth, "-o", place])
    assert done.returncode == 0, done.stderr
    assert done.stdout == os.fsencode(place) + b"\n"


def test_bytes_that_are_no_text_are_percent_encoded() -> None:
    assert as_utf8("plain é") == "plain é"
    assert escape_control(f"a{E}\tb") == "a%E9%09b"
    assert as_utf8("é".encode().decode("ascii", "surrogateescape")) == "é"
