"""The benchmark of given sites, on a simulated sample."""

from pathlib import Path

import pytest

from benchmarks import given_sites
from benchmarks.given_sites import all_sites_row, counts_row, records_row
from benchmarks.inputs.slices import Slice, StagedSlice
from varcall.simulate import SimulatedSample

LENGTH = 12_000


@pytest.fixture
def staged(small_sample: SimulatedSample) -> StagedSlice:
    region = f"sim:1-{LENGTH}"
    item = Slice("simulated", "reads.bam", "reference.fa", region, "truth.vcf.gz", None)
    reads, reference = small_sample.bam, small_sample.reference
    return StagedSlice(item, reads, reference, small_sample.truth, ((0, LENGTH),), small_sample.bed)


@pytest.mark.tools("samtools")
def test_all_is_told_and_counted_alike(
    staged: StagedSlice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, given, written, is_same, with_reads, _ = records_row(staged, staged.truth, tmp_path)
    assert (name, is_same) == ("simulated", "yes")
    assert int(given) == int(written) >= int(with_reads) > 5
    _, snvs, *same = counts_row(staged, staged.truth, tmp_path)
    assert int(snvs) > 5
    assert same == [snvs, snvs]
    monkeypatch.setattr(given_sites, "ALL_SITES_BASES", 3000)
    _, bases, alone, variants, once, _ = all_sites_row(staged, tmp_path)
    assert (bases, once) == ("3,000", "3,000")
    assert int(variants) > 0
    assert int(alone.replace(",", "")) < 3000
