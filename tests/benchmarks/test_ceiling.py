"""Labels spelled as calls: what a model without an error would reach."""

import shutil
from pathlib import Path

import pysam
import pytest

from benchmarks.calibration import cut_examples
from benchmarks.ceiling import WAYS, genotype, write_labelled
from benchmarks.inputs.slices import Slice, StagedSlice
from benchmarks.scores.haplotype_match import haplotype_counts
from varcall.simulate import SimulatedSample


@pytest.mark.parametrize(
    ("copies", "spelled"),
    [
        ([0], None),
        ([1], "0/1"),
        ([2], "1/1"),
        ([0, 1], "0/2"),
        ([1, 0, 1], "1/3"),
        ([2, 1], "1/1"),
        ([1, 2], "1/2"),
    ],
)
def test_genotypes_hold_two_copies_at_most(copies: list[int], spelled: str | None) -> None:
    assert genotype(copies) == spelled


@pytest.mark.tools("bcftools")
def test_labels_of_a_simulated_sample_are_its_truth(
    tmp_path: Path, small_sample: SimulatedSample
) -> None:
    reads = tmp_path / "reads.bam"
    for suffix in ("", ".bai"):
        shutil.copy(f"{small_sample.bam}{suffix}", f"{reads}{suffix}")
    (contig,) = pysam.FastaFile(str(small_sample.reference)).references
    end = pysam.FastaFile(str(small_sample.reference)).get_reference_length(contig)
    item = Slice("small", reads.name, "", f"{contig}:1-{end}", "", None)
    staged = StagedSlice(
        item, reads, small_sample.reference, small_sample.truth, (), small_sample.bed
    )
    cut_examples(staged, tmp_path / "examples")
    calls = write_labelled(staged, tmp_path / "examples", WAYS["reassembled"])
    snp, indel = haplotype_counts(staged, calls, 'FILTER="PASS"')
    assert snp.fp == indel.fp == 0
    assert snp.tp + indel.tp > 5 * (snp.fn + indel.fn)
