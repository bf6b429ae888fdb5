"""Fault F40: malformed sites for `call --alleles`: one sentence, exit code 1, nothing written."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.varcall.test_given_sites import COLUMNS, HEADER, vcf, write_sites
from varcall.cli import run

SEQUENCE = random_sequence(2000, seed=4)
ALT = {"A": "C", "C": "G", "G": "T", "T": "A"}
SITES = [(pos, SEQUENCE[pos - 1], ALT[SEQUENCE[pos - 1]]) for pos in range(100, 1900, 100)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Reads, and the reference with a contig that they lack."""
    folder = tmp_path_factory.mktemp("faults")
    reference = write_reference(folder / "ref.fa", {"1": SEQUENCE, "2": SEQUENCE})
    return ReadsBuilder(reference).tile(step=10).write_bam(folder / "reads.bam"), reference


Making = Callable[[Path], Path]


def text(content: str) -> Making:
    return lambda folder: write_sites(folder / "sites.vcf", content)


def with_site(pos: int, ref: str, alt: str) -> Making:
    sites = sorted([*SITES, (pos, ref, alt)])
    return lambda folder: write_sites(folder / "sites.vcf.gz", vcf(sites))


def without_index(folder: Path) -> Path:
    path = write_sites(folder / "sites.vcf.gz", vcf(SITES))
    Path(f"{path}.tbi").unlink()
    return path


def with_broken_index(folder: Path) -> Path:
    path = write_sites(folder / "sites.vcf.gz", vcf(SITES))
    Path(f"{path}.tbi").write_bytes(b"TBI")
    return path


def plain_gzip(folder: Path) -> Path:
    path = folder / "sites.vcf.gz"
    path.write_bytes(gzip.compress(vcf(SITES).encode()))
    return path


def cut(folder: Path) -> Path:
    path = write_sites(folder / "sites.vcf.gz", vcf(SITES))
    path.write_bytes(path.read_bytes()[:-28])
    return path


def damaged(folder: Path) -> Path:
    """Flip a byte of the last block of records, of several."""
    sites = [(pos, SEQUENCE[pos - 1], "N" * 99) for pos in range(1, 2000)]
    path = write_sites(folder / "sites.vcf.gz", vcf(sites))
    content = bytearray(path.read_bytes())
    content[-100] ^= 0xFF
    path.write_bytes(content)
    return path


def wrong_pos(folder: Path) -> Path:
    return write_sites(folder / "sites.vcf.gz", vcf(SITES).replace("\t100\t", "\t1x0\t"))


WRONG_REF = ALT[SEQUENCE[149]]
CASES: dict[str, tuple[Making, str]] = {
    "absent": (lambda folder: folder / "none.vcf", "cannot read the given sites file"),
    "empty": (text(""), "is empty"),
    "no VCF": (text("chr1 100 200\n"), "cannot be indexed"),
    "no columns": (text(HEADER), "has no VCF header that can be read"),
    "unsorted": (text(vcf(SITES[::-1])), "bcftools sort"),
    "contigs in pieces": (
        text(
            vcf(SITES[:3])
            + vcf(SITES[:3], contig="2").split(COLUMNS)[1]
            + vcf(SITES[3:]).split(COLUMNS)[1]
        ),
        "bcftools sort",
    ),
    "no index": (without_index, "has no index: run 'tabix -p vcf"),
    "broken index": (with_broken_index, "is broken: run 'tabix -p vcf"),
    "plain gzip": (plain_gzip, "is plain gzip, not BGZF"),
    "cut": (cut, "has no BGZF end block"),
    "damaged": (damaged, "is damaged or malformed at or after 1:"),
    "no number": (wrong_pos, "is damaged or malformed at or after 1:"),
    "other reference": (with_site(150, WRONG_REF, SEQUENCE[149]), "where the reference has"),
    "beyond the end": (with_site(2001, "A", "C"), "reaches beyond the end of '1'"),
    "over the end": (with_site(2000, SEQUENCE[1999] + "A", SEQUENCE[1999]), "reaches beyond"),
    "no bases": (with_site(150, "?", "C"), "not a sequence of bases"),
    "no allele": (with_site(150, SEQUENCE[149], "C-"), "which is no allele"),
    "REF as ALT": (with_site(150, SEQUENCE[149], SEQUENCE[149].lower()), "an allele twice"),
    "the chr twin": (text(vcf(SITES, contig="chr1")), "there is '1'"),
    "another contig": (
        text(vcf(SITES) + vcf(SITES, contig="7").split(COLUMNS)[1]),
        "has records on '7'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_f40_malformed_sites_are_one_sentence(
    case: str, sample: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, message = CASES[case]
    reads, reference = sample
    output = tmp_path / "out"
    output.mkdir()
    words = ["call", str(reads), "--ref", str(reference), "--alleles", str(make(tmp_path))]
    for window in ("500", "50000"):
        code = run([*words, "--window", window, "--quiet", "-o", str(output / "calls.vcf.gz")])
        assert code == 1
        assert list(output.iterdir()) == []
        said = capfd.readouterr().err.splitlines()
        # The reads are shallow, which is said first.
        assert [message in line for line in said if " warning: " not in line] == [True]


def test_f40_other_contigs_are_no_matter_where_regions_are_named(
    sample: tuple[Path, Path], tmp_path: Path
) -> None:
    reads, reference = sample
    make, _ = CASES["another contig"]
    words = ["call", str(reads), "--ref", str(reference), "--alleles", str(make(tmp_path))]
    assert run([*words, "-r", "1:1-500", "-o", str(tmp_path / "out.vcf"), "--quiet"]) == 0
    with pysam.VariantFile(str(tmp_path / "out.vcf")) as found:
        assert [record.pos for record in found] == [100, 200, 300, 400, 500]


def test_f40_an_index_older_than_its_file_is_a_warning(
    sample: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reads, reference = sample
    path = write_sites(tmp_path / "sites.vcf.gz", vcf(SITES))
    os.utime(f"{path}.tbi", (1, 1))
    words = ["call", str(reads), "--ref", str(reference), "--alleles", str(path)]
    assert run([*words, "-o", str(tmp_path / "out.vcf"), "--quiet"]) == 0
    assert "is older than the given sites" in capfd.readouterr().err


def test_f40_discovery_needs_sites(
    sample: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reads, reference = sample
    words = ["call", str(reads), "--ref", str(reference), "--alleles-and-discovery"]
    assert run([*words, "-o", str(tmp_path / "out.vcf")]) == 2
    assert "--alleles-and-discovery needs --alleles" in capfd.readouterr().err
