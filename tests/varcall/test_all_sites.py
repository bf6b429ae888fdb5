"""`varcall call --all-sites`: every base of the regions once, beside the variants as called."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.diploid import BOTH, FIRST, SECOND, Change, add_haplotype
from varcall.options import CallOptions
from varcall.output.all_sites import Uncovered
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants

LENGTH, BARE = 10_000, 9_000
UNKNOWN = (6_000, 6_100)
_BASES = random_sequence(LENGTH, seed=21)
REFERENCE = _BASES[: UNKNOWN[0]] + "N" * (UNKNOWN[1] - UNKNOWN[0]) + _BASES[UNKNOWN[1] :]
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
# 0-based. The first deletion crosses 3000, where windows of 1000 and shards are cut; an SNV of the
# other haplotype lies in what it deletes. SNVs at 1999 and 2000 make one record that crosses 2000.
# Reads link those from 6998 on.
DELETED, INSIDE, SNVS = (2_985, 3_015), 3_005, (1_500, 1_999, 2_000, 6_998, 7_003, 7_060)
CHANGES = (
    Change(*DELETED, "", FIRST),
    Change(INSIDE, INSIDE + 1, OTHER[REFERENCE[INSIDE]], SECOND),
    Change(4_500, 4_500, "GATTACA", BOTH),
    *(Change(at, at + 1, OTHER[REFERENCE[at]], FIRST) for at in SNVS),
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> CallOptions:
    """Reads of two haplotypes at 30x; none beyond BARE, and none on contig b."""
    folder = tmp_path_factory.mktemp("all_sites")
    sequences = {"a": REFERENCE, "b": random_sequence(600, seed=22)}
    reads = ReadsBuilder(write_reference(folder / "ref.fa", sequences))
    for haplotype in (FIRST, SECOND):
        add_haplotype(reads, "a", CHANGES, haplotype, step=10)
    reads.lines = [line for line in reads.lines if int(line.split("\t")[3]) < BARE - 150]
    bam = reads.write_bam(folder / "reads.bam")
    return CallOptions(
        reads=bam, reference=reads.reference, no_version=True, window=1000, all_sites=True
    )


def call(sample: CallOptions, output: Path, **changes: object) -> bytes:
    call_variants(replace(sample, output=str(output), **changes))  # type: ignore[arg-type]
    return output.read_bytes()


@pytest.fixture(scope="module")
def whole(sample: CallOptions, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The VCF of one run."""
    return call(sample, tmp_path_factory.mktemp("whole") / "out.vcf")


def lines_of(text: bytes) -> list[list[str]]:
    return [line.split("\t") for line in text.decode().splitlines() if not line.startswith("#")]


def bases_of(text: bytes) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield contig, 0-based position and call of each base that is as in the reference."""
    for line in lines_of(text):
        if line[4] == ".":
            call = dict(zip(line[8].split(":"), line[9].split(":"), strict=True))
            yield line[0], int(line[1]) - 1, call


def test_every_base_once_and_the_variants_of_the_plain_vcf(
    sample: CallOptions, whole: bytes, tmp_path: Path
) -> None:
    lines = lines_of(whole)
    in_bases, in_variants = {}, {}
    for contig, length in (("a", LENGTH), ("b", 600)):
        in_bases[contig], in_variants[contig] = np.zeros(length, int), np.zeros(length, bool)
    for line in lines:
        start = int(line[1]) - 1
        if line[4] == ".":
            assert line[3] == (REFERENCE[start] if line[0] == "a" else line[3])
            in_bases[line[0]][start] += 1
        else:
            in_variants[line[0]][start : start + len(line[3])] = True
    for contig, count in in_bases.items():
        assert ((count == 1) ^ in_variants[contig]).all()
        assert count.max() == 1
    assert in_variants["a"][slice(*DELETED)].all()
    plain = lines_of(call(sample, tmp_path / "plain.vcf", all_sites=False))
    assert len(plain) == len(CHANGES) - 1  # two SNVs side by side are one record
    assert [line for line in lines if line[4] != "."] == plain


def test_bcftools_takes_it(sample: CallOptions, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "out.vcf.gz"
    call(sample, path)
    text = subprocess.run(
        ["bcftools", "norm", "-c", "e", "-f", sample.reference, "-r", "a,b", path],
        check=True,
        capture_output=True,
    )
    assert b"rror" not in text.stderr
    assert len(lines_of(text.stdout)) == len(lines_of(whole))
    variants = subprocess.run(
        ["bcftools", "view", "-H", "-m", "2", path], check=True, capture_output=True
    )
    assert len(lines_of(variants.stdout)) == sum(line[4] != "." for line in lines_of(whole))


def test_what_a_base_says(sample: CallOptions, tmp_path: Path) -> None:
    text = call(sample, tmp_path / "out.vcf", realign=False)
    depth = np.zeros(LENGTH, int)
    with pysam.AlignmentFile(str(sample.reads)) as reads:
        for read in reads:
            depth[read.reference_start : read.reference_end] += 1
    for contig, start, values in bases_of(text):
        assert values["PL"] == "0"
        if contig == "b" or start >= BARE or UNKNOWN[0] <= start < UNKNOWN[1]:
            assert (values["GT"], values["GQ"]) == ("./.", "0")
        if contig == "b":
            assert (values["DP"], values["AD"]) == ("0", "0")
            continue
        assert int(values["DP"]) == depth[start]
        assert int(values["AD"]) == (0 if REFERENCE[start] == "N" else depth[start])
        if depth[start] > 25 and REFERENCE[start] != "N":
            assert values["GT"] == "0/0"
            assert int(values["GQ"]) > 30
    haploid = call(sample, tmp_path / "haploid.vcf", ploidy=1, regions=("a:8801-9100",))
    assert {values["GT"] for _, _, values in bases_of(haploid)} == {"0", "."}


def test_the_same_however_the_work_is_cut(
    sample: CallOptions, whole: bytes, tmp_path: Path
) -> None:
    assert call(sample, tmp_path / "large.vcf", window=20_000) == whole
    assert call(sample, tmp_path / "threads.vcf", threads=2) == whole
    folder = tmp_path / "finished"
    assert call(sample, tmp_path / "kept.vcf", workdir=folder) == whole
    assert call(sample, tmp_path / "again.vcf", workdir=folder, resume=True) == whole
    for suffix in (".vcf.gz", ".bcf"):
        shards = [tmp_path / f"{index}{suffix}" for index in (1, 2, 3, 4)]
        for index, path in enumerate(shards, start=1):
            call(sample, path, shard=(index, 4))
        merged = tmp_path / "merged.vcf"
        merge_shards(MergeOptions(tuple(shards), str(merged)))
        assert merged.read_bytes() == whole


def test_variants_are_phased_and_bases_are_not(
    sample: CallOptions, whole: bytes, tmp_path: Path
) -> None:
    for distance in (0, 10):
        rules = {"phase": True, "join_mnvs": distance}
        phased = call(sample, tmp_path / "phased.vcf", **rules)
        alone = lines_of(call(sample, tmp_path / "alone.vcf", all_sites=False, **rules))
        assert [line for line in lines_of(phased) if line[4] != "."] == alone
        assert {line[9][:3] for line in alone if int(line[1]) > 6_990} in ({"0|1"}, {"1|0"})
        joined = [line for line in alone if line[3] == REFERENCE[6_998:7_004]]
        assert len(joined) == (distance > 0)
        # What lies between the SNVs of an MNV is in its REF.
        within = range(6_998, 7_004) if joined else ()
        bases = [base for base in bases_of(whole) if base[1] not in within]
        assert list(bases_of(phased)) == bases
        assert call(sample, tmp_path / "large.vcf", window=20_000, **rules) == phased
        shards = [tmp_path / f"{index}.vcf.gz" for index in (1, 2, 3)]
        for index, path in enumerate(shards, start=1):
            call(sample, path, shard=(index, 3), **rules)
        merged = tmp_path / "merged.vcf"
        merge_shards(MergeOptions(tuple(shards), str(merged)))
        assert merged.read_bytes() == phased


def test_a_base_in_the_ref_of_a_variant_has_no_line() -> None:
    made = [
        (1, "A", "."),
        (2, "ACG", "A"),
        (2, "A", "."),
        (3, "C", "T"),
        (4, "G", "."),
        (5, "T", "."),
    ]
    lines = [f"a\t{pos}\t.\t{ref}\t{alts}\t." for pos, ref, alts in made]
    uncovered = Uncovered()
    assert [*uncovered.of(lines[:3]), *uncovered.of(lines[3:])] == [
        lines[index] for index in (0, 1, 3, 5)
    ]
    assert [*uncovered.of(["b\t1\t.\tA\t.\t."])] == ["b\t1\t.\tA\t.\t."]
