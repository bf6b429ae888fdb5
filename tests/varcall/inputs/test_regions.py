"""Region strings, BED files, windows and shards."""

import gzip
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varcall.errors import InputError, UsageError
from varcall.formats.contig_names import twin_name
from varcall.inputs.regions import (
    Region,
    merge_regions,
    parse_region,
    parse_shard,
    read_bed,
    select_regions,
    shard,
    split_region_list,
    windows,
)

CONTIGS = {"chr1": 10_000, "chr2": 500, "HLA:01:02": 300, "HLA:01": 200, "MT": 100}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1", Region("chr1", 0, 10_000)),
        ("chr1:1,000-2,000", Region("chr1", 999, 2000)),
        ("chr1:1000-1000", Region("chr1", 999, 1000)),
        ("chr1:9000", Region("chr1", 8999, 10_000)),
        ("chr1:9000-", Region("chr1", 8999, 10_000)),
        ("HLA:01:02:5-9", Region("HLA:01:02", 4, 9)),
        ("{HLA:01}:5-9", Region("HLA:01", 4, 9)),
        ("{HLA:01:02}", Region("HLA:01:02", 0, 300)),
    ],
)
def test_samtools_syntax(text: str, expected: Region) -> None:
    assert parse_region(text, CONTIGS) == expected


def test_a_name_that_may_also_be_a_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"\{HLA:01\}:02"):
        parse_region("HLA:01:02", CONTIGS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:5-9", "'chr1': write that"),
        ("chrM", "'MT': write that"),
        ("chr9:5-9", "no contig 'chr9'"),
        ("chr1:0-5", "positions start at 1"),
        ("chr1:9-5", "reversed"),
        ("chr1:-5-9", "malformed"),
        ("chr1:5-9x", "malformed"),
        ("chr1:", "malformed"),
        ("chr1:1,00-5", "malformed"),
        ("chr2:501-600", "beyond the end of chr2"),
        ("chr2:501", "beyond the end of chr2"),
        ("", "no contig ''"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_region(text, CONTIGS)


def test_an_end_beyond_the_contig_is_clipped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert parse_region("chr2:400-600", CONTIGS) == Region("chr2", 399, 500)
    assert "clipped" in caplog.text


def test_region_list_keeps_thousands_separators() -> None:
    assert split_region_list("chr1:1,000-2,000,chr2:3,000,chr3,4:5-6") == [
        "chr1:1,000-2,000",
        "chr2:3,000",
        "chr3",
        "4:5-6",
    ]
    # Four digits before the comma: it separates items.
    assert split_region_list("chr1:1000-2000,100") == ["chr1:1000-2000", "100"]


def test_bed_plain_and_gzipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "#a comment\ntrack x\nchr2\t5\t10\tname\r\n\nchr1 0 7\nchrQ\t1\t2\nchr1\t9\t9\n"
    plain, packed = tmp_path / "a.bed", tmp_path / "a.bed.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    expected = [Region("chr2", 5, 10), Region("chr1", 0, 7)]
    assert read_bed(plain, CONTIGS) == read_bed(packed, CONTIGS) == expected
    assert "'chrQ'" in caplog.text
    assert "1 empty interval" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t5", "not BED"),
        ("chr1\t-5\t9", "not BED"),
        ("chr1\t5\t1e3", "not BED"),
        ("chr1\t9\t5", "reversed"),
        ("chr2\t500\t501", "beyond the end"),
        ("1\t5\t9", "'chr1': write that"),
        ("# nothing", "no region"),
    ],
)
def test_bad_bed_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.bed"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        read_bed(path, CONTIGS)


def test_bed_that_is_cut_or_binary(tmp_path: Path) -> None:
    cut = tmp_path / "cut.bed.gz"
    cut.write_bytes(gzip.compress(b"chr1\t5\t9\n" * 1000)[:-20])
    binary = tmp_path / "binary.bed"
    binary.write_bytes(bytes(range(255, 0, -1)))
    for path in (cut, binary, tmp_path / "absent.bed"):
        with pytest.raises(InputError, match="cannot read the regions file"):
            read_bed(path, CONTIGS)


def test_selection_is_the_union_in_contig_order(tmp_path: Path) -> None:
    bed = tmp_path / "a.bed"
    bed.write_text("chr1\t100\t200\n")
    assert select_regions(["chr2,chr1:150-300", "chr1:301-400"], bed, CONTIGS) == (
        Region("chr1", 100, 400),
        Region("chr2", 0, 500),
    )
    everything = select_regions([], None, CONTIGS)
    assert [(r.contig, len(r)) for r in everything] == list(CONTIGS.items())
    with pytest.raises(InputError, match="empty item"):
        select_regions(["chr1,"], None, CONTIGS)
    with pytest.raises(InputError, match="--regions-file"):
        select_regions([str(bed)], None, CONTIGS)


def test_twin_names() -> None:
    assert twin_name("chr20", ["20"]) == "20"
    assert twin_name("20", ["chr20"]) == "chr20"
    assert twin_name("chrM", ["MT"]) == "MT"
    assert twin_name("CHRX", ["chrX"]) == "chrX"
    assert twin_name("chr20", ["chr20", "chr2"]) is None


regions = st.lists(
    st.builds(
        lambda contig, start, length: Region(contig, start, start + length),
        st.sampled_from(["chr1", "chr2"]),
        st.integers(0, 400),
        st.integers(1, 90),
    ),
    max_size=8,
)


def covered(items: tuple[Region, ...] | list[Region]) -> set[tuple[str, int]]:
    return {(r.contig, position) for r in items for position in range(r.start, r.end)}


@settings(max_examples=60)
@given(regions)
def test_merged_regions_cover_the_same_and_never_touch(items: list[Region]) -> None:
    merged = merge_regions(items, CONTIGS)
    assert covered(merged) == covered(items)
    for one, other in itertools.pairwise(merged):
        assert (one.contig, one.end) < (other.contig, other.start)


@settings(max_examples=60)
@given(regions, st.integers(1, 120))
def test_windows_lie_in_the_cells_of_an_absolute_grid(items: list[Region], size: int) -> None:
    merged = merge_regions(items, CONTIGS)
    cut = windows(merged, size)
    assert sum(map(len, cut)) == len(covered(merged))
    assert covered(cut) == covered(merged)
    # The grid does not depend on how regions are given: whole-contig windows are the cells.
    cells = set(windows([Region("chr1", 0, 500), Region("chr2", 0, 500)], size))
    for window in cut:
        assert any(
            cell.contig == window.contig and cell.start <= window.start and window.end <= cell.end
            for cell in cells
        )


@settings(max_examples=60)
@given(st.integers(0, 40), st.integers(1, 12))
def test_every_window_is_in_exactly_one_shard(n_windows: int, count: int) -> None:
    items = windows([Region("chr1", 0, 10 * n_windows)], 10)
    parts = [shard(items, index, count) for index in range(1, count + 1)]
    assert tuple(window for part in parts for window in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@settings(max_examples=60)
@given(st.integers(1, 9_999), st.integers(0, 5_000), st.booleans())
def test_a_region_that_is_printed_parses_to_itself(start: int, length: int, commas: bool) -> None:
    region = Region("chr1", start - 1, min(start + length, 10_000))
    first, last = (f"{x:,}" if commas else str(x) for x in (start, region.end))
    assert parse_region(f"chr1:{first}-{last}", CONTIGS) == region
    assert parse_region(str(region), CONTIGS) == region
    assert split_region_list(f"chr1:{first}-{last},chr2") == [f"chr1:{first}-{last}", "chr2"]


@settings(max_examples=100)
@given(st.text(alphabet="chr12:,-{}0 9aHLA", max_size=20))
def test_any_text_is_a_region_inside_its_contig_or_an_input_error(text: str) -> None:
    try:
        region = parse_region(text, CONTIGS)
    except InputError:
        return
    assert 0 <= region.start < region.end <= CONTIGS[region.contig]


def test_shard_names() -> None:
    assert parse_shard("2/3") == (2, 3)
    for text in ("0/3", "4/3", "3", "a/b", "-1/3", "1/0"):
        with pytest.raises(UsageError):
            parse_shard(text)
    with pytest.raises(UsageError):
        shard([], 2, 1)
    with pytest.raises(UsageError):
        windows([], 0)
