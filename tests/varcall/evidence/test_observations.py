"""Which allele each read shows at a site."""

from pathlib import Path

import numpy as np
import pytest

from pileup.arrays import asked_alts
from pileup.codes import NOT_SPANNING, OTHER, UNINFORMATIVE
from tests.builders import random_sequence
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.observations import count_covering, pose_questions

PLAIN = random_sequence(600, seed=8)
REPEAT = sequence_with("C" + "A" * 10 + "G")


def other(base: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base]


def last_shown(locus: Locus, site: int = 0) -> tuple[int, int, int, bool]:
    """Return (allele, quality, delta, counts) of the read added last, which starts last."""
    shown = locus.evidence().observations
    at = shown.offset[site + 1] - 1
    columns = (shown.allele, shown.quality, shown.delta, shown.counts)
    allele, quality, delta, counts = (column[at].item() for column in columns)
    return allele, quality, delta, counts


@pytest.fixture
def snv(tmp_path: Path) -> Locus:
    """An SNV at 240, in ten of twenty reads."""
    locus = Locus(tmp_path, PLAIN).show(10, 200, "80M")
    return locus.show(10, 200, "80M", {240: other(PLAIN[240])})


@pytest.mark.parametrize(
    ("base", "quality", "allele", "seen"),
    [
        (PLAIN[240], 37, 0, 37),
        (other(PLAIN[240]), 37, 1, 37),
        (other(other(PLAIN[240])), 37, OTHER, 37),
        (other(PLAIN[240]), 9, UNINFORMATIVE, 9),
        ("N", 37, UNINFORMATIVE, 0),
    ],
)
def test_snv(snv: Locus, base: str, quality: int, allele: int, seen: int) -> None:
    snv.show(1, 210, "60M", {240: base}, qual=quality)
    assert last_shown(snv) == (allele, seen, NOT_SPANNING, True)


@pytest.mark.parametrize(("cigar", "allele"), [("20M15D40M", OTHER), ("20M15N40M", UNINFORMATIVE)])
def test_snv_inside_a_gap(snv: Locus, cigar: str, allele: int) -> None:
    snv.show(1, 210, cigar)
    assert last_shown(snv)[:2] == (allele, 0)


def test_reads_that_do_not_touch_the_site(snv: Locus) -> None:
    snv.show(5, 150, "90M").show(5, 241, "60M")
    assert snv.evidence().observations.offset.tolist() == [0, 20]


def test_mnv(tmp_path: Path) -> None:
    locus = Locus(tmp_path, PLAIN)
    both = {at: other(PLAIN[at]) for at in (240, 241)}
    locus.show(20, 200, "80M", both).show(1, 210, "60M", {240: both[240]})
    assert last_shown(locus)[0] == OTHER
    locus.show(1, 211, "60M")
    assert last_shown(locus)[0] == 0
    locus.show(1, 212, "29M")
    assert last_shown(locus)[0] == UNINFORMATIVE


@pytest.fixture
def indel(tmp_path: Path) -> Locus:
    """A deletion of one A of ten, at anchor 300, in ten of twenty reads."""
    return Locus(tmp_path, REPEAT).show(10, 250, "80M").show(10, 250, "51M1D40M")


@pytest.mark.parametrize(
    ("start", "cigar", "allele", "delta"),
    [
        (260, "80M", 0, 0),
        (260, "45M1D40M", 1, -1),
        (260, "41M3D40M", OTHER, -3),
        (260, "45M2I40M", OTHER, 2),
        # A read must reach beyond the run to tell its length; a gap tells that it is not REF.
        (260, "51M", UNINFORMATIVE, NOT_SPANNING),
        (260, "52M", 0, 0),
        (305, "60M", UNINFORMATIVE, NOT_SPANNING),
        (260, "45M1D4M", 1, NOT_SPANNING),
        # A gap over the run's end counts whole; what lies beyond it tells the length.
        (260, "48M8D40M", OTHER, -8),
        (260, "41M3D4M", OTHER, NOT_SPANNING),
        (260, "30M60N40M", UNINFORMATIVE, NOT_SPANNING),
        (260, "38M5D40M", OTHER, NOT_SPANNING),
    ],
)
def test_indel(indel: Locus, start: int, cigar: str, allele: int, delta: int) -> None:
    indel.show(1, start, cigar, inserted="AA")
    shown = last_shown(indel)
    assert (shown[0], shown[2]) == (allele, delta)


def test_a_doubtful_indel_is_not_ref(indel: Locus) -> None:
    qualities = [30] * 45 + [3, 3] + [30] * 40
    indel.show(1, 260, "45M2I40M", inserted="AA", qual=qualities)
    assert last_shown(indel)[:3] == (OTHER, 30, 2)


def counts_of(locus: Locus) -> list[bool]:
    """Return which of the reads named "pair" count."""
    evidence = locus.evidence()
    fragments = evidence.reads.fragment[evidence.observations.read]
    pair = np.bincount(evidence.reads.fragment).argmax()
    return evidence.observations.counts[fragments == pair].tolist()


@pytest.mark.parametrize(
    ("first", "second", "counted"),
    [
        ((30, True), (37, True), [False, True]),
        ((37, True), (30, True), [True, False]),
        ((30, True), (30, True), [True, False]),
        ((37, True), (30, False), [True, False]),
        ((5, True), (30, True), [False, True]),
        ((30, True), (5, True), [True, False]),
        ((5, True), (5, True), [True, False]),
    ],
)
def test_mates_are_one_witness(
    snv: Locus, first: tuple[int, bool], second: tuple[int, bool], counted: list[bool]
) -> None:
    for start, flag, (quality, shows) in ((205, 99, first), (215, 147, second)):
        changes = {240: other(PLAIN[240])} if shows else {}
        snv.show(1, start, "60M", changes, name="pair", flag=flag, qual=quality)
    assert counts_of(snv) == counted


def test_questions_are_singles_then_pairs(tmp_path: Path) -> None:
    locus = Locus(tmp_path, REPEAT)
    for cigar in ("51M1D40M", "51M2D40M", "51M3D40M"):
        locus.show(6, 250, cigar)
    locus.show(18, 350, "80M", {400: other(REPEAT[400])})
    evidence = locus.evidence()
    questions = pose_questions(evidence.sites)
    assert questions.site.tolist() == [0] * 6 + [1]
    assert questions.alleles.tolist() == [0b001, 0b010, 0b100, 0b011, 0b101, 0b110, 0b1]
    asked = [asked_alts(mask) for mask in questions.alleles.tolist()]
    assert asked == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0,)]
    everything = evidence.asking(np.ones(2, np.bool_))
    first, second = evidence.alleles(0), evidence.alleles(1)
    assert everything.asked(1) == (first[0], first[1][1:2])
    assert everything.asked(4) == (first[0], (first[1][0], first[1][2]))
    assert everything.asked(6) == second


def test_reads_that_cover_the_first_base_are_counted(tmp_path: Path) -> None:
    """A deletion of 60 bases is touched by many reads that do not lie where it begins."""
    locus = Locus(tmp_path, PLAIN).show(10, 200, "40M60D40M").show(6, 190, "80M")
    for start in range(241, 300, 6):
        locus.show(1, start, "80M")
    evidence = locus.evidence()
    (site,) = np.flatnonzero(evidence.sites.ref_length == 61)
    touching = np.diff(evidence.observations.offset)[site]
    covering = count_covering(evidence.reads, evidence.sites, evidence.observations)
    assert (touching, covering[site]) == (26, 16)


def amplicons(folder: Path, first: int, second: int) -> Locus:
    """Reads from 170 that show an SNV at 240, and reads from 225, whose primer shows REF there."""
    locus = Locus(folder, PLAIN).show(first, 170, "80M", {240: other(PLAIN[240])}, flag=0)
    return locus.show(second, 225, "80M", flag=0)


def counted(locus: Locus) -> list[int]:
    """Return the alleles of the fragments that count at the only site, in the order of reads."""
    shown = locus.evidence().observations
    return shown.allele[shown.counts].tolist()


def test_primers_of_an_amplicon_do_not_count(tmp_path: Path) -> None:
    assert counted(amplicons(tmp_path, 40, 40)) == [1] * 40


def test_a_base_behind_the_primer_counts(tmp_path: Path) -> None:
    locus = Locus(tmp_path, PLAIN).show(40, 170, "80M", {240: other(PLAIN[240])}, flag=0)
    assert counted(locus.show(40, 210, "80M", flag=0)) == [1] * 40 + [0] * 40


def test_a_primer_at_the_end_of_its_pair_does_not_count(tmp_path: Path) -> None:
    """The forward reads of the pairs reach into the primers that their mates begin with."""
    locus = Locus(tmp_path, PLAIN).show(40, 230, "80M", {270: other(PLAIN[270])}, flag=0)
    for number in range(40):
        pair = {"cigar": "70M", "name": f"pair{number}"}
        locus.show(1, 205, flag=99, **pair).show(1, 210, flag=147, **pair)
    assert counted(locus) == [1] * 40


@pytest.mark.parametrize(("first", "second"), [(9, 40), (40, 9)])
def test_primers_count_where_little_else_shows_the_site(
    tmp_path: Path, first: int, second: int
) -> None:
    """And few reads that begin at one base are no stack."""
    expected = [1] * first + [0] * (second if first < 10 else 0)
    assert counted(amplicons(tmp_path, first, second)) == expected


def test_reads_that_begin_anywhere_count_whatever_their_place(tmp_path: Path) -> None:
    locus = Locus(tmp_path, PLAIN)
    for start in range(170, 240):
        locus.show(1, start, "80M", {240: other(PLAIN[240])} if start % 2 else {}, flag=0)
    assert sorted(counted(locus)) == [0] * 35 + [1] * 35
