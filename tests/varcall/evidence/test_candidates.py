"""Which candidate sites and alleles the reads of a locus suggest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.builders import random_sequence
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.candidates import CandidateThresholds, spell

DEFAULTS = CandidateThresholds()
PLAIN = random_sequence(600, seed=8)


def other(base: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base]


def third(base: str) -> str:
    return other(other(base))


@pytest.fixture
def plain(tmp_path: Path) -> Locus:
    """Twenty reads over [200, 300) that match the reference."""
    return Locus(tmp_path, PLAIN).show(20, 200, "100M")


def test_nothing_where_all_match(plain: Locus) -> None:
    assert plain.found() == []


def test_snv(plain: Locus) -> None:
    plain.show(6, 200, "100M", {240: other(PLAIN[240])})
    assert plain.found() == [(240, PLAIN[240], (other(PLAIN[240]),))]


@pytest.mark.parametrize("cigar", ["100M", "40=1X59=", "5S95M", "3H100M", "40M50N60M"])
def test_snv_in_any_kind_of_alignment(plain: Locus, cigar: str) -> None:
    place = 200 + 10
    clip = 5 if "S" in cigar else 0
    # `show` counts from the first base of the read, so clipped reads begin later.
    plain.show(6, 200, cigar, {place + clip: other(PLAIN[place])})
    assert plain.found() == [(place, PLAIN[place], (other(PLAIN[place]),))]


@pytest.mark.parametrize(
    ("cigar", "ref_length", "alt"),
    [("45M1D55M", 2, ""), ("45M4D55M", 5, ""), ("45M2I53M", 1, "GA")],
)
def test_indel(tmp_path: Path, cigar: str, ref_length: int, alt: str) -> None:
    sequence = sequence_with("CTCAGCATCG")
    locus = Locus(tmp_path, sequence).show(10, 205, "100M")
    locus.show(6, 303 - 45, cigar, inserted=alt)
    anchor = 302
    ref = sequence[anchor : anchor + ref_length]
    assert locus.found() == [(anchor, ref, (sequence[anchor] + alt,))]


@pytest.mark.parametrize("at", range(301, 309))
def test_deletion_in_a_homopolymer_goes_to_its_left(tmp_path: Path, at: int) -> None:
    sequence = sequence_with("C" + "A" * 8 + "G")
    locus = Locus(tmp_path, sequence).show(6, 260, f"{at - 260}M1D40M")
    assert locus.found() == [(300, "CA", ("C",))]


@pytest.mark.parametrize("at", range(301, 318))
def test_insertion_in_a_repeat_goes_left_and_rotates(tmp_path: Path, at: int) -> None:
    """The same haplotype from every place in the repeat."""
    repeat = "CAG" * 5 + "CA"
    sequence = sequence_with("T" + repeat + "T")
    inserted = sequence[301:][(at - 301) % 3 :][:3]
    locus = Locus(tmp_path, sequence).show(6, 250, f"{at - 250}M3I60M", inserted=inserted)
    (found,) = locus.found()
    assert found == (300, "T", ("TCAG",))
    assert locus.evidence().sites.repeat_end.tolist() == [318]


def test_insertion_of_something_else_stays(tmp_path: Path) -> None:
    sequence = sequence_with("C" + "A" * 8 + "G")
    locus = Locus(tmp_path, sequence).show(6, 265, "40M2I40M", inserted="TC")
    assert locus.found() == [(304, "A", ("ATC",))]


def test_mnv(plain: Locus) -> None:
    alts = {at: other(PLAIN[at]) for at in (240, 241, 242)}
    plain.show(9, 200, "100M", alts)
    assert plain.found() == [(240, PLAIN[240:243], ("".join(alts.values()),))]


def test_neighbouring_snvs_of_different_reads_stay_apart(plain: Locus) -> None:
    for at in (240, 241):
        plain.show(6, 200, "100M", {at: other(PLAIN[at])})
    assert [start for start, _, _ in plain.found()] == [240, 241]


def test_neighbouring_snvs_that_a_tenth_of_the_reads_splits_stay_apart(plain: Locus) -> None:
    both = {at: other(PLAIN[at]) for at in (240, 241)}
    plain.show(9, 200, "100M", both).show(1, 200, "100M", {240: both[240]})
    assert [start for start, _, _ in plain.found()] == [240, 241]
    strict = replace(DEFAULTS, mnv_max_discordance=0.2)
    assert [start for start, _, _ in plain.found(strict)] == [240]


def test_snvs_two_bases_apart_are_not_joined(plain: Locus) -> None:
    plain.show(9, 200, "100M", {at: other(PLAIN[at]) for at in (240, 242)})
    assert [start for start, _, _ in plain.found()] == [240, 242]


def test_two_alts_of_one_base(plain: Locus) -> None:
    for alt in (other(PLAIN[240]), third(PLAIN[240])):
        plain.show(8, 200, "100M", {240: alt})
    ((start, ref, alts),) = plain.found()
    assert (start, ref) == (240, PLAIN[240])
    assert set(alts) == {other(ref), third(ref)}


def test_deletions_of_two_lengths_share_a_site(tmp_path: Path) -> None:
    sequence = sequence_with("C" + "A" * 10 + "G")
    locus = Locus(tmp_path, sequence)
    locus.show(6, 260, "41M1D40M").show(6, 261, "40M2D40M").show(6, 262, "39M1I40M", inserted="A")
    assert locus.found() == [(300, "CAA", ("C", "CA", "CAAA"))]


def test_the_best_supported_alts_are_kept(tmp_path: Path) -> None:
    sequence = sequence_with("C" + "A" * 12 + "G")
    locus = Locus(tmp_path, sequence)
    for size in range(1, 7):
        locus.show(2 + size, 260, f"41M{size}D40M")
    ((_, ref, alts),) = locus.found()
    assert sorted(len(ref) - len(alt) for alt in alts) == [3, 4, 5, 6]


def test_an_snv_and_an_indel_of_one_start_are_two_sites(tmp_path: Path) -> None:
    sequence = sequence_with("CTCAGCATCG")
    locus = Locus(tmp_path, sequence)
    locus.show(6, 260, "43M2D40M").show(6, 250, "100M", {302: "G"})
    assert locus.found() == [(302, "C", ("G",)), (302, sequence[302:305], ("C",))]


@pytest.mark.parametrize(("count", "found"), [(1, False), (2, False), (3, True)])
def test_snv_needs_a_share_of_the_reads(plain: Locus, count: int, found: bool) -> None:
    plain.show(count, 200, "100M", {240: other(PLAIN[240])})
    assert bool(plain.found()) == found
    eager = replace(DEFAULTS, snv_min_fraction=0.0, snv_min_count=1)
    assert plain.found(eager)


@pytest.mark.parametrize(("count", "found"), [(1, False), (2, True)])
def test_indel_needs_two_reads(plain: Locus, count: int, found: bool) -> None:
    plain.show(count, 200, "40M2D60M")
    assert bool(plain.found()) == found


def test_indel_needs_a_share_of_the_reads(plain: Locus) -> None:
    plain.show(15, 200, "100M").show(2, 200, "40M2D60M")
    assert not plain.found()


@pytest.mark.parametrize(("quality", "found"), [(9, False), (10, True)])
def test_low_base_quality(plain: Locus, quality: int, found: bool) -> None:
    plain.show(6, 200, "100M", {240: other(PLAIN[240])}, qual=quality)
    assert bool(plain.found()) == found


def test_an_insertion_of_low_quality(plain: Locus) -> None:
    qualities = [30] * 40 + [5, 5] + [30] * 58
    plain.show(6, 200, "40M2I58M", inserted="GG", qual=qualities)
    assert not plain.found()


def test_too_long_an_allele(plain: Locus) -> None:
    plain.show(6, 200, "40M120D60M")
    assert not plain.found()


def test_indels_at_the_ends_of_reads_are_no_events(plain: Locus) -> None:
    plain.show(6, 240, "2D60M").show(6, 240, "3I60M").show(6, 200, "40M2I").show(6, 200, "5S2D60M")
    assert not plain.found()


def test_mates_that_overlap_are_one_witness_of_an_indel(plain: Locus) -> None:
    for flag in (99, 147):
        plain.show(1, 200, "40M2D60M", name="pair", flag=flag)
    assert not plain.found()
    plain.show(1, 200, "40M2D60M", name="another")
    assert len(plain.found()) == 1


def test_unknown_bases_are_no_candidates(tmp_path: Path) -> None:
    sequence = PLAIN[:240] + "NN" + PLAIN[242:]
    locus = Locus(tmp_path, sequence).show(6, 200, "100M", {240: "A", 241: "C"})
    locus.show(6, 200, "100M", {250: "N"})
    assert locus.found() == []


def test_an_indel_beside_unknown_bases(tmp_path: Path) -> None:
    sequence = PLAIN[:240] + "N" + PLAIN[241:]
    assert Locus(tmp_path, sequence).show(6, 200, "41M2D59M").found() == []


def test_sites_are_sorted_and_of_one_length(plain: Locus) -> None:
    plain.show(6, 200, "100M", {230: other(PLAIN[230]), 280: other(PLAIN[280])})
    plain.show(6, 201, "60M2D39M").show(6, 202, "20M4I76M", inserted="GTCA")
    sites = plain.evidence().sites
    assert (np.diff(sites.start) >= 0).all()
    assert len(sites.kind) == len(sites.ref_length) == len(sites.repeat_end) == len(sites.start)
    assert sites.alt_offset[-1] == len(sites.alt_count) == len(sites.alt_hash)
    assert sites.alt_base_offset[-1] == len(sites.alt_bases)
    assert (sites.repeat_end >= sites.start + sites.ref_length).all()


def test_spell() -> None:
    assert spell(np.array([0, 1, 2, 3, 4], np.uint8)) == "ACGTN"
