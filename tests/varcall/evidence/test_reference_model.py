"""What every base's reads say of the reference, candidate or not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.builders import PAIRED, READ1, READ2, REVERSE
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.reference_model import HomRefEvidence, ReferenceModel
from varcall.reads.library_profile import LibraryProfile

RUN = 14
SEQUENCE = sequence_with("A" * RUN)
# The base before the homopolymer, and one far from it, at which nothing repeats.
ANCHOR, PLAIN = 299, 230
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}[SEQUENCE[PLAIN]]
PROFILE = LibraryProfile(base_quality=30.0, error_rate=0.001)
WHOLE = (0, len(SEQUENCE))


def rated(
    locus: Locus, span: tuple[int, int] = WHOLE, profile: LibraryProfile = PROFILE
) -> HomRefEvidence:
    return ReferenceModel(profile).rate_bases(locus.evidence(), *span)


def pl_of(locus: Locus, position: int = PLAIN, profile: LibraryProfile = PROFILE) -> list[int]:
    found: list[int] = rated(locus, profile=profile).pl[position].tolist()
    return found


def test_more_fragments_are_surer_and_two_copies_less_likely_than_one(tmp_path: Path) -> None:
    one, two = np.array(
        [pl_of(Locus(tmp_path, SEQUENCE).show(n, 200, "60M")) for n in (5, 10, 20, 40, 90, 200)]
    ).T
    assert (np.diff(one) > 0).all()
    assert (np.diff(two) > 0).all()
    assert (two > one).all()
    # Sixty fragments are surer than sixty phred; nothing saturates on the way to 99.
    assert one[2] < 60 < one[4]
    assert one[-1] > 150


def test_what_nothing_lies_on_is_not_known(tmp_path: Path) -> None:
    found = rated(Locus(tmp_path, SEQUENCE).show(9, 200, "60M"))
    assert found.pl[[10, 199, 260]].tolist() == [[0, 0]] * 3
    assert found.depth[[10, 199, 200, 259, 260]].tolist() == [0, 0, 9, 9, 0]


def test_an_unknown_reference_is_not_known_whatever_lies_there(tmp_path: Path) -> None:
    sequence = SEQUENCE[:PLAIN] + "N" + SEQUENCE[PLAIN + 1 :]
    found = rated(Locus(tmp_path, sequence).show(9, 200, "60M", {PLAIN: "A"}))
    assert found.pl[PLAIN].tolist() == [0, 0]
    assert found.depth[PLAIN] == 9


def test_other_bases_speak_against_it_by_their_quality(tmp_path: Path) -> None:
    def of(**other: int) -> int:
        locus = Locus(tmp_path, SEQUENCE).show(27, 200, "60M")
        return pl_of(locus.show(3, 200, "60M", {PLAIN: OTHER}, **other))[0]

    clean = pl_of(Locus(tmp_path, SEQUENCE).show(30, 200, "60M"))[0]
    assert of(qual=37) < clean - 20
    assert of(qual=37) < of(mapq=7) <= clean
    # Below the least quality a base says nothing, but that no indel is there.
    fewer = pl_of(Locus(tmp_path, SEQUENCE).show(27, 200, "60M"))[0]
    assert fewer <= of(qual=5) <= clean


def test_plain_variants_speak_for_their_copies(tmp_path: Path) -> None:
    het = Locus(tmp_path, SEQUENCE).show(15, 200, "60M").show(15, 200, "60M", {PLAIN: OTHER})
    one, two = pl_of(het)
    assert one < -30
    assert two > one
    one, two = pl_of(Locus(tmp_path, SEQUENCE).show(30, 200, "60M", {PLAIN: OTHER}))
    assert two < one < 0


@pytest.mark.parametrize("cigar", ["31M1I29M", "31M2D29M"])
def test_indels_count_at_the_base_before_them(tmp_path: Path, cigar: str) -> None:
    locus = Locus(tmp_path, SEQUENCE).show(15, 200, "60M")
    locus.show(15, 200, cigar, inserted=OTHER)
    pl = rated(locus).pl[:, 0]
    assert pl[PLAIN] < -30
    assert np.delete(pl, PLAIN).min() >= 0


def test_an_indel_in_a_repeat_is_seen_by_what_reaches_beyond_it(tmp_path: Path) -> None:
    short = Locus(tmp_path, SEQUENCE).show(30, ANCHOR + 8 - 60, "60M")
    found = rated(short).pl[:, 0]
    # The base itself is seen thirty times, an indel of the run behind it by none.
    assert found[ANCHOR] == 0
    assert found[ANCHOR - 1] > 50
    assert pl_of(Locus(tmp_path, SEQUENCE).show(30, ANCHOR - 20, "60M"), ANCHOR)[0] > 30


def test_the_library_says_how_often_runs_slip(tmp_path: Path) -> None:
    def of(profile: LibraryProfile) -> list[int]:
        locus = Locus(tmp_path, SEQUENCE).show(27, 270, "80M").show(3, 270, "30M1D50M")
        return pl_of(locus, ANCHOR, profile)

    clean = LibraryProfile(base_quality=30.0, slippage=(0.001, 0.001, 0.001, 0.001))
    slipping = LibraryProfile(base_quality=30.0, slippage=(0.01, 0.05, 0.15, 0.3))
    assert of(slipping)[0] > of(clean)[0] + 5


def test_mates_count_once_and_by_their_strand(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(1, 200, "50M", name="a", flag=PAIRED | READ1)
    locus.show(1, 220, "50M", {PLAIN: OTHER}, name="a", flag=PAIRED | READ2 | REVERSE)
    found = rated(locus)
    assert found.depth[[200, 225, 249, 250, 269]].tolist() == [1] * 5
    assert found.covering[:, [PLAIN, 260]].tolist() == [[1, 0], [0, 1]]
    assert found.matching[:, PLAIN].tolist() == [1, 0]


def test_what_does_not_show_ref_does_not_match(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE).show(4, 200, "60M")
    locus.show(2, 200, "60M", {PLAIN: OTHER}).show(2, 200, "60M", qual=3)
    locus.show(2, 200, "25M10D30M")
    found = rated(locus)
    assert found.covering[:, PLAIN].tolist() == [5, 5]
    assert found.matching[:, PLAIN].tolist() == [2, 2]


def test_the_span_asked_for_changes_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    locus = Locus(tmp_path, SEQUENCE)
    for start in random.integers(150, 400, 80).tolist():
        locus.show(1, start, "60M", {start + 7: "A"})
    evidence = locus.evidence()
    model = ReferenceModel(PROFILE)
    whole = model.rate_bases(evidence, *WHOLE)

    def part(start: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        found = model.rate_bases(evidence, start, end)
        return found.pl, found.matching

    for start, end in ((0, 150), (150, ANCHOR + 3), (ANCHOR + 3, 500), (500, len(SEQUENCE))):
        pl, matching = part(start, end)
        assert (pl == whole.pl[start:end]).all()
        assert (matching == whole.matching[:, start:end]).all()


def test_reads_beyond_the_cap_are_counted(tmp_path: Path) -> None:
    evidence = Locus(tmp_path, SEQUENCE).show(10, 200, "60M").evidence()
    model = ReferenceModel(PROFILE)
    found = model.rate_bases(evidence, 220, 230, np.full(10, 2.5))
    assert found.covering.tolist() == [[12] * 10, [12] * 10]
    assert (found.pl == model.rate_bases(evidence, 220, 230).pl).all()


def test_counts_by_themselves() -> None:
    model = ReferenceModel(PROFILE)
    found = model.rate_counts(
        *np.array([[30, 30, 0, 30, 30], [0, 15, 0, 4, 4], [-1, -1, -1, 14, 1]])
    )
    assert found[0].min() > 50
    assert found[1, 0] < 0
    assert found[2].tolist() == [0, 0]
    assert found[3, 0] > found[4, 0]
