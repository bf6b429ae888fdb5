"""Fault F3: whatever is wrong inside an index, all reads of any part of a contig are seen, or none.

htslib would return fewer, without an error; see `varcall.reads.bam` and `varcall.formats.crai`.
"""

import gzip
import random
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import ReadsBuilder, bam_to_cram, random_sequence, write_reference
from tests.faults.corruption import corrupt
from tests.varcall.reads.loading import reads_of
from varcall.errors import InputError
from varcall.formats.alignment_header import read_bam_header
from varcall.formats.bai_csi import load_binned
from varcall.formats.bgzf import BgzfFile
from varcall.formats.crai import CramAudit
from varcall.inputs.alignment_index import check_bam_index, read_index
from varcall.reads.batch import ReadFilter

LENGTHS = {"chr1": 200_000, "chr2": 20_000, "chr3": 900}
DAMAGED = "the index is damaged or of another file; run: samtools index"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads of many shapes, deep enough for bins of every size; a CRAM of several containers."""
    folder = tmp_path_factory.mktemp("audit")
    contigs = {name: random_sequence(length) for name, length in LENGTHS.items()}
    builder = ReadsBuilder(write_reference(folder / "ref.fa", contigs))
    draw = random.Random(1)
    for _ in range(300):
        gap = draw.choice((5000, 40_000, 90_000))
        builder.add(start=draw.randrange(100_000), cigar=f"50M{gap}N50M")
    for number in range(9000):
        start = draw.randrange(198_000) if number % 3 else draw.randrange(60_000, 90_000)
        builder.add(start=start, cigar="90M", qual=[draw.randrange(2, 40) for _ in range(90)])
    builder.add(start=70_000, cigar="*", seq="ACGT", flag=4 | 1 | 8)
    builder.tile(contig="chr2", step=30).tile(contig="chr3", step=30)
    builder.add(contig="*", flag=4, seq="ACGT")
    bam = builder.write_bam(folder / "reads.bam")
    pysam.index("-c", str(bam), f"{bam}.csi")
    pysam.index("-m", "12", str(bam), f"{bam}.deep.csi")
    bam_to_cram(bam, folder / "reads.cram", folder / "ref.fa", slice_size=500)
    return folder


spans = st.builds(
    lambda number, start, size: (number, min(start, size), max(start, size) + 1),
    st.integers(0, 2),
    st.integers(0, 210_000),
    st.integers(0, 210_000),
)


ALL = ReadFilter(min_mapq=0, exclude_flags=4, max_reads_per_tile=1 << 30)


def loaded(bam: Path, index: Path, span: tuple[int, int, int]) -> int:
    """Count the mapped reads that overlap a span as a run sees them."""
    with closing(reads_of(bam, LENGTHS, index)) as reads:
        return len(reads.load(list(LENGTHS)[span[0]], *span[1:], ALL))


@given(st.lists(spans, max_size=6))
@settings(max_examples=15)
def test_right_indexes_find_the_same(folder: Path, wanted: list[tuple[int, int, int]]) -> None:
    bam = folder / "reads.bam"
    for span in wanted:
        expected = fetched(bam, folder / "reads.bam.bai", span)
        for suffix in (".bai", ".csi", ".deep.csi"):
            assert loaded(bam, folder / f"reads.bam{suffix}", span) == expected
    with closing(CramAudit(folder / "reads.cram", folder / "reads.cram.crai")) as audit:
        for number, _, end in wanted:
            audit.check(number, end)


REGIONS = [
    *((0, 0, 5000), (0, 16_000, 36_000), (0, 61_000, 83_000), (0, 130_000, 133_000)),
    *((0, 183_000, 200_000), (1, 5000, 7000), (1, 0, 20_000), (2, 300, 700)),
]


def fetched(reads: Path, index: Path, span: tuple[int, int, int]) -> int | None:
    """Count the mapped reads that htslib finds; None where it raises."""
    pysam.set_verbosity(0)
    try:
        file = pysam.AlignmentFile(
            str(reads), index_filename=str(index), reference_filename=str(reads.parent / "ref.fa")
        )
    except (OSError, ValueError):
        return None
    try:
        found = file.fetch(list(LENGTHS)[span[0]], *span[1:])
        return sum(1 for read in found if not read.is_unmapped)
    except (OSError, ValueError):
        return None
    finally:
        with suppress(OSError):
            file.close()


def is_refused(bam: Path, index: Path) -> bool:
    """Whether the index is refused when the inputs are opened."""
    try:
        with BgzfFile(bam) as file:
            header = read_bam_header(file)
            check_bam_index(read_index(index), file, list(LENGTHS), header.records_start)
    except InputError:
        return True
    return False


def small_damages(whole: bytes, seeds: range) -> Iterator[bytes]:
    """Damages of a BAI that leave it well-formed more often than corruptions do."""
    for seed in seeds:
        yield corrupt(whole, seed)
        draw = random.Random(seed)
        at = 8 + draw.randrange((len(whole) - 16) // 4) * 4
        (value,) = struct.unpack_from("<Q", whole, at)
        change = draw.choice((-1, 1)) * draw.randrange(1, 1 << draw.randrange(1, 40))
        yield whole[:at] + struct.pack("<Q", (value + change) % (1 << 64)) + whole[at + 8 :]


def check_damages(folder: Path, tmp_path: Path, seeds: range) -> None:
    bam, good = folder / "reads.bam", folder / "reads.bam.bai"
    complete = {span: fetched(bam, good, span) for span in REGIONS}
    assert min(count or 0 for count in complete.values()) > 5
    opened = hidden = refused = 0
    for number, damaged in enumerate(small_damages(good.read_bytes(), seeds)):
        index = tmp_path / f"{number}.bai"
        index.write_bytes(damaged)
        if is_refused(bam, index):
            continue
        opened += 1
        for span, count in complete.items():
            hidden += fetched(bam, index, span) != count
            try:
                assert loaded(bam, index, span) == count, (number, span)
            except InputError:
                refused += 1
    damages = 2 * len(seeds)
    print(f"{damages} damages of a BAI: {damages - opened} refused when opened, {opened} not; of")
    print(f"{opened * len(REGIONS)} fetches with those htslib hides reads in {hidden}, here none")
    print(f"does and {refused} are refused")
    assert hidden > 5


def test_f3_whatever_htslib_would_hide_is_seen(folder: Path, tmp_path: Path) -> None:
    check_damages(folder, tmp_path, range(40))


@pytest.mark.campaign
def test_f3_a_thousand_damages_of_a_bai(folder: Path, tmp_path: Path) -> None:
    check_damages(folder, tmp_path, range(40, 540))


def test_f3_offsets_out_of_order_are_refused(folder: Path, tmp_path: Path) -> None:
    good = folder / "reads.bam.bai"
    offsets = load_binned(good).contig(0).linear.tolist()
    index = tmp_path / "bad.bai"
    for at in range(1, len(offsets), 3):
        later = struct.pack("<Q", offsets[at])
        for other in (offsets[at] + (1 << 62), offsets[0] - 1):
            index.write_bytes(good.read_bytes().replace(later, struct.pack("<Q", other)))
            assert is_refused(folder / "reads.bam", index)


def test_f3_one_offset_that_is_too_late_hides_nothing(folder: Path, tmp_path: Path) -> None:
    """Nothing tells that such an entry is wrong: it is a record of its contig, and in order."""
    bam, good = folder / "reads.bam", folder / "reads.bam.bai"
    with pysam.AlignmentFile(str(bam)) as file:
        starts = []
        while True:
            starts.append(file.tell())
            if next(file, None) is None:
                break
    offsets = load_binned(good).contig(0).linear.tolist()
    index = tmp_path / "late.bai"
    hidden = 0
    for window, (offset, following) in enumerate(pairwise(offsets)):
        later = [start for start in starts if offset < start <= following]
        if not later:
            continue
        # The bins come first, and name the same places.
        before, _, behind = good.read_bytes().rpartition(struct.pack("<Q", offset))
        index.write_bytes(before + struct.pack("<Q", later[-1]) + behind)
        assert not is_refused(bam, index)
        span = (0, (window << 14) + 3000, (window << 14) + 9000)
        expected = fetched(bam, good, span)
        hidden += fetched(bam, index, span) != expected
        assert loaded(bam, index, span) == expected, window
    assert hidden > 1


def lines_of(folder: Path) -> list[list[str]]:
    text = gzip.decompress((folder / "reads.cram.crai").read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()]


def test_f3_a_crai_that_lost_or_moved_a_slice_is_noticed(folder: Path, tmp_path: Path) -> None:
    lines = lines_of(folder)
    ours = [number for number, line in enumerate(lines) if line[0] == "0"]
    assert len(ours) > 15
    index = tmp_path / "bad.crai"
    for number in ours[1:-1]:
        _, start, span, *_ = map(int, lines[number])
        for change in ("lost", "late", "short"):
            changed = [line.copy() for line in lines]
            if change == "lost":
                del changed[number]
            elif change == "late":
                changed[number][1:3] = [str(start + span - 5), "5"]
            else:
                changed[number][2] = "5"
            index.write_bytes(gzip.compress("\n".join(map("\t".join, changed)).encode() + b"\n"))
            with closing(CramAudit(folder / "reads.cram", index)) as audit:
                with pytest.raises(InputError, match=DAMAGED):
                    audit.check(0, start + span // 2)


def test_f3_a_crai_without_a_whole_contig_is_noticed(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "bad.crai"
    for lost in ("0", "1", "2"):
        kept = [line for line in lines_of(folder) if line[0] != lost]
        index.write_bytes(gzip.compress("\n".join(map("\t".join, kept)).encode() + b"\n"))
        with closing(CramAudit(folder / "reads.cram", index)) as audit:
            with pytest.raises(InputError, match=DAMAGED):
                audit.check(int(lost), 200)
