"""The stream of records behind the windows of a CRAM."""

import gzip
import random
from contextlib import closing
from pathlib import Path

import pysam
import pytest

from tests.builders import ReadsBuilder, random_sequence, write_reference
from tests.varcall.reads.htslib_reads import load_reads
from tests.varcall.reads.loading import reads_of
from varcall.errors import InputError
from varcall.formats.crai import parse_crai
from varcall.formats.cram_containers import CramFile
from varcall.reads.batch import ReadFilter
from varcall.reads.cram import CramRecords

LENGTH = 300_000


@pytest.fixture
def reads(tmp_path: Path) -> ReadsBuilder:
    contigs = {"chr1": random_sequence(LENGTH), "chr2": random_sequence(5000, 2)}
    return ReadsBuilder(write_reference(tmp_path / "ref.fa", contigs))


@pytest.fixture
def sought(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where the stream was started over."""
    starts: list[int] = []
    original = CramRecords.seek

    def seek(self: CramRecords, span) -> int | None:
        starts.append(span.first)
        return original(self, span)

    monkeypatch.setattr(CramRecords, "seek", seek)
    return starts


def starts_of(reads: ReadsBuilder, spans: list[tuple[str, int, int]]) -> list[list[int]]:
    """Starts of the reads of spans, from one source; the same as those of htslib."""
    cram = reads.write_cram(reads.reference.with_name("reads.cram"))
    found = []
    with (
        closing(reads_of(cram, reads.contigs, reference=reads.reference)) as source,
        pysam.AlignmentFile(str(cram), reference_filename=str(reads.reference)) as alignments,
    ):
        for contig, start, end in spans:
            batch = source.load(contig, start, end, ReadFilter())
            expected = load_reads(alignments, contig, start, end, ReadFilter())
            for ours, theirs in zip(batch.arrays, expected.arrays, strict=True):
                assert ours.tolist() == theirs.tolist()
            found.append(batch.arrays.read_start.tolist())
    return found


def test_windows_one_after_another_share_the_stream(reads: ReadsBuilder, sought: list[int]) -> None:
    reads.tile(step=20).tile(contig="chr2")
    windows = [("chr1", max(0, at - 700), at + 10_700) for at in range(0, LENGTH - 10_700, 10_000)]
    assert all(starts_of(reads, [*windows, ("chr2", 0, 5000), ("chr1", 0, 1000)]))
    # A contig more, and a place before.
    assert sought == [0, 0, 0]


def test_a_slice_is_not_decoded_again_in_the_gap_it_reaches_over(
    reads: ReadsBuilder, sought: list[int]
) -> None:
    reads.add(start=1000).add(start=290_000)
    windows = [("chr1", at, at + 5000) for at in range(0, LENGTH, 50_000)]
    assert [len(starts) for starts in starts_of(reads, windows)] == [1, 0, 0, 0, 0, 0]
    assert sought == [0]


def test_far_places_are_sought(reads: ReadsBuilder, sought: list[int]) -> None:
    reads.tile(step=20)
    spans = [("chr1", 0, 2000), ("chr1", 200_000, 202_000), ("chr1", 210_000, 212_000)]
    assert all(starts_of(reads, spans))
    assert sought == [0, 199_000]


def test_long_reads_and_many_operations(reads: ReadsBuilder) -> None:
    for start in range(0, 60_000, 500):
        reads.add(start=start, cigar="20000M")
    reads.add(start=70_000, cigar="1M1I" * 35_000)
    found = starts_of(reads, [("chr1", 30_000, 50_000), ("chr1", 50_000, 110_000)])
    assert [len(starts) for starts in found] == [79, 60]


def test_f7_reads_out_of_order_are_noticed(reads: ReadsBuilder) -> None:
    reads.add(start=400).add(start=300)
    cram = reads.write_cram(reads.reference.with_name("reads.cram"), sort=False)
    with (
        closing(reads_of(cram, reads.contigs, reference=reads.reference)) as source,
        pytest.raises(InputError, match="is not sorted: a read at chr1:301 comes after"),
    ):
        source.load("chr1", 0, 5000, ReadFilter())


def damaged(reads: ReadsBuilder, at: int) -> Path:
    """Write a CRAM of slices of 10,000 reads, and zeros into half of the one that holds a place."""
    cram = reads.write_cram(reads.reference.with_name("damaged.cram"))
    entries = parse_crai(gzip.decompress(Path(f"{cram}.crai").read_bytes()))
    offset = next(e.container for e in entries if e.contig == 0 and e.start <= at < e.end)
    with CramFile(cram) as file:
        container = file.container(offset)
    assert container is not None
    data = bytearray(cram.read_bytes())
    half = (container.next_offset - offset) // 2
    data[offset + half : container.next_offset] = bytes(container.next_offset - offset - half)
    cram.write_bytes(data)
    return cram


def test_f2_only_what_is_damaged_is_refused(reads: ReadsBuilder) -> None:
    reads.tile(step=10, qual=31)
    cram = damaged(reads, at=150_000)
    with closing(reads_of(cram, reads.contigs, reference=reads.reference)) as source:

        def count(start: int) -> int:
            return len(source.load("chr1", start, start + 5000, ReadFilter()))

        for _ in range(2):
            # Also where more is taken from htslib than is asked for, and again after the error.
            assert count(90_000) == count(92_000) == 504
            with pytest.raises(InputError, match="near chr1:150001-155000"):
                count(150_000)
        assert count(280_000) == 504


def test_f2_no_corrupt_byte_leads_to_fewer_reads(reads: ReadsBuilder) -> None:
    reads.tile(step=40).tile(contig="chr2")
    cram = reads.write_cram(reads.reference.with_name("reads.cram"))
    whole = cram.read_bytes()
    rng = random.Random(3)

    def placed() -> list[int]:
        with closing(reads_of(cram, reads.contigs, reference=reads.reference)) as source:
            spans = [("chr1", at, at + 50_000) for at in range(0, LENGTH, 50_000)]
            spans.append(("chr2", 0, 5000))
            return [source.load(*span, ReadFilter()).counts.placed for span in spans]

    expected = placed()
    assert sum(expected) == 7499 + 991
    refused = 0
    for _ in range(40):
        broken = bytearray(whole)
        broken[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        cram.write_bytes(broken)
        try:
            assert placed() == expected
        except InputError:
            refused += 1
    assert refused > 30


def test_forty_thousand_contigs(tmp_path: Path) -> None:
    """Their names alone are more bytes than are taken at a time."""
    reference = write_reference(tmp_path / "ref.fa", {"chr1": random_sequence(20_000)})
    contigs = {"chr1": 20_000} | {f"scaffold_{number}": 1000 for number in range(45_000)}
    reads = ReadsBuilder(reference, contigs=contigs).tile(step=10)
    found = starts_of(reads, [("chr1", 0, 5000), ("chr1", 5000, 20_000), ("scaffold_7", 0, 1000)])
    assert [len(starts) for starts in found] == [500, 1500, 0]


def test_what_cannot_be_loaded(reads: ReadsBuilder) -> None:
    reads.tile(end=5000)
    cram = reads.write_cram(reads.reference.with_name("reads.cram"))
    with closing(reads_of(cram, reads.contigs, reference=reads.reference)) as source:
        with pytest.raises(InputError, match="near chr9:1-10"):
            source.load("chr9", 0, 10, ReadFilter())
        assert len(source.load("chr1", 1000, 2000, ReadFilter())) > 200
        assert len(source.load("chr2", 0, 5000, ReadFilter())) == 0
    with pytest.raises(InputError, match="cannot open"):
        reads_of(cram, {}, Path("absent.crai"), reads.reference)
