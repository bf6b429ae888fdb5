"""What people expect of a command line: one name for one thing, completion, progress, remedies."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pysam
import pytest
import typer

from tests.builders import ReadsBuilder, write_reference
from varcall.cli import app, run
from varcall.errors import InputError
from varcall.inputs.open import open_inputs
from varcall.simulate import SimulatedSample

#: Every spelling of what several tools of the field name alike, or several commands here have.
SPELLINGS = (
    {"-f", "--ref", "--reference"},
    {"-r", "--regions"},
    {"-R", "--regions-file"},
    {"-o", "--output"},
    {"-O", "--output-type"},
    {"--no-write-index"},
    {"-t", "--threads", "-@"},
    {"-s", "--sample"},
    {"--sample-name"},
    {"--index"},
    {"-q", "--min-mapq"},
    {"-Q", "--min-base-quality", "--min-baseq"},
    {"-d", "--max-depth"},
    {"-F", "--exclude-flags"},
    {"--min-alt-count-snv"},
    {"--min-alt-count-indel"},
    {"--min-alt-fraction-snv"},
    {"--min-alt-fraction-indel"},
    {"-m", "--model"},
    {"--ploidy"},
    {"--haploid-contigs"},
    {"--device"},
    {"--engine"},
    {"--precision"},
    {"-v", "--verbose"},
    {"--quiet"},
    {"--log-file"},
    {"--no-version"},
    {"--shard"},
    {"--workdir"},
    {"--resume"},
    {"--allow-other-reference"},
)
#: Letters that mean something else in a command, and why.
OTHERWISE = {
    ("eval", "-f"): "rtg vcfeval's --vcf-score-field",
    ("eval", "-O"): "rtg vcfeval's --sort-order",
    ("show", "-r"): "a region of one base",
    ("ask", "-r"): "a region of one base",
}


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def options() -> list[tuple[str, set[str], Any]]:
    return [
        (name, {*parameter.opts}, parameter)
        for name, command in commands().items()
        for parameter in command.params
        if parameter.param_type_name == "option"
    ]


def test_one_thing_has_the_same_names_in_every_command() -> None:
    for command, names, _ in options():
        for spellings in SPELLINGS:
            if any(name in spellings for name in names if name.startswith("--")):
                lacking = {s for s in spellings - names if (command, s) not in OTHERWISE}
                assert not lacking, f"varcall {command}: {sorted(names)} lacks {lacking}"


def test_one_letter_means_one_thing() -> None:
    meanings: dict[str, tuple[str, set[str]]] = {}
    for command, names, _ in options():
        for letter in (name for name in names if not name.startswith("--")):
            if (command, letter) in OTHERWISE:
                continue
            before, known = meanings.setdefault(letter, (command, names))
            assert known & names > {letter}, f"{letter} of {command} is not that of {before}"


def test_exceptions_are_still_some() -> None:
    named = {(command, name) for command, names, _ in options() for name in names}
    assert set(OTHERWISE) <= named


def test_call_has_all_of_them() -> None:
    names = set().union(*(names for command, names, _ in options() if command == "call"))
    for spellings in SPELLINGS:
        assert spellings <= names


def test_reads_come_without_a_name_and_words_have_hyphens() -> None:
    for command in commands().values():
        if any(p.metavar == "READS" for p in command.params if p.param_type_name == "argument"):
            assert next(iter(command.params)).metavar == "READS"
    for name in ("call", "check", "profile", "show", "ask", "spike"):
        assert next(iter(commands()[name].params)).metavar == "READS"
    for command, names, parameter in options():
        assert not any("_" in name for name in names), f"varcall {command} {names}"
        # Never --x True.
        assert parameter.is_flag or not isinstance(parameter.default, bool)


COMPLETE = {"_VARCALL_COMPLETE": "complete_bash"}


def completed(words: str, root: Path, **more: str) -> list[str]:
    environment = os.environ | COMPLETE | {
        "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "PYTHONPATH": str(root),
    } | more  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from varcall.cli import main; main()"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_of_commands_and_options(root: Path) -> None:
    assert completed("varcall ca", root) == ["call"]
    assert {"show", "simulate", "spike"} <= set(completed("varcall s", root))
    assert "--regions-file" in completed("varcall call --reg", root)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion_in_bash(root: Path, tmp_path: Path) -> None:
    """As the documentation says: the script is loaded, and bash asks varcall."""
    program = tmp_path / "varcall"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m varcall "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(varcall --show-completion bash)"\n'
        "complete -p varcall\n"
        "COMP_WORDS=(varcall call --thr) COMP_CWORD=2\n"
        '$(complete -p varcall | sed "s/.*-F \\([^ ]*\\).*/\\1/") varcall\n'
        'echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-euc", script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(root)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    declared, reply = done.stdout.splitlines()
    assert declared.endswith("varcall")
    assert reply == "--threads"


def call_on_a_terminal(words: list[str], root: Path) -> tuple[bytes, bytes]:
    """Run `varcall call` with standard error on a terminal; return both streams."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "varcall", "call", *words],
        stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": str(root)},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 0, shown
    return out, shown


@pytest.mark.slow
def test_progress_is_for_terminals_only(
    small_sample: SimulatedSample, tmp_path: Path, root: Path
) -> None:
    log = tmp_path / "run.log"
    words = [str(small_sample.bam), "--ref", str(small_sample.reference), "--window", "500"]
    out, shown = call_on_a_terminal([*words, "--log-file", str(log)], root)
    text = shown.decode()
    # Windows done, the locus, the rate, and how long it will take.
    assert re.search(r"\d+/24", text)
    assert re.search(r"sim:\d+-\d+", text)
    assert re.search(r"\d\.\d windows/s", text)
    assert re.search(r"\d:\d\d:\d\d|-:--:--", text)
    assert "24/24" in text
    # Calls and log are as without a terminal.
    piped = subprocess.run(
        [sys.executable, "-m", "varcall", "call", *words],
        env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert out == piped.stdout
    assert b"\x1b" not in piped.stderr
    assert b"windows/s" not in piped.stderr
    written = log.read_text()
    assert "\x1b" not in written
    assert "peak memory" in written
    assert b"peak memory" in piped.stderr
    quiet_out, quiet = call_on_a_terminal([*words, "--quiet"], root)
    assert (quiet_out, quiet) == (out, b"")


@pytest.mark.parametrize("name", ["reads.bam", "it's mine.bam", "reads.cram"])
def test_a_missing_index_comes_with_the_command_that_makes_it(
    name: str, small_sample: SimulatedSample, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reads = tmp_path / name
    kind = ["-C", "-T", str(small_sample.reference)] if name.endswith("cram") else ["-b"]
    pysam.view(*kind, "-o", str(reads), str(small_sample.bam), catch_stdout=False)
    words = [
        "call",
        str(reads),
        "--ref",
        str(small_sample.reference),
        "-o",
        str(tmp_path / "o.vcf"),
    ]
    capfd.readouterr()
    assert run(words) == 1
    # Only that: htslib says nothing of its own.
    (said,) = capfd.readouterr().err.splitlines()
    command = said.partition("run: ")[2]
    assert command.startswith("samtools index")
    if shutil.which("samtools") is None:
        pytest.skip("needs samtools to run what is offered")
    subprocess.run(["sh", "-c", command], check=True)
    assert run([*words, "--quiet"]) == 0


def test_a_long_contig_needs_another_kind_of_index(tmp_path: Path) -> None:
    """BAI ends at 512 Mb; `samtools index` refuses such reads without -c."""
    reads = ReadsBuilder(write_reference(tmp_path / "r.fa", {"a": "ACGT" * 50}))
    reads.add(contig="a", start=0, cigar="50M")
    bam = reads.write_bam(tmp_path / "reads.bam")
    long = tmp_path / "long.bam"
    with pysam.AlignmentFile(str(bam)) as source:
        header = source.header.to_dict()
        header["SQ"][0]["LN"] = 2**29
        with pysam.AlignmentFile(str(long), "wb", header=header) as target:
            for record in source:
                target.write(record)
    with pytest.raises(InputError, match="samtools index -c "):
        open_inputs(long, tmp_path / "r.fa")
