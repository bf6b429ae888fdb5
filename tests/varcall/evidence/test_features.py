"""What is measured of a candidate: every feature moves the way its name says."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pileup.sam import FREVERSE
from tests.varcall.evidence.loci import Locus, sequence_with, window_of
from varcall.evidence.features import FEATURE_TABLE, FEATURES, N_FEATURES, on_grid
from varcall.evidence.likelihood import expected_slippage
from varcall.evidence.window import gather
from varcall.reads.batch import MISSING_QUALITY
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
    mapq=60.0,
    base_quality=30.0,
    base_quality_sd=5.0,
    mismatch_rate=0.003,
    clipped_share=0.05,
    low_fraction_share=0.1,
)
# GC is about even; the run of A at [300, 310) is a repeat of an indel site.
SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV, ANCHOR = 150, 300
# Of the grid that features are rounded to.
HALF_STEP = 2.0**-11


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


MARKER = {SNV + 30: other(SEQUENCE[SNV + 30])}
"""Another SNV, which tells one haplotype from the other."""


def on_one_haplotype(case: Case) -> Case:
    return case.ref(10).alt(10, changes=MARKER)


def few_on_both(case: Case, count: int) -> Case:
    """Of ten reads of either haplotype some show the ALT."""
    case.alt(count).alt(count, changes=MARKER)
    case.locus.show(10 - count, 100, "100M", MARKER)
    return case.ref(10 - count)


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
    "strand_bias_z": (het, lambda c: c.ref(10, flag=16).alt(10, flag=0)),
    "putative_base_quality_z": (het, lambda c: het(c).alt(3, qual=40)),
    "ref_base_quality_z": (het, lambda c: het(c).ref(3, qual=40)),
    "putative_best_base_quality_z": (het, lambda c: het(c).alt(1, qual=38)),
    "putative_weight_share": (lambda c: het(c).ref(3), lambda c: het(c).ref(3, mapq=8)),
    "trusted_share": (lambda c: het(c).ref(3, mapq=8), het),
    "putative_mapq": (lambda c: het(c).alt(3, mapq=20), het),
    "ref_mapq": (lambda c: het(c).ref(3, mapq=20), het),
    "putative_low_mapq_share": (het, lambda c: het(c).alt(3, mapq=19)),
    "ref_low_mapq_share": (het, lambda c: het(c).ref(3, mapq=19)),
    "low_mapq_share": (het, lambda c: het(c).ref(3, mapq=19)),
    "putative_distance_to_read_end": (lambda c: het(c).alt(4, start=145), het),
    "ref_distance_to_read_end": (lambda c: het(c).ref(4, start=145), het),
    "putative_near_end_excess": (het, lambda c: het(c).alt(4, start=145)),
    "putative_mismatches": (het, lambda c: het(c).alt(4, changes={110: other(SEQUENCE[110])})),
    "ref_mismatches": (het, lambda c: het(c).ref(2, cigar="70M2D30M")),
    "putative_mismatches_over_ref": (
        lambda c: het(c).ref(2, cigar="70M2D30M"),
        lambda c: het(c).alt(4, changes={110: other(SEQUENCE[110])}),
    ),
    "putative_clipped_excess": (het, lambda c: het(c).alt(4, cigar="90M10S")),
    "ref_clipped_excess": (het, lambda c: het(c).ref(4, cigar="90M10S")),
    "putative_clipped_over_ref": (
        lambda c: het(c).ref(4, cigar="90M10S"),
        lambda c: het(c).alt(4, cigar="90M10S"),
    ),
    "clip_pile_share": (
        lambda c: het(c).alt(4, cigar="62M38S"),
        lambda c: het(c).alt(4, cigar="60M40S"),
    ),
    "putative_distinct_starts": (het, lambda c: het(c).alt(1, start=101)),
    "ref_distinct_starts": (het, lambda c: het(c).ref(1, start=101)),
    "putative_distinct_starts_over_ref": (
        lambda c: het(c).ref(1, start=101),
        lambda c: het(c).alt(1, start=101),
    ),
    # The commonest end counts as well as the commonest start.
    "putative_stack_share": (
        lambda c: het(c).alt(5, start=101),
        lambda c: het(c).alt(5, start=101, cigar="99M"),
    ),
    "ref_stack_share": (lambda c: het(c).ref(5, start=101), het),
    "putative_improper_pair_excess": (
        lambda c: c.ref(10).alt(10, flag=99),
        lambda c: c.ref(10).alt(10, flag=97),
    ),
    "ref_improper_pair_excess": (
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
    "neighbour_indel_fraction_25": (
        lambda c: het(c).alt(9, changes={SNV + 20: other(SEQUENCE[SNV + 20])}),
        lambda c: het(c).ref(9, cigar="66M2D34M"),
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
    "sample_low_fraction_share": (het, lambda c: het(c).with_profile(low_fraction_share=0.4)),
    "sample_slippage_12_14_sqrt": (
        het,
        lambda c: het(c).with_profile(slippage=(0.01, 0.03, 0.3, 0.4)),
    ),
    "sample_ref_at_hom_sqrt": (het, lambda c: het(c).with_profile(ref_at_hom=0.05)),
    "haplotype_larger_share": (lambda c: few_on_both(c, 5), on_one_haplotype),
    "haplotype_smaller_share": (on_one_haplotype, lambda c: few_on_both(c, 5)),
    "haplotype_tagged_share": (het, on_one_haplotype),
    "haplotype_one_over_zero": (lambda c: few_on_both(c, 2), on_one_haplotype),
    "haplotype_two_over_one": (on_one_haplotype, lambda c: few_on_both(c, 10)),
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
    assert shares[0] == pytest.approx(6 / 101, abs=HALF_STEP)
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
        "putative_base_quality_z": 0.0,
        "putative_mapq": 1.0,
        "putative_distance_to_read_end": 0.98,
        "putative_near_end_excess": -0.12,
        "putative_mismatches": np.log(0.5 / 0.8) / 2,
        "putative_mismatches_over_ref": 0.0,
        "putative_clipped_excess": -0.05,
        # Ten reads would start at 100 (1 - 0.99^10) bases of a hundred.
        "putative_distinct_starts": 1 / (100 * (1 - 0.99**10)),
        "putative_stack_share": 1.0,
        "putative_improper_pair_excess": 0.0,
        "alleles_at_site": 0.25,
        "repeat_unit": 0.0,
        "spanning_log": 0.0,
        "neighbours_100": 0.0,
        "nearest_neighbour_log": np.log1p(100) / 5,
    }
    assert {name: case.value(name) for name in expected} == pytest.approx(expected, abs=HALF_STEP)


@pytest.mark.parametrize(
    ("flag", "proper_share", "expected"),
    [(0, 0.97, 0.0), (2, 0.97, 0.0), (1, 0.97, 0.97), (1, 0.4, 0.0), (3, 0.97, -0.03)],
)
def test_only_pairs_of_a_library_of_proper_pairs_can_be_improper(
    tmp_path: Path, flag: int, proper_share: float, expected: float
) -> None:
    """Unpaired reads have no pairing; where hardly any pair is proper, the flag says nothing."""
    case = Case(Locus(tmp_path, SEQUENCE)).ref(10, flag=flag).alt(10, flag=flag)
    case = case.with_profile(proper_share=proper_share)
    for who in ("putative", "ref"):
        assert case.value(f"{who}_improper_pair_excess") == pytest.approx(expected, abs=HALF_STEP)


def test_unpaired_reads_among_pairs_are_no_improper_pairs(tmp_path: Path) -> None:
    case = Case(Locus(tmp_path, SEQUENCE)).ref(10, flag=3).alt(5, flag=3).alt(5, flag=0)
    case = case.with_profile(proper_share=0.97)
    assert case.value("putative_improper_pair_excess") == pytest.approx(-0.03, abs=HALF_STEP)


def test_expected_slippage() -> None:
    sure = replace(PROFILE, slippage_reads=(10**9,) * 4)
    length = np.array([0, 5, 6, 8, 9, 12, 15, 17, 27, 200, 12, 24])
    unit = np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2])
    expected = [0.002, 0.004, 0.01, 0.01, 0.03, 0.1, 0.2, 0.2, 0.4, 0.6, 0.01, 0.1]
    # What comes once is no repeat, whatever its length, and long units hardly slip.
    length, unit = np.append(length, [30, 30]), np.append(unit, [30, 7])
    expected += [0.004, 0.004]
    assert expected_slippage(sure, length, unit).tolist() == pytest.approx(expected, rel=1e-6)


def test_a_profile_with_nothing_measured(tmp_path: Path) -> None:
    """Nothing is divided by zero where the sample could not be measured."""
    case = het(Case(Locus(tmp_path, SEQUENCE), LibraryProfile()))
    assert case.value("depth_over_sample_depth") == 0.5
    assert case.value("putative_base_quality_z") == 0
    assert case.value("sample_low_fraction_share") == pytest.approx(0.1, abs=HALF_STEP)
    assert 0 < case.value("sample_slippage_12_14_sqrt") < 1


# What is known without any read.
OF_THE_PLACE = (
    "is_", "extends", "inserted", "deleted", "asks", "alleles", "repeat", "homopolymer",
    "expected", "neighbour", "nearest", "gc_", "sample_", "depth_over_sample_depth",
)  # fmt: skip


def test_without_reads_every_feature_has_its_neutral_value(tmp_path: Path) -> None:
    evidence = het_deletion(het(Case(Locus(tmp_path, SEQUENCE)))).locus.evidence()
    nobody = evidence.observations._replace(counts=np.zeros_like(evidence.observations.counts))
    features, likelihoods = replace(evidence, observations=nobody).measured(PROFILE)
    assert (likelihoods == 0).all()
    for feature, values in zip(FEATURE_TABLE, features.T, strict=True):
        if not feature.name.startswith(OF_THE_PLACE):
            assert values.tolist() == pytest.approx([feature.neutral] * len(values), abs=1e-6)


class Deep:
    """A het SNV, a hom-alt SNV and a het deletion, each under some 90 reads with errors."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(4)
        locus = Locus(folder, SEQUENCE)
        for pair in range(180):
            for flag, start in zip((99, 147), random.integers(40, 400, 2).tolist(), strict=True):
                changes = {
                    at: other(SEQUENCE[at]) for at in (SNV, 220) if start <= at < start + 100
                }
                at = start + int(random.integers(100))
                changes |= {at: other(SEQUENCE[at])} if random.random() < 0.2 else {}
                if pair % 2 and SNV in changes:
                    changes.pop(SNV)
                before = ANCHOR + 1 - start
                cigar = f"{before}M1D{100 - before}M" if pair % 2 and 10 < before < 70 else "100M"
                changes = {a: b for a, b in changes.items() if a < ANCHOR}
                qualities = random.choice([25, 30, 37, 40], 100).tolist()
                locus.show(1, start, cigar, changes, flag=flag, qual=qualities)
        self.window = window_of(locus.load(), locus.reference, 0, len(SEQUENCE))

    def seen(self, profile: LibraryProfile, **changed: Any) -> dict[str, np.ndarray]:
        """Return the features of the three sites with some arrays of the reads changed."""
        batch = self.window.reads
        arrays = changed.pop("arrays", batch.arrays)._replace(**changed)
        window = replace(self.window, reads=replace(batch, arrays=arrays))
        evidence = gather(window)
        starts = evidence.sites.start[evidence.questions.site].tolist()
        rows = [starts.index(at) for at in (SNV, 220, ANCHOR)]
        return dict(zip(FEATURES, evidence.features(profile)[rows].T, strict=True))


DEEP = replace(PROFILE, depth=40.0, base_quality=33.0)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Deep:
    return Deep(tmp_path_factory.mktemp("deep"))


def differences(
    first: dict[str, np.ndarray], second: dict[str, np.ndarray], least: float
) -> dict[str, float]:
    """Name the features that differ by more than `least`, and by how much."""
    most = {name: float(np.abs(first[name] - second[name]).max()) for name in FEATURES}
    return {name: value for name, value in most.items() if value > least}


def test_pairing_that_is_absent_is_neutral(deep: Deep) -> None:
    flag = deep.window.reads.arrays.flag & FREVERSE
    without = deep.seen(DEEP, flag=flag)
    assert not differences(deep.seen(DEEP), without, 0.04)
    assert (without["putative_improper_pair_excess"] == 0).all()


def test_qualities_that_are_absent_are_neutral(deep: Deep) -> None:
    qualities = np.full_like(deep.window.reads.arrays.qualities, MISSING_QUALITY)
    unknown = replace(DEEP, base_quality=0.0, base_quality_sd=0.0)
    without = deep.seen(unknown, qualities=qualities)
    of_qualities = {name for name in FEATURES if name.endswith("base_quality_z")}
    assert all((without[name] == 0).all() for name in of_qualities)
    assert set(differences(deep.seen(DEEP), without, 0.06)) <= of_qualities


def test_a_mapping_quality_that_is_unknown_is_neutral(deep: Deep) -> None:
    mapq = np.full_like(deep.window.reads.arrays.mapq, 255)
    assert not differences(deep.seen(DEEP), deep.seen(DEEP, mapq=mapq), 0.01)
    # Mappers have scales of their own.
    lower = deep.seen(replace(DEEP, mapq=42.0), mapq=np.full_like(mapq, 42))
    assert not differences(deep.seen(DEEP), lower, 0.01)


def test_twice_the_depth_changes_little(deep: Deep) -> None:
    """Each read twice: only that they start at the same bases is seen."""
    reads = deep.window.reads.arrays
    twice = reads.take(np.repeat(np.arange(len(reads.flag)), 2))
    copy = np.arange(len(twice.flag)) % 2
    twice = twice._replace(
        fragment=(2 * twice.fragment + copy).astype(np.int32),
        name_hash=twice.name_hash ^ copy.astype(np.uint64),
    )
    once, again = deep.seen(DEEP), deep.seen(replace(DEEP, depth=80.0), arrays=twice)
    changed = differences(once, again, 0.12)
    assert {name for name in changed if "distinct_starts" not in name} == set()
    assert (again["putative_distinct_starts"] < 0.8 * once["putative_distinct_starts"]).all()


def test_last_bits_do_not_reach_a_model() -> None:
    """Equal numbers that were added up in another order, none of them between two grid points."""
    values = np.array([1 / 3, 0.0, -0.7, 0.923, 2.0, 1e-9, -1e-9], np.float32)
    rounded = on_grid(values)
    for way in (-np.inf, np.inf):
        moved = np.nextafter(values, np.float32(way))
        assert on_grid(moved).tobytes() == rounded.tobytes()
    np.testing.assert_allclose(rounded, values, atol=2**-11)
    assert on_grid(rounded).tobytes() == rounded.tobytes()


def test_what_evidence_measures_is_on_the_grid(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE).show(7, 150, "80M").show(4, 151, "80M", {SNV: "A"})
    features = locus.evidence().features(LibraryProfile())
    assert len(features)
    assert (features * 1024 % 1 == 0).all()
