"""Reads of BAM and CRAM against those that htslib gives one by one; and files that are broken."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varcall.reads.loader
from tests.builders import (
    SECONDARY,
    UNMAPPED,
    ReadGroup,
    ReadsBuilder,
    bam_to_cram,
    parse_cigar,
    random_sequence,
    write_reference,
)
from tests.varcall.reads.htslib_reads import load_reads
from tests.varcall.reads.loading import reads_of
from varcall.errors import InputError
from varcall.formats.bgzf import EOF_BLOCK, BgzfFile, inflate_block
from varcall.output.bgzf_writer import BgzfWriter
from varcall.reads.batch import ReadBatch, ReadFilter

LENGTH = 40_000
CONTIGS = {"chr1": LENGTH, "chr2": 3000}
EVERYTHING = ReadFilter(min_mapq=0, exclude_flags=UNMAPPED, max_reads_per_tile=10**6)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    sequences = {name: random_sequence(size, size) for name, size in CONTIGS.items()}
    sequences["chr2"] = "NRYKM" + sequences["chr2"][5:1500] + sequences["chr2"][1500:].lower()
    return write_reference(folder / "ref.fa", sequences)


def packed(data: bytes) -> bytes:
    """Compress bytes into one block."""
    stream = io.BytesIO()
    writer = BgzfWriter(stream)
    writer.write(data)
    writer.close()
    return stream.getvalue().removesuffix(EOF_BLOCK)


def reblocked(bam: Path, size: int, change: Callable[[bytearray], None] | None = None) -> Path:
    """Write a BAM again in blocks of a size, so that records lie across them; change its bytes."""
    with BgzfFile(bam) as file:
        data = bytearray().join(block.data for block in file.blocks(0))
    if change is not None:
        change(data)
    blocks = [packed(bytes(data[at : at + size])) for at in range(0, len(data), size)]
    path = bam.with_name(f"blocks{size}.bam")
    path.write_bytes(b"".join(blocks) + EOF_BLOCK)
    return path


def assert_same(raw: ReadBatch, expected: ReadBatch) -> None:
    for name, ours, theirs in zip(
        expected.arrays._fields, raw.arrays, expected.arrays, strict=True
    ):
        assert ours.dtype == theirs.dtype, name
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
    assert raw.counts.placed == expected.counts.placed
    assert raw.counts.mapped == expected.counts.mapped
    assert raw.counts.skipped.tolist() == expected.counts.skipped.tolist()
    assert (raw.left_out is None) == (expected.left_out is None)
    if expected.left_out is not None:
        np.testing.assert_array_equal(raw.left_out, expected.left_out)


def assert_same_everywhere(
    path: Path,
    reference: Path,
    windows: Sequence[tuple[str, int, int]],
    read_filter: ReadFilter,
    read_groups: frozenset[str] | None = None,
    *,
    suffix: str = ".bai",
) -> int:
    """Compare one source over many windows, in their order; return how many reads there were."""
    seen = 0
    with (
        closing(reads_of(path, CONTIGS, Path(f"{path}{suffix}"), reference)) as source,
        pysam.AlignmentFile(
            str(path),
            index_filename=f"{path}{suffix}",
            reference_filename=str(reference),
        ) as alignments,
        pysam.FastaFile(str(reference)) as fasta,
    ):
        for contig, start, end in windows:
            margin = (max(0, start - 700), end + 700)
            options = (read_filter, read_groups, (start, end))
            sequence = fasta.fetch(contig)
            expected = load_reads(alignments, contig, *margin, *options, sequence)
            assert_same(source.load(contig, *margin, *options), expected)
            seen += len(expected)
    return seen


inner = st.sampled_from(["3I", "2D", "40N", "1P", "5=", "2X", "10M", "1I", "30D", "9000N"])
cigars = st.one_of(
    st.builds(
        lambda left, first, middle, right: left + first + "".join(middle) + right,
        st.sampled_from(["", "5S", "3H", "2H4S"]),
        st.sampled_from(["20M", "20=", "4I20M", "1X9M", "31M"]),
        st.lists(inner, max_size=5),
        st.sampled_from(["", "6S", "2H", "15M", "4S3H"]),
    ),
    st.sampled_from(["10I", "10S", "5H", "5N", "*", "8D", "3S3I3S", "2P"]),
)
alignments = st.fixed_dictionaries(
    {
        "start": st.integers(0, 9000).map(lambda at: at * at // 2500),
        "cigar": cigars,
        "letters": st.sampled_from(["ACGT", "ACGTN", "ACGTRYSWKMBDHVN", "A===", "*"]),
        "qual": st.sampled_from([0, 10, 93, "*"]),
        "mapq": st.sampled_from([0, 4, 5, 60, 255]),
        "flag": st.sampled_from([0, 0, 16, 99, 147, 256, 512, 1024, 2048, 3072, 4, 77]),
        "name": st.sampled_from(["a", "b", "long" * 50, None]),
        "contig": st.sampled_from(["chr1", "chr1", "chr1", "chr2"]),
        "read_group": st.sampled_from(["a", "b", "bb"]),
        "template_length": st.sampled_from([0, 300, -300]),
        "tags": st.sampled_from(
            [(), ("NM:i:3", "XA:A:c", "XB:B:S,1,2,3"), ("XF:f:1.5", "XZ:Z:RGZa", "XH:H:AB12")]
        ),
    }
)
windows = st.lists(
    st.tuples(
        st.sampled_from(["chr1", "chr1", "chr2"]), st.integers(0, 35_000), st.integers(1, 9000)
    ).map(lambda window: (window[0], window[1], window[1] + window[2])),
    max_size=8,
)


@given(
    st.lists(alignments, min_size=1, max_size=60),
    windows,
    st.sampled_from([None, frozenset("a"), frozenset(("b", "bb"))]),
    st.sampled_from([ReadFilter(), EVERYTHING, ReadFilter(0, 16, 3), ReadFilter(9, 0, 1)]),
    st.sampled_from([97, 60_000]),
    st.sampled_from([".bai", ".csi"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40)
def test_random_reads_are_those_of_htslib(
    reference: Path, tmp_path_factory, reads, asked, groups, read_filter, block, suffix, letters
) -> None:
    names = ("a", "b", "bb")
    builder = ReadsBuilder(reference, read_groups=[ReadGroup(name, name) for name in names])
    inside: list[str] = []
    for read in reads:
        size = sum(length for op, length in parse_cigar(read["cigar"]) if op in "MIS=X")
        chosen = read.pop("letters")
        seq = "" if chosen == "*" else "".join(letters.choice(chosen) for _ in range(size))
        qual = read.pop("qual")
        # Some of those on chr2 reach over its end, or lie behind it.
        start = read.pop("start") % (LENGTH if read["contig"] == "chr1" else 3700)
        builder.add(start=start, seq=seq, qual=qual if seq else "*", **read)
        span = sum(length for op, length in parse_cigar(read["cigar"]) if op in "MDN=X")
        if start + span <= CONTIGS[read["contig"]]:
            inside.append(builder.lines[-1])
    builder.lines.append(builder.lines[0].replace("\tRG:Z:", "\tXG:Z:"))
    folder = tmp_path_factory.mktemp("random")
    bam = reblocked(builder.write_bam(folder / "reads.bam", index=False), block)
    pysam.index(*(["-c"] if suffix == ".csi" else []), str(bam))
    tiled = [("chr1", start, start + 5000) for start in range(0, LENGTH, 5000)]
    everywhere = [*asked, *tiled, ("chr2", 0, 3000)]
    assert_same_everywhere(bam, reference, everywhere, read_filter, groups, suffix=suffix)
    # htslib decodes not every CRAM with reads that reach beyond their contig.
    builder.lines = inside
    bam = builder.write_bam(folder / "inside.bam", index=False)
    cram = bam_to_cram(bam, bam.with_suffix(".cram"), reference, slice_size=block % 60 + 1)
    assert_same_everywhere(cram, reference, everywhere, read_filter, groups, suffix=".crai")


def test_names_with_the_same_hash_are_different_fragments(reference: Path, tmp_path: Path) -> None:
    one, other = "plumless", "buckeroo"  # the classic pair of one CRC-32
    assert zlib.crc32(one.encode()) == zlib.crc32(other.encode())
    reads = ReadsBuilder(reference)
    for number, name in enumerate((one, other, one, other, "third")):
        reads.add(name, start=100 + number)
    bam = reads.write_bam(tmp_path / "reads.bam")
    with closing(reads_of(bam, CONTIGS)) as source:
        batch = source.load("chr1", 0, 500, ReadFilter())
    assert batch.arrays.fragment.tolist() == [0, 1, 0, 1, 2]


def test_cigars_too_long_for_their_field(reference: Path, tmp_path: Path) -> None:
    # 70,000 operations: BAM keeps them in a tag (SAM specification, section 4.2.2).
    cigar = "1M1I" * 35_000
    bam = ReadsBuilder(reference).add(start=50, cigar=cigar).write_bam(tmp_path / "reads.bam")
    spans = [("chr1", 0, 1000), ("chr1", 30_000, 40_000)]
    assert assert_same_everywhere(bam, reference, spans, EVERYTHING)


def deep_sample(reference: Path, path: Path) -> Path:
    reads = ReadsBuilder(reference).tile(step=40, read_length=100)
    rng = random.Random(4)
    for number in range(3000):
        start = 9000 + rng.randrange(1500)
        if number % 3:
            reads.add_pair(start=start, insert_size=300)
        else:
            reads.add(start=start, flag=rng.choice([0, SECONDARY]))
    return reads.write_bam(path)


@pytest.mark.parametrize("pack_beyond", [1000, 30_000, 1 << 26])
def test_f13_what_the_cap_keeps_does_not_depend_on_the_memory(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack_beyond: int
) -> None:
    monkeypatch.setattr(varcall.reads.loader, "PACK_BEYOND", pack_beyond)
    bam = reblocked(deep_sample(reference, tmp_path / "deep.bam"), 1000)
    pysam.index(str(bam))
    tiled = [("chr1", start, start + 2500) for start in range(0, 20_000, 2500)]
    shuffled = random.Random(1).sample(tiled, len(tiled))
    for cap in (50, 1000):
        for order in (tiled, shuffled):
            capped = ReadFilter(max_reads_per_tile=cap)
            assert assert_same_everywhere(bam, reference, order, capped) > 500


def test_blocks_are_inflated_once_in_windows_one_after_another(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = ReadsBuilder(reference).tile(step=5).write_bam(tmp_path / "reads.bam", index=False)
    bam = reblocked(built, 3000)
    pysam.index(str(bam))
    offsets: list[int] = []

    def counted(raw: memoryview, offset: int, path: Path) -> tuple[bytes, int]:
        offsets.append(offset)
        return inflate_block(raw, offset, path)

    monkeypatch.setattr("varcall.reads.bam.inflate_block", counted)
    with closing(reads_of(bam, CONTIGS)) as source:
        for start in range(0, LENGTH, 4000):
            assert len(source.load("chr1", max(0, start - 700), start + 4700, ReadFilter()))
    assert len(offsets) == len(set(offsets)) > 200


@pytest.fixture
def good(reference: Path, tmp_path: Path) -> Path:
    reads = ReadsBuilder(reference).tile(step=20, read_length=100)
    return reads.tile(contig="chr2", step=50).write_bam(tmp_path / "good.bam")


def load_all(bam: Path, index: Path) -> int:
    with closing(reads_of(bam, CONTIGS, index)) as source:
        count = 0
        for start in range(0, LENGTH, 10_000):
            batch = source.load("chr1", start, start + 10_000, EVERYTHING)
            count += batch.counts.placed
        return count + source.load("chr2", 0, 3000, EVERYTHING).counts.placed


def test_f2_no_corrupt_byte_leads_to_fewer_reads(good: Path) -> None:
    index = Path(f"{good}.bai")
    whole = good.read_bytes()
    expected = load_all(good, index)
    assert expected == 1996 + 60
    rng = random.Random(2)
    refused: list[str] = []
    for turn in range(100):
        broken = bytearray(whole)
        if turn % 4 == 0:
            del broken[rng.randrange(len(whole)) :]
        else:
            broken[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        good.write_bytes(broken)
        try:
            assert load_all(good, index) == expected
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 80
    for message in refused:
        assert "good.bam near chr" in message
        assert "re-copy it and run samtools quickcheck" in message


def records_of(data: bytearray) -> Iterator[int]:
    """Where the records of a BAM begin in its data."""
    (text,) = struct.unpack_from("<i", data, 4)
    at = 12 + text
    for _ in CONTIGS:
        at += 8 + struct.unpack_from("<i", data, at)[0]
    while at < len(data):
        yield at
        at += 4 + struct.unpack_from("<i", data, at)[0]


def malformed(field: int, form: str, value: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        struct.pack_into(form, data, list(records_of(data))[700] + field, value)

    return change


def nameless(data: bytearray) -> None:
    """Take the name out of a record, and leave all else right."""
    at = list(records_of(data))[700]
    length = data[at + 12]
    del data[at + 36 : at + 36 + length]
    (size,) = struct.unpack_from("<i", data, at)
    struct.pack_into("<i", data, at, size - length)
    data[at + 12] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nameless, "malformed"),
        (malformed(0, "<i", 20), "malformed"),
        (malformed(0, "<i", -5), "malformed"),
        (malformed(0, "<i", 1 << 28), "the last record is cut"),
        (malformed(12, "<B", 0), "malformed"),
        (malformed(16, "<H", 999), "malformed"),
        (malformed(20, "<i", -1), "malformed"),
        (malformed(20, "<i", 99), "malformed"),
        (malformed(20, "<i", 2**31 - 1), "malformed"),
        (malformed(8, "<i", 40), "is not sorted: a read at chr1:41 comes after one at chr1:13981"),
    ],
)
def test_records_that_are_wrong_in_themselves(
    good: Path, change: Callable[[bytearray], None], message: str
) -> None:
    # Their blocks have the right checksums.
    pysam.index(str(reblocked(good, 60_000)))
    bam = reblocked(good, 60_000, change)
    with closing(reads_of(bam, CONTIGS)) as source, pytest.raises(InputError, match=message):
        source.load("chr1", 13_000, 15_000, EVERYTHING)
        # A source goes on after an error.
    with closing(reads_of(bam, CONTIGS)) as source:
        with pytest.raises(InputError, match=message):
            source.load("chr1", 13_000, 15_000, EVERYTHING)
        assert source.load("chr1", 1000, 2000, EVERYTHING).counts.placed == 50


def test_an_index_that_points_elsewhere(good: Path, tmp_path: Path) -> None:
    with pysam.AlignmentFile(str(good)) as file:
        for read in file.fetch("chr2"):
            other = file.tell()
            assert read.reference_name == "chr2"
            break
    whole = Path(f"{good}.bai").read_bytes()
    for offset, message in (
        (other, "reads of another contig"),
        (1 << 50, "outside the file"),
        (65535, "outside the file"),
        (77 << 16, "no complete BGZF block"),
    ):
        data = bytearray(whole)
        position = 8
        (n_bins,) = struct.unpack_from("<i", data, position)
        position += 4
        for _ in range(n_bins):
            number, n_chunks = struct.unpack_from("<Ii", data, position)
            position += 8
            if number != 37450:
                for chunk in range(n_chunks):
                    struct.pack_into("<Q", data, position + 16 * chunk, offset)
            position += 16 * n_chunks
        index = tmp_path / "other.bai"
        index.write_bytes(data)
        with (
            closing(reads_of(good, CONTIGS, index)) as source,
            pytest.raises(InputError, match=message),
        ):
            source.load("chr1", 0, 1000, EVERYTHING)


def test_contigs_without_reads_or_unknown(reference: Path, tmp_path: Path) -> None:
    bam = ReadsBuilder(reference).tile(end=5000).write_bam(tmp_path / "reads.bam")
    with closing(reads_of(bam, CONTIGS)) as source:
        assert len(source.load("chr2", 0, 3000, EVERYTHING)) == 0
        assert len(source.load("chr1", 20_000, 30_000, EVERYTHING)) == 0
        with pytest.raises(InputError, match="near chr9:1-10"):
            source.load("chr9", 0, 10, EVERYTHING)
    with pytest.raises(InputError, match="cannot open"):
        reads_of(bam, CONTIGS, tmp_path / "absent.bai")


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "name",
    [
        "HG002_30x_b37_20_10.00-10.10Mb",
        "HG002_ONT_R10_GRCh38_chr20_5.050-5.075Mb",
        "HG002_Revio_HiFi_GRCh38_chr20_9.0-9.1Mb",
        "NA19401_NovaSeq30x_GRCh38_chr21_chr22_16.57-16.61Mb",
    ],
)
def test_real_reads_are_those_of_htslib(shared_data: Path, name: str) -> None:
    bam = shared_data / "slices" / f"{name}.bam"
    with pysam.AlignmentFile(str(bam)) as alignments:
        lengths = dict(zip(alignments.references, alignments.lengths, strict=True))
        known = [entry.contig for entry in alignments.get_index_statistics() if entry.mapped]
        contig = known[-1]
        first = next(alignments.fetch(contig)).reference_start
        with closing(reads_of(bam, lengths)) as source:
            for start in range(first, first + 60_000, 7777):
                for read_filter in (ReadFilter(), ReadFilter(0, 4, 90)):
                    span = (contig, max(0, start - 700), start + 8477, read_filter)
                    own = (start, start + 7777)
                    expected = load_reads(alignments, *span, own=own)
                    assert_same(source.load(*span, own=own), expected)
