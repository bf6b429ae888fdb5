"""Fault F50: gVCFs and pedigrees that do not go together: one sentence each, nothing written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

from tests.varcall.joint.gvcf_files import CONTIGS, HEADER, block, variant, write_gvcf
from varcall.cli import run as run_varcall

HET = "0/1:40:30:16,14,0:45,0,52,93,101,240"
LINES = [variant(10, "A G,<*>", HET), variant(20, "C T,<*>", HET)]
SURE = [block(1, 50, "N", "0/0:60:30:0,60,200")]


def good(folder: Path) -> list[str]:
    return [str(write_gvcf(folder, "a", LINES)), str(write_gvcf(folder, "b", SURE))]


def other_length(folder: Path) -> list[str]:
    contigs = CONTIGS.replace("ID=2,length=1000", "ID=2,length=1001")
    return [good(folder)[0], str(write_gvcf(folder, "b", SURE, contigs=contigs))]


def other_md5(folder: Path) -> list[str]:
    one, two = (CONTIGS.replace("length=1000>", f"length=1000,md5={md5}>", 1) for md5 in "12")
    paths = write_gvcf(folder, "a", LINES, contigs=one), write_gvcf(folder, "b", SURE, contigs=two)
    return [str(path) for path in paths]


def fewer_contigs(folder: Path) -> list[str]:
    contigs = CONTIGS.splitlines(keepends=True)[0]
    return [good(folder)[0], str(write_gvcf(folder, "b", SURE, contigs=contigs))]


def other_ref(folder: Path) -> list[str]:
    other = [variant(10, "T G,<*>", HET)]
    return [good(folder)[0], str(write_gvcf(folder, "b", other))]


def unsorted(folder: Path) -> list[str]:
    paths = good(folder)
    kept = folder / "kept.tbi"
    shutil.copy(f"{paths[0]}.tbi", kept)
    text = pysam.BGZFile(paths[0]).read().decode().replace("\t10\t", "\t30\t")
    with pysam.BGZFile(paths[0], "wb") as stream:
        stream.write(text.encode())
    return paths


def same_sample(folder: Path) -> list[str]:
    paths = good(folder)
    copy = folder / "copy.g.vcf.gz"
    for suffix in ("", ".tbi"):
        shutil.copy(f"{paths[0]}{suffix}", f"{copy}{suffix}")
    return [*paths, str(copy)]


def no_index(folder: Path) -> list[str]:
    paths = good(folder)
    Path(f"{paths[1]}.tbi").unlink()
    return paths


def plain_vcf(folder: Path) -> list[str]:
    header = "".join(line for line in HEADER.splitlines(keepends=True) if "##ALT" not in line)
    lines = [variant(10, "A G", "0/1:40:30:16,14:45,0,52")]
    return [good(folder)[1], str(write_gvcf(folder, "a", lines, header=header))]


def cut(folder: Path) -> list[str]:
    paths = good(folder)
    whole = Path(paths[0]).read_bytes()
    Path(paths[0]).write_bytes(whole[:-28])
    return paths


def two_samples(folder: Path) -> list[str]:
    lines = [f"{line.rstrip()}\t{HET}\n" for line in LINES]
    return [str(write_gvcf(folder, "a\tc", lines)), good(folder)[1]]


def absent(folder: Path) -> list[str]:
    return [*good(folder), str(folder / "absent.g.vcf.gz")]


def text(folder: Path) -> list[str]:
    path = folder / "c.g.vcf"
    path.write_text(pysam.BGZFile(good(folder)[0]).read().decode())
    return [str(path)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (other_length, "other references: contig 2"),
        (other_md5, "other references: contig 1"),
        (fewer_contigs, "other references: contig 2"),
        (other_ref, "REF at 1:10"),
        (unsorted, "is not sorted at 1:20"),
        (same_sample, "both of the sample a"),
        (no_index, "has no index"),
        (plain_vcf, "is a VCF and no gVCF"),
        (cut, "is cut"),
        (two_samples, "has 2 samples"),
        (absent, "there is no file"),
        (text, "is not compressed by bgzip"),
    ],
)
def test_gvcfs_that_do_not_go_together(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], list[str]],
    said: str,
) -> None:
    refused(tmp_path, capsys, make(tmp_path), said)


PARENTS = "f a 0 0 1 0\nf b 0 0 2 0\n"


@pytest.mark.parametrize(
    ("ped", "said"),
    [
        ("f a 0 0\n", "line 1: 4 columns"),
        ("#fam\nf a 0 0 1 0\nf a 0 0 1 0\n", "line 3: the individual a stands in line 2 too"),
        ("f a b 0 1 0\nf b 0 0 2 0\n", "the father b of a is female in line 2"),
        ("f a 0 b 1 0\nf b 0 0 1 0\n", "the mother b of a is male in line 2"),
        ("f a b 0 1 0\n", "the father b of a has no line"),
        ("f a b 0 1 0\nf b a 0 1 0\n", "is an ancestor of itself"),
        (f"{PARENTS}f kid a b 0 0\n", "line 3: no gVCF is of the sample kid"),
        (PARENTS, "has no child with a parent"),
        ("", "has no child with a parent"),
        ("f 0 a b 1 0\n", "line 1: an individual has no name"),
        ("\xff\xfe", "cannot read"),
    ],
)
def test_a_malformed_pedigree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ped: str, said: str
) -> None:
    path = tmp_path / "family.ped"
    path.write_bytes(ped.encode("latin-1"))
    refused(tmp_path, capsys, [*good(tmp_path), "--ped", str(path)], said)


def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """See that a command ends with one sentence, and leaves nothing behind."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "joint.vcf.gz").write_text("of an earlier run")
    assert run_varcall(["joint", *words, "-o", str(out / "joint.vcf.gz")]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert said in message
    assert [path.name for path in out.iterdir()] == ["joint.vcf.gz"]
    assert (out / "joint.vcf.gz").read_text() == "of an earlier run"


@pytest.mark.parametrize("prior", ["0", "-1", "0.5", "nan"])
def test_a_prior_out_of_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prior: str
) -> None:
    words = ["joint", *good(tmp_path), "--de-novo-prior", prior, "-o", str(tmp_path / "x.vcf")]
    assert run_varcall(words) == 2
    assert "--de-novo-prior must be" in capsys.readouterr().err
    assert not (tmp_path / "x.vcf").exists()
