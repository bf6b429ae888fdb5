"""Checks of a call set, each on both sides of its limits."""

import math
from collections import Counter
from dataclasses import replace

import pytest

from varcall.reads.library_profile import LibraryProfile
from varcall.reads.sex import FEMALE, MALE, UNKNOWN, SexEvidence
from varcall.report.depth import Depths
from varcall.report.header import Origin
from varcall.report.lights import Library, Light, State, lights_of, ratio_interval
from varcall.report.tally import CallTally, ContigTally

NO_SIGN = SexEvidence(UNKNOWN, math.nan, math.nan, "there is no contig X")


def light(name: str, tally: CallTally, library: Library | None = None) -> Light:
    return next(item for item in lights_of(tally, library) if item.name == name)


def calls(**contigs: ContigTally) -> CallTally:
    tally = CallTally("s", Origin(), "", contigs)
    tally.variants = tally.total("variants")
    tally.not_autosomes = frozenset(("chrX",))
    return tally


def library(unusual: str | None = "", sex: SexEvidence = NO_SIGN, **values: float) -> Library:
    profile = replace(LibraryProfile(), **values)
    return Library(profile, Depths({}), sex, unusual, "tiny")


@pytest.mark.parametrize(
    ("ti", "tv", "state"),
    [
        (2050, 1000, State.GOOD),
        (20, 10, State.GOOD),  # so few may be of any ratio
        (2800, 1000, State.LOOK),  # as in exomes
        (1300, 1000, State.BAD),
        (500, 1000, State.BAD),
        (5, 5, State.UNKNOWN),
    ],
)
def test_titv(ti: int, tv: int, state: State) -> None:
    found = light("Ti/Tv", calls(a=ContigTally(transitions=ti, transversions=tv)))
    assert found.state == state
    assert found.value == f"{ti / tv:.2f}"


@pytest.mark.parametrize(
    ("het", "blocks", "state"),
    [
        (1600, 600, State.GOOD),
        (2700, 600, State.LOOK),
        (4000, 600, State.BAD),
        (500, 600, State.BAD),
        (4000, 100, State.UNKNOWN),  # 1 Mb is too little
    ],
)
def test_het_hom_counts_autosomes_alone(het: int, blocks: int, state: State) -> None:
    contigs = {
        "chr1": ContigTally(het=het, hom=1000, blocks=blocks),
        "chrX": ContigTally(het=0, hom=9000, blocks=600),
    }
    assert light("het/hom", calls(**contigs)).state == state


@pytest.mark.parametrize(
    ("rate", "state"), [(1400, State.GOOD), (2400, State.LOOK), (300, State.BAD)]
)
def test_variants_per_mb(rate: int, state: State) -> None:
    found = light("variants per Mb", calls(a=ContigTally(variants=10 * rate, blocks=1000)))
    assert (found.state, found.value) == (state, f"{rate:,}")
    few = light("variants per Mb", calls(a=ContigTally(variants=rate, blocks=100)))
    assert few.state == State.UNKNOWN


def test_depth_is_of_reads_where_there_are_any() -> None:
    tally = calls()
    assert light("depth", tally).state == State.UNKNOWN
    tally.depths = Counter({12: 5, 40: 4})
    assert (light("depth", tally).state, light("depth", tally).value) == (State.LOOK, "12x")
    for depth, state in ((30.0, State.GOOD), (12.0, State.LOOK), (5.0, State.BAD)):
        assert light("depth", tally, library(depth=depth)).state == state


@pytest.mark.parametrize(
    ("header", "het", "reads", "verdict", "state"),
    [
        ("", 60, FEMALE, FEMALE, State.GOOD),
        ("male", 2, MALE, MALE, State.GOOD),
        ("", 2, UNKNOWN, MALE, State.GOOD),
        ("", 2, FEMALE, "signs disagree", State.LOOK),
        ("female", 60, MALE, "signs disagree", State.LOOK),
        ("unknown", 25, UNKNOWN, "-", State.UNKNOWN),
    ],
)
def test_sex_by_header_hets_and_reads(
    header: str, het: int, reads: str, verdict: str, state: State
) -> None:
    tally = calls()
    tally.origin = Origin(sex=header)
    tally.x_snvs, tally.x_het = 100, het
    found = light("sex", tally, library(sex=SexEvidence(reads, math.nan, math.nan, "why")))
    assert (found.value, found.state) == (verdict, state)
    assert "reads: why" in found.note


def test_few_snvs_of_x_tell_no_sex() -> None:
    tally = calls()
    tally.x_snvs, tally.x_het = 10, 0
    assert light("sex", tally).state == State.UNKNOWN


@pytest.mark.parametrize(
    ("reads", "state"), [(20, State.GOOD), (150, State.LOOK), (400, State.BAD)]
)
def test_reference_reads_at_homozygous_snvs(reads: int, state: State) -> None:
    tally = calls()
    tally.hom_reads, tally.hom_ref_reads = 10_000, reads
    assert light("REF reads at 1/1 SNVs", tally).state == state
    tally.hom_reads = 100
    assert light("REF reads at 1/1 SNVs", tally).state == State.UNKNOWN


@pytest.mark.parametrize(
    ("rate", "state"),
    [(0.0, State.UNKNOWN), (0.1, State.GOOD), (0.3, State.LOOK), (0.6, State.BAD)],
)
def test_duplicates(rate: float, state: State) -> None:
    assert light("duplicates", calls(), library(duplicate_rate=rate)).state == state
    assert light("duplicates", calls()).state == State.UNKNOWN


def test_library_unlike_the_training() -> None:
    odd = light("known to the model", calls(), library("a depth of 900"))
    assert (odd.state, odd.note) == (State.LOOK, "a depth of 900")
    assert light("known to the model", calls(), library("")).state == State.GOOD
    assert light("known to the model", calls(), library(None)).state == State.UNKNOWN


def test_every_check_names_its_source() -> None:
    assert all(item.source and item.limits for item in lights_of(calls(), None))


def test_interval_of_a_ratio_holds_it() -> None:
    low, high = ratio_interval(30, 15)
    assert low < 2 < high
    assert ratio_interval(10, 0)[1] == math.inf
