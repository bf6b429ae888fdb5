"""Alignments of a window as arrays: filters, codes, the cap, and files that cannot be read."""

import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.builders import (
    DUPLICATE,
    QC_FAIL,
    SECONDARY,
    SUPPLEMENTARY,
    UNMAPPED,
    ReadGroup,
    ReadsBuilder,
    random_sequence,
    write_reference,
)
from tests.varcall.reads.loading import reads_of
from varcall.errors import InputError
from varcall.reads.batch import MISSING_QUALITY, TILE, ReadBatch, ReadFilter
from varcall.reads.loader import RecordReads

LENGTH = 6000
SEQUENCE = random_sequence(LENGTH)


class Reads(ReadsBuilder):
    """Reads that are written as BAM or CRAM, and loaded again."""

    form = "bam"

    def write(self, path: Path) -> Path:
        return self.write_bam(path) if self.form == "bam" else self.write_cram(path)

    def source(self, path: Path) -> RecordReads:
        return reads_of(path, self.contigs, reference=self.reference)

    def load(
        self,
        start: int = 0,
        end: int = LENGTH,
        read_filter: ReadFilter | None = None,
        read_groups: frozenset[str] | None = None,
    ) -> ReadBatch:
        path = self.write(self.reference.with_name(f"reads.{self.form}"))
        with closing(self.source(path)) as source:
            return source.load("chr1", start, end, read_filter or ReadFilter(), read_groups)


@pytest.fixture(params=["bam", "cram"])
def reads(request: pytest.FixtureRequest, tmp_path: Path) -> Reads:
    builder = Reads(
        write_reference(tmp_path / "ref.fa", {"chr1": SEQUENCE}),
        read_groups=(ReadGroup("a"), ReadGroup("b", "other")),
    )
    builder.form = request.param
    return builder


def test_arrays_of_two_reads(reads: Reads) -> None:
    reads.add("one", start=100, seq="ACGTN", cigar="1S3M1S", qual=[2, 10, 20, 30, 93], mapq=37)
    reads.add("two", start=102, cigar="2H4M1I4M2D3M", flag=16, mapq=60, template_length=-7)
    batch = reads.load()
    assert len(batch) == 2
    assert (batch.contig, batch.start, batch.end) == ("chr1", 0, LENGTH)
    arrays = batch.arrays
    assert arrays.read_start.tolist() == [100, 102]
    assert arrays.read_end.tolist() == [103, 115]
    assert arrays.mapq.tolist() == [37, 60]
    assert arrays.flag.tolist() == [0, 16]
    assert arrays.template_length.tolist() == [0, -7]
    assert arrays.base_offset.tolist() == [0, 5, 17]
    assert arrays.bases[:5].tolist() == [0, 1, 2, 3, 4]
    assert arrays.qualities[:5].tolist() == [2, 10, 20, 30, 93]
    assert arrays.cigar_offset.tolist() == [0, 3, 9]
    assert arrays.cigar_op.tolist() == [4, 0, 4, 5, 0, 1, 0, 2, 0]
    assert arrays.cigar_length.tolist() == [1, 3, 1, 2, 4, 1, 4, 2, 3]
    assert arrays.name_hash.tolist() == [zlib.crc32(b"one"), zlib.crc32(b"two")]
    types = [np.int32, np.int32, np.uint8, np.uint16, np.int32, np.uint64, np.int32]
    columns = [arrays.read_start, arrays.read_end, arrays.mapq, arrays.flag, arrays.fragment]
    columns += [arrays.name_hash, arrays.template_length]
    assert [column.dtype for column in columns] == types


@pytest.mark.parametrize(
    "flag", [UNMAPPED, SECONDARY, QC_FAIL, DUPLICATE, SUPPLEMENTARY, SUPPLEMENTARY | 16]
)
def test_flags_that_leave_a_read_out(reads: Reads, flag: int) -> None:
    reads.add("kept", start=100).add("out", start=100, flag=flag)
    assert reads.load().arrays.name_hash.tolist() == [zlib.crc32(b"kept")]


def test_other_flags_may_be_chosen(reads: Reads) -> None:
    reads.add(start=100, flag=DUPLICATE).add(start=100, flag=16)
    assert reads.load(read_filter=ReadFilter(exclude_flags=16)).arrays.flag.tolist() == [DUPLICATE]


@pytest.mark.parametrize(("mapq", "kept"), [(0, 0), (4, 0), (5, 1), (255, 1)])
def test_mapping_quality(reads: Reads, mapq: int, kept: int) -> None:
    assert len(reads.add(start=100, mapq=mapq).load()) == kept


def test_read_groups_of_another_sample(reads: Reads) -> None:
    reads.add("mine", start=10, read_group="a").add("theirs", start=10, read_group="b")
    reads.lines.append(reads.lines[0].replace("mine", "nobody's").replace("\tRG:Z:a", ""))
    mine = reads.load(read_groups=frozenset("a"))
    assert mine.arrays.name_hash.tolist() == [zlib.crc32(b"mine")]
    assert len(reads.load()) == 3


def test_missing_qualities(reads: Reads) -> None:
    batch = reads.add(start=100, cigar="8M", qual="*").load()
    assert batch.arrays.qualities.tolist() == [MISSING_QUALITY] * 8


def test_reads_without_sequence(reads: Reads) -> None:
    reads.add(start=100, seq="*", qual="*", cigar="50M").add(start=100, cigar="*")
    assert len(reads.load()) == 0


@pytest.mark.parametrize("cigar", ["50S", "20S10I20S", "9H30S"])
def test_reads_without_aligned_bases(reads: Reads, cigar: str) -> None:
    assert len(reads.add(start=100, cigar=cigar).add(start=100, cigar="30S1M").load()) == 1


def test_only_reads_that_overlap(reads: Reads) -> None:
    for start in (949, 950, 951, 1999, 2000):
        reads.add(start=start, cigar="50M")
    reads.add(start=900, cigar="20M200N20M")
    batch = reads.load(1000, 2000)
    assert batch.arrays.read_start.tolist() == [900, 951, 1999]
    assert len(reads.load(5000, 6000)) == 0


def test_mates_share_a_fragment(reads: Reads) -> None:
    reads.add_pair("pair", start=100).add("single", start=110)
    arrays = reads.load().arrays
    assert arrays.fragment.tolist() == [0, 1, 0]
    assert arrays.name_hash[0] == arrays.name_hash[2] != arrays.name_hash[1]


def names(batch: ReadBatch) -> set[int]:
    return set(batch.arrays.name_hash.tolist())


def test_the_cap_keeps_the_same_reads_in_every_window(reads: Reads) -> None:
    random = np.random.default_rng(1)
    for start in random.integers(0, 5900, 900).tolist():
        reads.add(start=start, cigar="80M")
    capped = ReadFilter(max_reads_per_tile=40)
    whole = reads.load(read_filter=capped).arrays
    assert np.bincount(whole.read_start // TILE).tolist() == [40] * 6
    for start, end in ((0, 3000), (900, 1100), (2555, 2556), (1999, 5001), (5950, 6000)):
        part = reads.load(start, end, capped).arrays
        inside = (whole.read_end > start) & (whole.read_start < end)
        assert part.name_hash.tolist() == whole.name_hash[inside].tolist()
        assert part.read_start.tolist() == whole.read_start[inside].tolist()


def test_what_the_cap_leaves_out_is_known_by_position(reads: Reads) -> None:
    for number in range(300):
        reads.add(start=1000 + number % 7, cigar="50M40D50M")
    reads.tile(start=3000, step=10)
    everything = reads.load()
    capped = reads.load(read_filter=ReadFilter(max_reads_per_tile=100))
    assert everything.left_out is None
    assert everything.depth_factor(1050) == 1
    assert capped.left_out is not None
    assert capped.left_out[1050] == 200
    assert capped.depth_factor(1050) == 3
    assert capped.depth_factor(3050) == 1
    assert capped.counts.skipped.tolist() == [0] * 11 + [200]


def test_a_cap_beyond_the_depth_changes_nothing(reads: Reads) -> None:
    reads.tile(step=20)
    assert len(reads.load(read_filter=ReadFilter(max_reads_per_tile=50))) == len(reads.load())


def test_the_cap_takes_the_smallest_hashes(reads: Reads) -> None:
    for number in range(300):
        reads.add(f"read{number}", start=100 + number)
    hashes = sorted(zlib.crc32(f"read{number}".encode()) for number in range(300))
    kept = reads.load(read_filter=ReadFilter(max_reads_per_tile=7)).arrays
    assert sorted(kept.name_hash.tolist()) == hashes[:7]
    assert (np.diff(kept.read_start) >= 0).all()


def test_subset(reads: Reads) -> None:
    reads.add("a", start=5, cigar="10M").add("b", start=6, cigar="4M1I4M").add("c", start=7)
    batch = reads.load()
    part = batch.subset(np.array([False, True, True]))
    assert names(part) == {zlib.crc32(b"b"), zlib.crc32(b"c")}
    assert part.arrays.base_offset.tolist() == [0, 9, 59]
    assert part.arrays.bases.tolist() == batch.arrays.bases[10:].tolist()
    assert part.arrays.cigar_op.tolist() == [0, 1, 0, 0]
    everything = batch.subset(np.ones(3, bool))
    for copied, array in zip(everything.arrays, batch.arrays, strict=True):
        np.testing.assert_array_equal(copied, array)


def test_a_damaged_file(reads: Reads) -> None:
    random = np.random.default_rng(1)
    for start in range(0, 5900, 3):
        quality = random.integers(2, 40, 80).tolist()
        reads.add(start=start, cigar="80M", qual=quality)
    path = reads.write(reads.reference.with_name(f"damaged.{reads.form}"))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    with (
        closing(reads.source(path)) as source,
        pytest.raises(InputError, match=rf"damaged\.{reads.form} near chr1:1-6000"),
    ):
        source.load("chr1", 0, LENGTH, ReadFilter())
