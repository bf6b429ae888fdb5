"""What a library's owner is told to mend, by `call` and by `check`."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.cli import run
from varcall.inputs.open import open_inputs
from varcall.reads.library_profile import LibraryProfile
from varcall.reads.library_warnings import library_warnings


@pytest.fixture
def amplicons(tmp_path: Path) -> tuple[Path, Path]:
    """Reads of amplicons of 150 bases, and their reference."""
    reference = write_reference(tmp_path / "ref.fa", {"chr1": random_sequence(6000)})
    reads = ReadsBuilder(reference)
    for start in range(0, 5000, 120):
        for _ in range(30):
            reads.add(start=start, cigar="150M")
    return reads.write_bam(tmp_path / "amplicons.bam"), reference


def test_nothing_is_wrong_with_a_usual_library(amplicons: tuple[Path, Path]) -> None:
    usual = LibraryProfile(platform="illumina", stack_share=0.03, ref_at_hom=0.009)
    assert library_warnings(usual, open_inputs(*amplicons)) == []


def test_reads_of_another_person(amplicons: tuple[Path, Path]) -> None:
    inputs = open_inputs(*amplicons)
    mixed = replace(LibraryProfile(platform="illumina"), ref_at_hom=0.034)
    (message,) = library_warnings(mixed, inputs)
    assert message.startswith(f"{inputs.reads} shows REF in 3.4% of the bases at homozygous SNVs")


def test_errors_of_the_reads_are_nobody_elses(amplicons: tuple[Path, Path]) -> None:
    noisy = replace(LibraryProfile(platform="ont"), ref_at_hom=0.034, mismatch_rate=0.03)
    assert library_warnings(noisy, open_inputs(*amplicons)) == []


def test_a_run_tells_of_primers_once(
    amplicons: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reads, reference = map(str, amplicons)
    assert run(["call", reads, "--ref", reference, "-o", str(tmp_path / "out.vcf")]) == 0
    stderr = capsys.readouterr().err
    assert stderr.count("no primers clipped") == 1
    assert "samtools ampliconclip" in stderr


def test_check_tells_of_primers(
    amplicons: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reads, reference = map(str, amplicons)
    assert run(["check", reads, "--ref", reference]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    (message,) = [text for level, check, text in lines if (level, check) == ("warning", "library")]
    assert message.startswith(f"{reads} has reads of amplicons with no primers clipped (100% begin")
