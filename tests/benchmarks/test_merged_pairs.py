"""Mates merged into one read: what stays of each, and which are left as they are."""

from benchmarks.inputs.merged_pairs import is_pair, merge, pairs

REF = "ACGTTGCAAGTCCATGACCTGGATTACAGA"
I30, I20 = "?", "5"


def line(flag: int, start: int, cigar: str, seq: str, qual: str = "", mapq: int = 60) -> list[str]:
    """Spell a SAM line; `start` is 0-based."""
    tags = ["NM:i:0", "RG:Z:a"]
    fields = ["q", str(flag), "c1", str(start + 1), str(mapq), cigar, "=", "1", "0", seq]
    return [*fields, qual or I30 * len(seq), *tags]


def forward(start: int, end: int, qual: str = "") -> list[str]:
    return line(99, start, f"{end - start}M", REF[start:end], qual)


def reverse(start: int, end: int, qual: str = "") -> list[str]:
    return line(147, start, f"{end - start}M", REF[start:end], qual, mapq=40)


def test_read_spans_both_mates_and_agreement_raises_qualities_to_a_cap() -> None:
    merged = merge(forward(0, 20), reverse(8, 30))
    quality = I30 * 8 + "J" * 12 + I30 * 10
    assert merged == ["q", "0", "c1", "1", "60", "30M", "*", "0", "0", REF, quality, "RG:Z:a"]
    merged = merge(forward(0, 20, "K" * 20), reverse(8, 30))
    assert merged is not None
    assert merged[10] == "K" * 20 + I30 * 10


def test_better_base_stands_where_mates_differ() -> None:
    two = reverse(8, 30, I20 * 22)
    two[9] = "T" + two[9][1:]
    merged = merge(forward(0, 20), two)
    assert merged is not None
    assert merged[9] == REF
    assert merged[10][8] == chr(33 + 10)
    merged = merge(forward(0, 20, I20 * 20), [*two[:10], I30 * 22, *two[11:]])
    assert merged is not None
    assert merged[9][8] == "T"


def test_strand_is_that_of_the_first_read() -> None:
    one, two = forward(0, 20), reverse(8, 30)
    one[1], two[1] = "163", "83"
    for mates in ((one, two), (two, one)):
        merged = merge(*mates)
        assert merged is not None
        assert (merged[1], merged[5]) == ("16", "30M")


def test_equal_gaps_stay_and_other_gaps_are_not_merged() -> None:
    gapped = REF[:10] + REF[12:20]
    one = line(99, 0, "10M2D8M", gapped)
    two = line(147, 6, "4M2D18M", REF[6:10] + REF[12:30])
    merged = merge(one, two)
    assert merged is not None
    assert (merged[5], merged[9]) == ("10M2D18M", REF[:10] + REF[12:])
    assert merge(one, reverse(6, 30)) is None
    inserted = line(99, 0, "12M2I8M", REF[:12] + "GG" + REF[12:20])
    both = line(147, 6, "6M2I18M", REF[6:12] + "GG" + REF[12:])
    merged = merge(inserted, both)
    assert merged is not None
    assert (merged[5], merged[9]) == ("12M2I18M", REF[:12] + "GG" + REF[12:])
    assert merge(inserted, reverse(6, 30)) is None


def test_adapter_behind_a_short_fragment_is_cut() -> None:
    one = line(99, 5, "15M5S", REF[5:20] + "CTGTC")
    two = line(147, 5, "4S15M", "GAGA" + REF[5:20])
    merged = merge(one, two)
    assert merged is not None
    assert merged[3:6] == ["6", "60", "15M"]
    assert merged[9] == REF[5:20]
    # Aligned by chance, it is no part of the fragment either.
    merged = merge(forward(5, 22), reverse(3, 20))
    assert merged is not None
    assert (merged[3], merged[9]) == ("6", REF[5:20])


def test_outer_clips_stay() -> None:
    one = line(99, 0, "3S20M", "TTT" + REF[:20])
    two = line(147, 8, "22M2S", REF[8:] + "CC")
    merged = merge(one, two)
    assert merged is not None
    assert (merged[5], merged[9]) == ("3S30M2S", "TTT" + REF + "CC")
    assert len(merged[10]) == 35


def test_what_hardly_overlaps_differs_or_lies_elsewhere_is_not_merged() -> None:
    assert merge(forward(0, 17), reverse(8, 30)) is None
    assert merge(forward(0, 18), reverse(8, 30)) is not None
    two = reverse(8, 30)
    assert merge(forward(0, 20), [*two[:9], "A" * 22, *two[10:]]) is None
    assert merge(forward(0, 20), [*two[:2], "c2", *two[3:]]) is None
    assert merge(forward(0, 20), ["q", "131", *two[2:]]) is None


def test_fragments_are_pairs_where_both_reads_are_there() -> None:
    one, two = forward(0, 20), reverse(8, 30)
    alone = ["other", *one[1:]]
    assert list(pairs([one, alone, two])) == [[one, two], [alone]]
    assert is_pair([one, two])
    assert not is_pair([one, one])
    assert not is_pair([alone])
