"""Fault F26: reads that hang over the end of their contig, and reads that lie past it."""

import logging
from pathlib import Path

import pytest

from tests.builders import UNMAPPED, ReadsBuilder, random_sequence, write_reference
from varcall.errors import InputError
from varcall.evidence.window import EvidenceReader
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region
from varcall.options import CallOptions
from varcall.pipeline import call_variants
from varcall.reads.measure_library import measure_profile

LENGTH = 3000
SEQ = random_sequence(100, 7)


def write(folder: Path, kind: str, beyond: list[int], flag: int = 0) -> Inputs:
    """Write reads over all of one of two contigs, and more that begin at `beyond`."""
    contigs = {"chr1": random_sequence(LENGTH), "chr2": random_sequence(5000, 2)}
    reads = ReadsBuilder(write_reference(folder / "ref.fa", contigs))
    reads.tile(step=20, read_length=100)
    for start in beyond:
        reads.add(start=start, seq=SEQ, cigar="*" if flag else "100M", flag=flag)
    path = folder / f"reads.{kind}"
    path = reads.write_bam(path) if kind == "bam" else reads.write_cram(path)
    return open_inputs(path, reads.reference)


@pytest.mark.parametrize("kind", ["bam", "cram"])
@pytest.mark.parametrize("window", [500, 50_000])
@pytest.mark.parametrize("regions", [(), ("chr1",), ("chr1:2,900-3,000",), ("chr1:1-1,000",)])
def test_f26_reads_past_the_end_are_left_out(
    untrained_model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    window: int,
    regions: tuple[str, ...],
) -> None:
    # On the first base past the end, in the same kilobase, and far away.
    inputs = write(tmp_path, kind, [2999, 3000, 3010, 30_000, 900_000])
    with caplog.at_level(logging.DEBUG, "varcall"):
        call_variants(
            CallOptions(
                reads=inputs.reads, reference=inputs.reference, regions=regions, window=window,
                model=str(untrained_model), output=str(tmp_path / "calls.vcf"),
            )
        )  # fmt: skip
    (said,) = (message for message in caplog.messages if "were not used" in message)
    if regions == ("chr1:1-1,000",):
        assert said == "0 of 50 alignments were not used: none"
    else:
        assert "were not used: 4 placed past the end of their contig" in said


@pytest.mark.parametrize("kind", ["bam", "cram"])
def test_f26_reads_that_hang_over_the_end_are_used(tmp_path: Path, kind: str) -> None:
    inputs = write(tmp_path, kind, [2950, 2999, 3000])
    with EvidenceReader(inputs) as reader:
        batch = reader.load(Region("chr1", 2900, LENGTH)).reads
    hanging = batch.arrays.read_start[batch.arrays.read_end > LENGTH]
    assert hanging.tolist() == [2950, 2999]
    assert measure_profile(inputs).read_length == 100


def test_f26_unmapped_reads_past_the_end(tmp_path: Path) -> None:
    """The way of bwa to say that a read hangs over."""
    inputs = write(tmp_path, "bam", [3010], flag=UNMAPPED)
    with EvidenceReader(inputs) as reader:
        counts = reader.load(Region("chr1", 0, LENGTH)).reads.counts
    assert (counts.placed, counts.mapped) == (147, 146)
    assert counts.skipped.sum() == 1


def test_f26_a_cram_that_its_own_reference_does_not_decode(tmp_path: Path) -> None:
    """As htslib 1.16 writes one of unmapped reads past the end; here it is damaged."""
    cram = write(tmp_path, "cram", []).reads
    data = bytearray(cram.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20] = bytes(20)
    cram.write_bytes(data)
    with pytest.raises(InputError, match=r"though that is its reference: .*past the end"):
        open_inputs(cram, tmp_path / "ref.fa")
