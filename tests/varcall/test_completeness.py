"""Faults F3 and F7: reads that an index hides, and reads out of order, do not go unnoticed."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.cli import run
from varcall.completeness import ReadTally, WatchedAlignments
from varcall.errors import InputError
from varcall.inputs import Inputs, open_alignments, open_inputs
from varcall.regions import Region

LENGTH = 40_000
WHOLE = Region("chr1", 0, LENGTH)
UNMAPPED_MATE = 4 | 1 | 8


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("complete")
    sequences = {"chr1": random_sequence(LENGTH), "chr2": random_sequence(500, 2)}
    reference = write_reference(folder / "ref.fa", sequences)
    builder = ReadsBuilder(reference).tile(step=100)
    builder.add(start=50, cigar="50M", flag=1024).add(start=70, cigar="50M", mapq=0)
    builder.add(start=90, cigar="*", seq="ACGT", flag=UNMAPPED_MATE)
    builder.write_bam(folder / "reads.bam")
    builder.write_cram(folder / "reads.cram")
    return open_inputs(folder / "reads.bam", reference)


def counts(inputs: Inputs, window: Region) -> dict[str, int]:
    """Count as a worker does, over a span that is wider than the window."""
    with open_alignments(inputs) as alignments:
        watched = WatchedAlignments(alignments, window)
        for _ in watched.fetch("chr1", max(0, window.start - 3000), window.end + 3000):
            pass
    return {"placed": watched.placed, "mapped": watched.mapped}


@pytest.mark.parametrize("size", [77, 10_000, LENGTH])
def test_every_alignment_counts_in_one_window(inputs: Inputs, size: int) -> None:
    tally = ReadTally(inputs)
    total = dict.fromkeys(("placed", "mapped"), 0)
    for start in range(0, LENGTH, size):
        window = Region("chr1", start, min(LENGTH, start + size))
        seen = counts(inputs, window)
        tally.add(window, **seen)
        total = {name: total[name] + seen[name] for name in total}
    assert total == {"placed": 403, "mapped": 402}
    assert inputs.mapped == {"chr1": 402, "chr2": 0}


def test_f3_one_read_less_is_an_error_of_the_whole_contig(inputs: Inputs) -> None:
    tally = ReadTally(inputs)
    tally.add(Region("chr2", 0, 500), placed=0, mapped=0)
    tally.add(Region("chr1", 0, 9000), placed=92, mapped=91)
    with pytest.raises(InputError, match=r"knows 402 mapped reads on 'chr1' .* 401 were found"):
        tally.add(Region("chr1", 9000, LENGTH), placed=310, mapped=310)
    # A part of a contig cannot be held against its number.
    ReadTally(inputs).add(Region("chr1", 0, LENGTH - 1), placed=0, mapped=0)


def test_f3_a_cram_contig_without_reads_that_its_index_knows(inputs: Inputs) -> None:
    cram = open_inputs(inputs.reads.with_suffix(".cram"), inputs.reference)
    assert cram.mapped == {"chr1": None, "chr2": 0}
    ReadTally(cram).add(WHOLE, placed=1, mapped=0)
    with pytest.raises(InputError, match="knows some mapped reads on 'chr1'"):
        ReadTally(cram).add(WHOLE, placed=0, mapped=0)


class Shuffled:
    """Two reads of a file, the later one first."""

    filename = b"reads.bam"

    def __init__(self, reads: list[pysam.AlignedSegment]) -> None:
        self.reads = reads

    def fetch(self, contig: str, start: int, end: int) -> Iterator[pysam.AlignedSegment]:
        return iter([self.reads[10], self.reads[9]])


def test_f7_reads_out_of_order_are_noticed_while_reading(inputs: Inputs) -> None:
    with open_alignments(inputs) as alignments:
        shuffled = Shuffled(list(alignments.fetch("chr1", 0, 5000)))
        with pytest.raises(InputError, match=r"reads.bam is not sorted: .* run samtools sort"):
            list(WatchedAlignments(shuffled, WHOLE).fetch("chr1", 0, 5000))


def hide_a_bin(index: bytes) -> bytes:
    """Rename one of the bins of 16 kb in a BAI: what lies in it is not found any more."""
    data = bytearray(index)
    position = 12
    for _ in range(struct.unpack_from("<i", data, 8)[0]):
        number, n_chunks = struct.unpack_from("<Ii", data, position)
        if number == 4682:  # 16,384 to 32,767 of the first contig
            struct.pack_into("<I", data, position, 4681 + 3000)
            return bytes(data)
        position += 8 + 16 * n_chunks
    raise AssertionError("no such bin")


def test_f3_an_index_that_hides_reads_stops_the_run(
    inputs: Inputs, untrained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = tmp_path / "hidden.bai"
    hidden.write_bytes(hide_a_bin(inputs.index.read_bytes()))
    with open_alignments(replace(inputs, index=hidden)) as alignments:
        assert sum(1 for _ in alignments.fetch("chr1")) > 400
        assert sum(1 for _ in alignments.fetch("chr1", 20_000, 30_000)) < 5
    output = tmp_path / "out.vcf"
    words = ["call", str(inputs.reads), "--ref", str(inputs.reference), "-o", str(output)]
    words += ["--model", str(untrained_model), "--window", "5000"]
    assert run([*words, "--index", str(inputs.index)]) == 0
    output.unlink()
    assert run([*words, "--index", str(hidden)]) == 1
    assert "the index is damaged" in capsys.readouterr().err
    assert not output.exists()
