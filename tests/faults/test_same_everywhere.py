"""Rows D1 and D2, and CRAM: the same records however a run is cut up, and from any kind of file."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from tests.builders import bam_to_cram
from varcall.options import CallOptions
from varcall.output.merge import MergeOptions, merge_shards
from varcall.pipeline import call_variants
from varcall.simulate import SimulatedSample


def records(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def called(options: CallOptions, output: Path, **changes: object) -> Path:
    call_variants(replace(options, output=str(output), **changes))  # type: ignore[arg-type]
    return output


@pytest.mark.campaign
def test_d1_d2_every_way_to_run(
    small_sample: SimulatedSample, untrained_model: Path, tmp_path: Path
) -> None:
    """Threads, shards and batch sizes leave the bytes alone; windows and regions the records."""
    options = CallOptions(
        reads=small_sample.bam,
        reference=small_sample.reference,
        model=str(untrained_model),
        window=2000,
    )
    whole = called(options, tmp_path / "whole.vcf")
    assert len(records(whole)) > 10
    ways = list(itertools.product((1, 2), (1, 3), (1, 7, 64)))
    for threads, shards, batch_size in ways:
        how = {"threads": threads, "batch_size": batch_size}
        parts = [tmp_path / f"part{index}.vcf" for index in range(1, shards + 1)]
        for index, part in enumerate(parts, 1):
            called(options, part, shard=(index, shards) if shards > 1 else None, **how)
        merged = parts[0]
        if shards > 1:
            merged = tmp_path / "merged.vcf"
            merge_shards(MergeOptions(inputs=tuple(parts), output=str(merged)))
        assert merged.read_bytes() == whole.read_bytes(), how | {"shards": shards}
    sizes = (500, 777, 1000, 4096, 25_000)
    for size in sizes:
        assert records(called(options, tmp_path / "out.vcf", window=size)) == records(whole), size
    print(f"{len(ways)} ways to run give the same bytes, {len(sizes)} windows the same records")


def cram_of(bam: Path, reference: Path, cram: Path, regions: Sequence[str] = ()) -> Path:
    part = cram.with_suffix(".bam")
    pysam.view("-b", "--no-PG", "-o", str(part), str(bam), *regions, catch_stdout=False)
    pysam.index(str(part))
    return bam_to_cram(part, cram, reference)


@pytest.mark.shared_data
def test_a_real_cram_gives_the_records_of_its_bam(
    shared_data: Path, untrained_model: Path, tmp_path: Path
) -> None:
    bam = shared_data / "slices" / "HG002_30x_b37_20_10.00-10.10Mb.bam"
    reference = shared_data / "reference" / "hs37_chr20.fa.gz"
    cram = cram_of(bam, reference, tmp_path / "reads.cram", ["20:10010000-10040000"])
    options = CallOptions(
        reads=cram.with_suffix(".bam"),
        reference=reference,
        model=str(untrained_model),
        regions=("20:10,012,345-10,035,000",),
    )
    whole = records(called(options, tmp_path / "bam.vcf"))
    assert len(whole) > 40
    assert records(called(options, tmp_path / "cram.vcf", reads=cram)) == whole
