"""Faults F3 and F7: reads that an index hides, and reads out of order, do not go unnoticed."""

import logging
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.cli import run
from varcall.errors import InputError
from varcall.evidence.window import EvidenceReader
from varcall.inputs.checks import alignments_of
from varcall.inputs.completeness import REASONS, ReadTally
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region
from varcall.reads.bam import IndexEntries
from varcall.reads.batch import ReadCounts, ReadFilter
from varcall.reads.open import open_reads

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


@pytest.mark.parametrize("kind", ["bam", "cram"])
@pytest.mark.parametrize("size", [777, 10_000, LENGTH])
def test_every_alignment_counts_in_one_window(inputs: Inputs, size: int, kind: str) -> None:
    inputs = open_inputs(inputs.reads.with_suffix(f".{kind}"), inputs.reference)
    tally = ReadTally(inputs)
    total = np.zeros(2 + len(REASONS), np.int64)
    with EvidenceReader(inputs) as reader:
        for start in range(0, LENGTH, size):
            window = Region("chr1", start, min(LENGTH, start + size))
            counts = reader.load(window).reads.counts
            tally.add(window, counts)
            total += [counts.placed, counts.mapped, *counts.skipped]
    # One alignment each is unmapped, a duplicate, of low mapping quality.
    assert total.tolist() == [403, 402, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
    assert inputs.mapped["chr2"] == 0


def test_f14_what_is_skipped_is_said_once(inputs: Inputs, caplog: pytest.LogCaptureFixture) -> None:
    tally = ReadTally(inputs)
    skipped = np.arange(len(REASONS)) * 1000
    skipped[3] = 0
    for start in (0, 500):
        tally.add(Region("chr1", start, start + 500), ReadCounts(70_000, 70_000, skipped))
    with caplog.at_level(logging.DEBUG, "varcall"):
        tally.log()
    why, deep = caplog.messages
    assert why == (
        "126,000 of 140,000 alignments were not used: 2,000 secondary, 4,000 supplementary, "
        "8,000 duplicates, 10,000 excluded by another flag, 12,000 of low mapping quality, "
        "14,000 without sequence, 16,000 without aligned bases, 18,000 of another sample, "
        "20,000 placed past the end of their contig, 22,000 beyond the depth cap"
    )
    assert deep.startswith("22,000 reads beyond --max-depth were left out")
    assert [record.levelname for record in caplog.records] == ["DEBUG", "INFO"]
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "varcall"):
        ReadTally(inputs).log()
    assert caplog.messages == ["0 of 0 alignments were not used: none"]


def test_f3_one_read_less_is_an_error_of_the_whole_contig(inputs: Inputs) -> None:
    tally = ReadTally(inputs)
    tally.add(Region("chr2", 0, 500), ReadCounts())
    tally.add(Region("chr1", 0, 9000), ReadCounts(92, 91))
    with pytest.raises(InputError, match=r"knows 402 mapped reads on 'chr1' .* 401 were found"):
        tally.add(Region("chr1", 9000, LENGTH), ReadCounts(310, 310))
    # A part of a contig cannot be checked against its number.
    ReadTally(inputs).add(Region("chr1", 0, LENGTH - 1), ReadCounts())


def test_f3_a_cram_contig_without_reads_that_its_index_knows(inputs: Inputs) -> None:
    cram = open_inputs(inputs.reads.with_suffix(".cram"), inputs.reference)
    assert cram.mapped == {"chr1": None, "chr2": 0}
    ReadTally(cram).add(WHOLE, ReadCounts(1, 0))
    with pytest.raises(InputError, match="knows some mapped reads on 'chr1'"):
        ReadTally(cram).add(WHOLE, ReadCounts())


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


def call(inputs: Inputs, model: Path, index: Path, output: Path) -> int:
    words = ["call", str(inputs.reads), "--ref", str(inputs.reference), "-o", str(output)]
    words += ["--model", str(model), "--window", "5000", "--no-version", "--index", str(index)]
    return run(words)


def test_f3_a_bin_that_is_hidden_hides_no_reads(
    inputs: Inputs, untrained_model: Path, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden.bai"
    hidden.write_bytes(hide_a_bin(inputs.index.read_bytes()))
    with alignments_of(inputs.reads, hidden, inputs.reference) as alignments:
        assert sum(1 for _ in alignments.fetch("chr1")) > 400
        assert sum(1 for _ in alignments.fetch("chr1", 20_000, 30_000)) < 5
    for index in (inputs.index, hidden):
        with open_reads(replace(inputs, index=index)) as source:
            assert len(source.load("chr1", 20_000, 30_000, ReadFilter())) == 100
    # The mapped reads of the contig are checked against the index's count.
    assert call(inputs, untrained_model, hidden, tmp_path / "out.vcf") == 0


def test_f3_an_index_that_hides_reads_stops_the_run(
    inputs: Inputs,
    untrained_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out.vcf"
    assert call(inputs, untrained_model, inputs.index, output) == 0
    output.unlink()
    with pysam.AlignmentFile(str(inputs.reads)) as alignments:
        for _, _ in zip(alignments, range(30), strict=False):
            late = alignments.tell()
    monkeypatch.setattr(IndexEntries, "before", lambda self, position: late)
    assert call(inputs, untrained_model, inputs.index, output) == 1
    assert "the index is damaged" in capsys.readouterr().err
    assert not output.exists()
