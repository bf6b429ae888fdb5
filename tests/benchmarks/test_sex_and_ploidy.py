"""The parts of the benchmark of ploidy that are small enough to be tried."""

from pathlib import Path

import pysam
import pytest

from benchmarks.inputs.sexed_reads import SPANS, Sexed, write_reads, write_reference
from benchmarks.sex_and_ploidy import of_hg001, over_origin, write_fastq
from tests.builders import random_sequence


def test_reads_start_anywhere_on_the_circle(tmp_path: Path) -> None:
    circle = random_sequence(1000)
    write_fastq(circle, 100, 20, tmp_path / "r.fq")
    twice = circle + circle
    with pysam.FastxFile(str(tmp_path / "r.fq")) as reads:
        found = [one.sequence for one in reads]
    complement = str.maketrans("ACGT", "TGCA")
    starts = [
        twice.find(bases[::-1].translate(complement) if number % 2 else bases)
        for number, bases in enumerate(found)
    ]
    assert len(starts) == 200
    assert min(starts) >= 0
    assert sum(start > 900 for start in starts) >= 10


def test_a_male_has_half_the_reads_on_x(tmp_path: Path) -> None:
    reference = write_reference(tmp_path / "ref.fa")
    counts = {}
    for sex in ("male", "female"):
        reads = write_reads(Sexed(sex, 5), reference, tmp_path / f"{sex}.bam")
        with pysam.AlignmentFile(str(reads)) as bam:
            counts[sex] = {one.contig: one.mapped for one in bam.get_index_statistics()}
    low, high = SPANS["chr20"]
    assert counts["male"]["chr20"] == pytest.approx(5 * (high - low) / 150, rel=0.1)
    assert counts["male"]["chrX"] == pytest.approx(counts["female"]["chrX"] / 2, rel=0.1)
    assert counts["female"]["chrY"] < 0.1 * counts["male"]["chrY"]


@pytest.mark.shared_data
@pytest.mark.tools("bcftools")
def test_both_platforms_agree_on_hg001(tmp_path: Path) -> None:
    """The variants that both slices are known to have, haploid, from nearly all reads."""
    table = of_hg001(tmp_path)
    rows = {row[0]: row[1:] for row in table.rows}
    for variant in ("152T>C", "263A>G", "750A>G"):
        for cell in rows[variant]:
            genotype, depth, share = cell.split(", ")
            assert genotype == "1"
            assert int(depth) >= 15
            assert float(share) > 0.9


@pytest.mark.shared_data
@pytest.mark.tools("bcftools", "samtools", "bwa", "minimap2")
def test_variants_beside_the_origin_are_found_as_anywhere_else(tmp_path: Path) -> None:
    rows = over_origin(tmp_path).rows
    assert len(rows) == 4
    for on_rcrs, turned in (rows[:2], rows[2:]):
        assert on_rcrs[2:] == turned[2:]
        assert on_rcrs[2] == "9 of 9"
        assert on_rcrs[3] == "0"
        assert on_rcrs[5] == "yes"
