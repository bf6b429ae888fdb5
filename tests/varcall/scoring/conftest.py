"""Small call sets as text, and the recorded cases of the real tools where they are there."""

import csv
import gzip
import json
import random
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from varcall.scoring.vcf_records import Record, parse_genotype

FAKE_RTG = Path(__file__).parent / "rtg" / "fake_rtg.py"
CASES = Path(__file__).resolve().parents[4] / "shared" / "vcfeval_cases"
REFERENCES = CASES.parent / "data" / "reference"
HEADER = """##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description="All filters passed">
##FILTER=<ID=LowQual,Description="Low quality">
##contig=<ID=c1,length=1000>
##contig=<ID=c2,length=1000>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Genotype quality">
"""
COLUMNS = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()


def random_sequence(length: int, seed: int) -> str:
    """Bases without structure."""
    return "".join(random.Random(seed).choices("ACGT", k=length))


SEQUENCES = {"c1": random_sequence(1000, 1), "c2": random_sequence(1000, 2)}


def other(base: str) -> str:
    """A base that this one is not."""
    return "C" if base != "C" else "G"


def snv(pos: int, genotype: str, *rest: str, contig: str = "c1") -> str:
    """A substitution, as `vcf_text` takes it."""
    base = SEQUENCES[contig][pos - 1]
    return " ".join([contig, str(pos), base, other(base), genotype, *rest])


def record(start: int, ref: str, alt: str, genotype: str = "0/1", info: str = ".") -> Record:
    """A record as it is read from a file, of one sample on contig c."""
    fields = ("c", str(start + 1), ".", ref, alt, "30", "PASS", info, "GT:AD", f"{genotype}:5,6")
    return Record(start, ref, tuple(alt.split(",")), parse_genotype(genotype), fields)


def vcf_text(records: list[str], sample: str = "S", header: str = HEADER) -> str:
    """A VCF file of records given as "contig pos ref alt genotype [qual] [filter] [gq]"."""
    lines = [header + "\t".join([*COLUMNS, sample])]
    for record in records:
        contig, pos, ref, alt, genotype, *rest = record.split()
        qual, filter_name, gq = [*rest, *["50", "PASS", "40"][len(rest) :]]
        fields = [contig, pos, ".", ref, alt, qual, filter_name, ".", "GT:GQ"]
        lines.append("\t".join([*fields, f"{genotype}:{gq}"]))
    return "\n".join(lines) + "\n"


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a table, compressed or not."""
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
    with opened as handle:
        return list(csv.DictReader(handle))


@dataclass(frozen=True)
class Files:
    """Paths of a small evaluation."""

    truth: Path
    query: Path
    reference: Path


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., Files]:
    """Write truth, query and reference."""

    def make(truth: list[str], query: list[str], sequences: dict[str, str] | None = None) -> Files:
        sequences = sequences or SEQUENCES
        contigs = "".join(f"##contig=<ID={n},length={len(s)}>\n" for n, s in sequences.items())
        header = "".join(line for line in HEADER.splitlines(True) if "contig" not in line) + contigs
        files = Files(tmp_path / "truth.vcf", tmp_path / "query.vcf", tmp_path / "ref.fa")
        files.truth.write_text(vcf_text(truth, header=header))
        files.query.write_text(vcf_text(query, header=header))
        files.reference.write_text("".join(f">{n}\n{s}\n" for n, s in sequences.items()))
        return files

    return make


@dataclass(frozen=True)
class Case:
    """One recorded case."""

    folder: Path
    options: dict[str, Any]
    happy_options: list[str]
    stratification: str | None
    reference: Path

    @property
    def samples(self) -> tuple[str | None, str | None]:
        """Names of the samples."""
        truth, _, query = (self.options["sample"] or "").partition(",")
        return truth or None, (query or truth) or None

    @property
    def confident(self) -> Path | None:
        """BED of the evaluation regions."""
        name = self.options["evaluation_regions"]
        return self.folder / name if name else None

    @property
    def counts(self) -> dict[str, Any] | None:
        """Recorded counts; None where rtg fails."""
        path = self.folder / "expected" / "counts.json"
        return json.loads(path.read_text()) if path.exists() else None


def recorded_cases() -> list[str]:
    """Names of the recorded cases; none where they are absent."""
    return sorted(path.parent.name for path in CASES.glob("*/case.json"))


def load_case(name: str) -> Case:
    """Read a recorded case."""
    folder = CASES / name
    document = json.loads((folder / "case.json").read_text())
    reference = folder / "ref.fa"
    if document["reference"] != "ref.fa":
        reference = REFERENCES / f"{document['reference']}.fa.gz"
    return Case(
        folder,
        document["options"],
        document["happy_options"],
        document["stratification"],
        reference,
    )


@pytest.fixture
def fake_rtg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put an rtg on PATH that replays a folder of recorded outputs, or fails in a named way."""

    def install(behaviour: str) -> Path:
        program = tmp_path / "bin" / "rtg"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE_RTG} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        monkeypatch.setenv("FAKE_RTG", behaviour)
        return program

    return install
