"""Simulated libraries: what is asked for, where it is scored, and what a genome would cost."""

from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from benchmarks.accuracy import Row
from benchmarks.runs.costs import START_UP
from benchmarks.scores.exact_match import Counts, Score
from benchmarks.simulated_libraries import (
    COVERED,
    FIRST,
    LAST,
    PRESETS,
    REFERENCE,
    SAMPLES,
    START,
    Sample,
    Scored,
    covered,
    describe,
    library_table,
    prepare,
    simulated,
)
from tests.benchmarks.one_variant import write_one_variant
from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.simulate.library import LIBRARIES
from varcall.simulate.long_reads.library import LONG_FLANKS

SIZE = 6000


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.name for sample in SAMPLES])
def test_samples_lie_in_the_part_that_no_training_sees(sample: Sample) -> None:
    assert 50_000_000 < FIRST < LAST <= 55_000_000
    flank = LONG_FLANKS.get(sample.platform, 0)
    assert START >= flank
    assert FIRST - 1 + START + sample.size + flank <= LAST
    options = sample.options(Path("ref.fa"), Path("truth.vcf.gz"), Path("out"))
    assert options.library in LIBRARIES
    assert options.depth == (sample.depth, sample.depth)


def test_long_samples_are_those_with_presets() -> None:
    assert [s.name for s in SAMPLES if s.is_long] == [
        "HiFi 10x", "HiFi 20x", "HiFi 35x", "ONT R10 20x", "ONT R10 50x",
    ]  # fmt: skip
    assert set(PRESETS) == {s.platform for s in SAMPLES if s.is_long}


def by_name(name: str) -> Sample:
    (sample,) = (sample for sample in SAMPLES if sample.name == name)
    return sample


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return a reference of random bases, and a truth of one variant, of the benchmark's contig."""
    monkeypatch.setattr("benchmarks.simulated_libraries.START", 2000)
    return write_one_variant(tmp_path, 2000 + SIZE + 2000, 5000)


def stage_small(sample: Sample, inputs: tuple[Path, Path], folder: Path) -> tuple[Path, str]:
    small = replace(sample, size=SIZE)
    staged = simulated(small, *inputs, folder)
    assert staged.slice.region == f"20:2001-{2000 + SIZE}"
    with pysam.VariantFile(str(staged.truth)) as truth:
        assert [record.pos for record in truth] == [5001]
    assert staged.confident_bed.read_text() == "".join(
        f"20\t{start}\t{end}\n" for start, end in staged.confident
    )
    return staged.reads, describe(small, staged.reads)


@pytest.mark.tools("samtools", "bwa")
@pytest.mark.parametrize(
    ("name", "said", "share"),
    [
        ("adapters in a quarter of the reads", "adapter bases in", (20, 33)),
        ("unmarked duplicates", "of them,", (20, 35)),
    ],
)
def test_reads_are_what_the_name_says(
    tmp_path: Path, inputs: tuple[Path, Path], name: str, said: str, share: tuple[int, int]
) -> None:
    reads, told = stage_small(by_name(name), inputs, tmp_path)
    low, high = share
    assert low < float(told.partition(said)[2].split("%")[0]) < high
    with pysam.AlignmentFile(str(reads)) as bam:
        marked = any(read.is_duplicate for read in bam)
    assert not (marked and "unmarked" in name)


@pytest.mark.tools("samtools", "bwa")
def test_amplicons_are_scored_where_they_lie(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    sample = replace(by_name("amplicons"), size=SIZE)
    staged = simulated(sample, *inputs, tmp_path)
    assert 0 < sum(end - start for start, end in staged.confident) < SIZE
    # What lies in the folder is not made again.
    before = staged.reads.stat().st_mtime_ns
    assert simulated(sample, *inputs, tmp_path) == staged
    assert staged.reads.stat().st_mtime_ns == before


@pytest.mark.tools("samtools")
def test_covered_is_where_enough_reads_lie(tmp_path: Path) -> None:
    reference = write_reference(tmp_path / "ref.fa", {"20": random_sequence(400)})
    reads = ReadsBuilder(reference)
    for start, count in ((50, COVERED), (100, COVERED), (200, COVERED - 1), (300, COVERED)):
        for _ in range(count):
            reads.add(start=start, cigar="50M", mapq=60 if start < 300 else 0)
    bam = reads.write_bam(tmp_path / "reads.bam")
    assert covered(bam, "20:1-400") == ((50, 150),)
    assert covered(bam, "20:61-120") == ((60, 120),)


def test_start_up_is_paid_once_a_genome() -> None:
    sample = Sample("HiFi 35x", 310_000 + START_UP, 35, platform="hifi")
    row = Row("HiFi 35x", "varcall", Score(), (Counts(9, 1, 0), Counts(3, 0, 2)), False, (), 12.0)
    # 10 s for every 310 kb of 3.1 Gb are 10,000 of them.
    assert Scored(row, sample, 2.0).genome_hours == pytest.approx(100_002 / 3600)
    table = library_table([Scored(row, sample, 2.0), Scored(row, sample, None)], ["a note"])
    assert table.rows == [
        ["HiFi 35x", "varcall", "9/1/0", "3/0/2", "12.0", "27.8"],
        ["HiFi 35x", "varcall", "9/1/0", "3/0/2", "12.0", "-"],
    ]


@pytest.mark.shared_data
@pytest.mark.tools("samtools", "bcftools", "bwa")
def test_cut_truth_fits_the_cut_reference(tmp_path: Path) -> None:
    reference, truth = prepare(tmp_path)
    with pysam.FastaFile(str(reference)) as cut, pysam.FastaFile(str(REFERENCE)) as whole:
        assert cut.get_reference_length("20") == LAST - FIRST + 1
        with pysam.VariantFile(str(truth)) as records:
            found = list(records.fetch("20", START, START + 100_000))
        assert len(found) > 50
        for record in found:
            assert cut.fetch("20", record.start, record.stop) == record.ref
            place = FIRST - 1 + record.start
            assert whole.fetch("20", place, place + len(record.ref)) == record.ref
