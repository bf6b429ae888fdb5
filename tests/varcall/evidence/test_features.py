"""What is measured of a candidate: every feature moves the way its name says."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.features import FEATURES, N_FEATURES, expected_slippage
from varcall.reads.library_profile import LibraryProfile

PROFILE = LibraryProfile(
    platform="illumina",
    paired=True,
    read_length=100,
    depth=20.0,
    proper_share=0.97,
    error_rate=0.003,
    slippage=(0.01, 0.03, 0.1, 0.2),
    slippage_reads=(1000, 1000, 1000, 1000),
)
# GC is about even; the run of A at [300, 310) is a repeat of an indel site.
SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV, ANCHOR = 150, 300


def other(base: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base]


@dataclass
class Case:
    """One locus; `alt` and `ref` add reads, the feature is of question `question`."""

    locus: Locus
    profile: LibraryProfile = PROFILE
    question: int = 0
    position: int = SNV

    def alt(self, count: int = 1, start: int = 100, **how: Any) -> "Case":
        cigar = str(how.pop("cigar", "100M"))
        alt = str(how.pop("base", other(self.locus.sequence[self.position])))
        changes = {self.position: alt} | dict(how.pop("changes", {}))
        self.locus.show(count, start, cigar, changes, **how)
        return self

    def ref(self, count: int = 1, start: int = 100, **how: Any) -> "Case":
        cigar = str(how.pop("cigar", "100M"))
        self.locus.show(count, start, cigar, **how)
        return self

    def deletion(self, size: int = 1, count: int = 6, start: int = 260, **how: Any) -> "Case":
        cigar = f"{ANCHOR + 1 - start}M{size}D50M"
        self.locus.show(count, start, cigar, **how)
        return self

    def insertion(self, bases: str = "A", count: int = 6, start: int = 260) -> "Case":
        cigar = f"{ANCHOR + 1 - start}M{len(bases)}I50M"
        self.locus.show(count, start, cigar, inserted=bases)
        return self

    def with_profile(self, **fields: Any) -> "Case":
        self.profile = replace(self.profile, **fields)
        return self

    def value(self, name: str) -> float:
        features = self.locus.evidence().features(self.profile)
        assert features.dtype == np.float32
        assert features.shape[1] == N_FEATURES
        assert np.isfinite(features).all()
        return float(features[self.question, FEATURES.index(name)])


Story = Callable[[Case], Case]


def het(case: Case) -> Case:
    return case.ref(10).alt(10)


def het_deletion(case: Case) -> Case:
    return case.ref(10, start=250).deletion(count=10)


# name: a locus with less of the feature, and one with more of it.
STORIES: dict[str, tuple[Story, Story]] = {
    "depth_log": (het, lambda c: het(c).ref(5)),
    "putative_log": (het, lambda c: het(c).alt(3)),
    "ref_log": (het, lambda c: het(c).ref(3)),
    "other_log": (het, lambda c: het(c).alt(2, base=other(other(SEQUENCE[SNV])))),
    "uninformative_log": (het, lambda c: het(c).ref(3, qual=5)),
    "putative_fraction": (het, lambda c: het(c).alt(3)),
    "ref_fraction": (het, lambda c: het(c).ref(3)),
    "other_fraction": (het, lambda c: het(c).alt(2, base=other(other(SEQUENCE[SNV])))),
    "distance_from_half": (het, lambda c: c.ref(15).alt(5)),
    "other_alts_fraction": (het, lambda c: het(c).alt(8, base=other(other(SEQUENCE[SNV])))),
    "depth_over_sample_depth": (het, lambda c: het(c).ref(20)),
    "putative_forward_share": (het, lambda c: het(c).alt(4, flag=0)),
    "ref_forward_share": (het, lambda c: het(c).ref(4, flag=0)),
    "putative_weaker_strand_log": (lambda c: c.ref(10).alt(10, flag=0), het),
    "strand_bias_z": (het, lambda c: c.ref(10, flag=16).alt(10, flag=0)),
    "putative_base_quality": (het, lambda c: het(c).alt(3, qual=40)),
    "ref_base_quality": (het, lambda c: het(c).ref(3, qual=40)),
    "putative_best_base_quality": (het, lambda c: het(c).alt(1, qual=38)),
    "putative_quality_share": (het, lambda c: het(c).alt(3, qual=40)),
    "putative_mapq": (lambda c: het(c).alt(3, mapq=20), het),
    "ref_mapq": (lambda c: het(c).ref(3, mapq=20), het),
    "putative_low_mapq_share": (het, lambda c: het(c).alt(3, mapq=19)),
    "low_mapq_share": (het, lambda c: het(c).ref(3, mapq=19)),
    "putative_distance_to_read_end": (lambda c: het(c).alt(4, start=145), het),
    "ref_distance_to_read_end": (lambda c: het(c).ref(4, start=145), het),
    "putative_near_read_end_share": (het, lambda c: het(c).alt(4, start=145)),
    "putative_other_mismatches": (
        het,
        lambda c: het(c).alt(4, changes={110: other(SEQUENCE[110])}),
    ),
    "ref_other_mismatches": (het, lambda c: het(c).ref(2, cigar="70M2D30M")),
    "putative_clipped_share": (het, lambda c: het(c).alt(4, cigar="90M10S")),
    "ref_clipped_share": (het, lambda c: het(c).ref(4, cigar="90M10S")),
    "putative_distinct_starts_share": (het, lambda c: het(c).alt(1, start=101)),
    "putative_improper_pair_share": (
        lambda c: c.ref(10).alt(10, flag=99),
        lambda c: c.ref(10).alt(10, flag=97),
    ),
    "ref_improper_pair_share": (
        lambda c: c.ref(10, flag=99).alt(10),
        lambda c: c.ref(10, flag=97).alt(10),
    ),
    "log_likelihood_one_over_zero": (lambda c: c.ref(18).alt(3), het),
    "log_likelihood_two_over_one": (het, lambda c: c.alt(20)),
    "is_snv": (het_deletion, het),
    "is_mnv": (het, lambda c: c.ref(10).alt(10, changes={SNV + 1: other(SEQUENCE[SNV + 1])})),
    "is_insertion": (het_deletion, lambda c: c.ref(10, start=250).insertion()),
    "is_deletion": (het, het_deletion),
    "is_transition": (
        het,
        lambda c: c.ref(10).alt(10, base={"A": "G", "G": "A", "C": "T", "T": "C"}[SEQUENCE[SNV]]),
    ),
    "extends_neighbouring_base": (
        lambda c: c.ref(9).alt(9, base=_unlike_neighbours()),
        lambda c: c.ref(9).alt(9, base=SEQUENCE[SNV - 1]),
    ),
    "inserted_log": (lambda c: c.insertion("A"), lambda c: c.insertion("AA")),
    "deleted_log": (lambda c: c.deletion(1), lambda c: c.deletion(2)),
    "alleles_at_site": (het_deletion, lambda c: het_deletion(c).deletion(2)),
    "putative_over_commonest_alt": (lambda c: het_deletion(c).deletion(2, 4), het_deletion),
    "repeat_length_log": (het, het_deletion),
    "repeat_unit": (lambda c: c.insertion("A"), lambda c: c.insertion("AC")),
    "repeat_copies_log": (lambda c: c.insertion("AC"), lambda c: c.insertion("A")),
    "homopolymer_run_log": (het, het_deletion),
    "expected_slippage_sqrt": (
        het_deletion,
        lambda c: het_deletion(c).with_profile(slippage=(0.1, 0.2, 0.3, 0.4)),
    ),
    "spanning_log": (het_deletion, lambda c: het_deletion(c).ref(2, start=255)),
    "spanning_ref_share": (het_deletion, lambda c: het_deletion(c).ref(2, start=255)),
    "spanning_putative_share": (het_deletion, lambda c: het_deletion(c).deletion(count=2)),
    "spanning_one_unit_off_share": (het_deletion, lambda c: het_deletion(c).deletion(2, 1)),
    "spanning_other_share": (het_deletion, lambda c: het_deletion(c).deletion(4, 1)),
    "stutter_one_over_zero": (lambda c: c.ref(30, start=250).deletion(count=3), het_deletion),
    "stutter_two_over_one": (het_deletion, lambda c: c.deletion(count=20)),
    "neighbour_fraction_25": (
        lambda c: het(c).ref(9).alt(9, changes={SNV + 30: other(SEQUENCE[SNV + 30])}),
        lambda c: het(c).ref(9).alt(9, changes={SNV + 20: other(SEQUENCE[SNV + 20])}),
    ),
    "neighbour_fraction_100": (
        het,
        lambda c: het(c).ref(9).alt(9, changes={SNV + 30: other(SEQUENCE[SNV + 30])}),
    ),
    "neighbours_100": (
        het,
        lambda c: het(c).ref(9).alt(9, changes={SNV + 30: other(SEQUENCE[SNV + 30])}),
    ),
    "nearest_neighbour_log": (
        lambda c: het(c).ref(9).alt(9, changes={SNV + 30: other(SEQUENCE[SNV + 30])}),
        het,
    ),
    "sample_error_rate_log10": (het, lambda c: het(c).with_profile(error_rate=0.02)),
    "sample_read_length": (het, lambda c: het(c).with_profile(read_length=250)),
    "sample_depth_log": (het, lambda c: het(c).with_profile(depth=60.0)),
    "sample_slippage_12_14_sqrt": (
        het,
        lambda c: het(c).with_profile(slippage=(0.01, 0.03, 0.3, 0.4)),
    ),
}


def _unlike_neighbours() -> str:
    around = {SEQUENCE[SNV - 1], SEQUENCE[SNV], SEQUENCE[SNV + 1]}
    return next(base for base in "ACGT" if base not in around)


def test_every_feature_has_a_story() -> None:
    told_below = {"asks_two_alleles", "gc_share_101"}
    assert set(STORIES) | told_below == set(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES) == N_FEATURES


@pytest.mark.parametrize("name", STORIES)
def test_moves_the_way_its_name_says(tmp_path: Path, name: str) -> None:
    values = []
    for number, story in enumerate(STORIES[name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        values.append(story(Case(Locus(folder, SEQUENCE))).value(name))
    assert values[0] < values[1]
    assert max(map(abs, values)) < 4


def test_two_alleles(tmp_path: Path) -> None:
    case = Case(Locus(tmp_path, SEQUENCE)).deletion(1).deletion(2)
    assert case.value("asks_two_alleles") == 0
    case.question = 2
    assert case.value("asks_two_alleles") == 1
    assert case.value("putative_fraction") == 1
    assert case.value("spanning_putative_share") == 1


def test_gc_share(tmp_path: Path) -> None:
    sequence = "AT" * 50 + "GC" * 100 + "AT" * 50
    shares = []
    for number, position in enumerate((55, 200)):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = Case(Locus(folder, sequence), position=position).ref(9, start=position - 30)
        shares.append(case.alt(9, start=position - 30).value("gc_share_101"))
    assert shares[0] == pytest.approx(6 / 101)
    assert shares[1] == 1


def test_values_of_a_plain_het(tmp_path: Path) -> None:
    """Numbers that can be worked out by hand."""
    case = het(Case(Locus(tmp_path, SEQUENCE)))
    expected = {
        "depth_log": np.log1p(20) / 5,
        "putative_fraction": 0.5,
        "ref_fraction": 0.5,
        "distance_from_half": 0.0,
        "depth_over_sample_depth": 0.5,
        "putative_forward_share": 0.5,
        "strand_bias_z": 0.0,
        "putative_base_quality": 0.75,
        "putative_mapq": 1.0,
        "putative_distance_to_read_end": 49 / 50,
        "putative_other_mismatches": 0.0,
        "putative_distinct_starts_share": 0.1,
        "putative_improper_pair_share": 0.0,
        "alleles_at_site": 0.25,
        "repeat_unit": 0.0,
        "spanning_log": 0.0,
        "neighbours_100": 0.0,
        "nearest_neighbour_log": np.log1p(100) / 5,
    }
    assert {name: case.value(name) for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("flag", "proper_share", "expected"),
    [(0, 0.97, 0.0), (2, 0.97, 0.0), (1, 0.97, 1.0), (1, 0.4, 0.0), (3, 0.97, 0.0)],
)
def test_only_pairs_of_a_library_of_proper_pairs_can_be_improper(
    tmp_path: Path, flag: int, proper_share: float, expected: float
) -> None:
    """Unpaired reads have no pairing; where hardly any pair is proper, the flag says nothing."""
    case = Case(Locus(tmp_path, SEQUENCE)).ref(10, flag=flag).alt(10, flag=flag)
    case = case.with_profile(proper_share=proper_share)
    for who in ("putative", "ref"):
        assert case.value(f"{who}_improper_pair_share") == expected


def test_likelihoods_of_a_plain_het(tmp_path: Path) -> None:
    """Ten REF and ten ALT bases of quality 20: one copy is (1/2)^20 by far the likeliest."""
    case = Case(Locus(tmp_path, SEQUENCE)).ref(10, qual=20).alt(10, qual=20)
    one_of_ref, one_of_alt = 0.5 * (1 - 0.01 / 3) + 0.005, 0.5 * 0.99 + 0.5 * 0.01 / 3
    one = 10 * np.log(one_of_ref) + 10 * np.log(one_of_alt)
    zero = 10 * np.log(1 - 0.01 / 3) + 10 * np.log(0.01 / 3)
    assert case.value("log_likelihood_one_over_zero") == pytest.approx(np.log1p(one - zero) / 5)


def test_expected_slippage() -> None:
    sure = replace(PROFILE, slippage_reads=(10**9,) * 4)
    length = np.array([0, 5, 6, 8, 9, 12, 15, 17, 27, 200, 12, 24])
    unit = np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2])
    expected = [0.002, 0.004, 0.01, 0.01, 0.03, 0.1, 0.2, 0.2, 0.4, 0.6, 0.01, 0.1]
    assert expected_slippage(sure, length, unit).tolist() == pytest.approx(expected, rel=1e-6)


def test_a_profile_with_nothing_measured(tmp_path: Path) -> None:
    """Nothing is divided by zero where the sample could not be measured."""
    case = het(Case(Locus(tmp_path, SEQUENCE), LibraryProfile()))
    assert case.value("sample_depth_log") == 0
    assert case.value("depth_over_sample_depth") == 2
    assert 0 < case.value("sample_slippage_12_14_sqrt") < 1
