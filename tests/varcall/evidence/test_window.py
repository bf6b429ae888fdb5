"""A candidate looks the same whatever window it is found in."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pileup.spec import BASE_OTHER, HEADER_ROWS
from tests.builders import random_sequence
from tests.varcall.evidence.loci import Locus, gather_window
from varcall.evidence.window import Evidence
from varcall.reads.library_profile import LibraryProfile

START, END = 925, 1010
PROFILE = LibraryProfile(
    platform="illumina", paired=True, read_length=100, depth=30, error_rate=0.003
)


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Locus:
    """A homopolymer, an STR, an MNV, nested deletions and SNVs, all within 160 bases."""
    repeat = "G" + "A" * 14 + "C" + "TG" * 12 + "C"
    sequence = random_sequence(930, 2) + repeat + random_sequence(900, 3)
    locus = Locus(tmp_path_factory.mktemp("awkward"), sequence)
    random = np.random.default_rng(4)
    indels = [
        (945, "D", 2),
        (938, "I", 1),
        (931, "D", 1),
        (970, "I", 2),
        (950, "D", 30),
        (966, "D", 4),
    ]
    inserted = {938: "A", 970: "TG"}
    for start in sorted(random.integers(840, 1030, 420).tolist()):
        length = 100
        changes = {935: "T", 990: other(sequence[990])} if random.random() < 0.3 else {}
        if random.random() < 0.4:
            changes |= {1000: other(sequence[1000]), 1001: other(sequence[1001])}
            changes |= {1002: other(sequence[1002])} if random.random() < 0.95 else {}
        seen = {at: base for at, base in changes.items() if start <= at < start + length}
        place, op, size = indels[int(random.integers(len(indels)))]
        cigar, extra = f"{length}M", ""
        if not seen and start + 5 < place < start + length - 5:
            cigar = f"{place - start}M{size}{op}{length - place + start}M"
            extra = inserted.get(place, "")
        flag = int(random.choice([99, 147, 0]))
        locus.show(
            1, start, cigar, seen, inserted=extra, flag=flag, mapq=int(random.choice([7, 60]))
        )
    for start in range(0, 1700, 90):
        locus.show(1, start, "100M")
    locus.write()
    return locus


def other(base: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base]


def described(evidence: Evidence) -> dict[tuple[int, str, tuple[str, ...], int], list[bytes]]:
    """Map every question to its observations, picture and features, as bytes."""
    images, features = evidence.images(PROFILE), evidence.features(PROFILE)
    described = {}
    for index, site in enumerate(evidence.questions.site.tolist()):
        shown = evidence.observations
        at = slice(shown.offset[site], shown.offset[site + 1])
        columns = (shown.allele, shown.quality, shown.delta, shown.counts, shown.haplotype)
        hashes = evidence.reads.name_hash[shown.read[at]]
        parts = [column[at].tobytes() for column in columns] + [hashes.tobytes()]
        parts += [images[index].tobytes(), features[index].tobytes()]
        key = (int(evidence.sites.start[site]), *evidence.alleles(site))
        described[(*key, int(evidence.questions.alleles[index]))] = parts
    return described


def windows(locus: Locus, bounds: list[int]) -> list[Evidence]:
    bam = locus.folder / "reads.bam"
    return [gather_window(bam, locus.reference, start, end) for start, end in pairwise(bounds)]


def test_a_cut_anywhere_changes_nothing(awkward: Locus) -> None:
    (whole,) = windows(awkward, [START, END])
    expected = described(whole)
    assert whole.sites.start.tolist() == [930, 935, 944, 945, 949, 990, 1000]
    assert whole.alleles(3) == ("CTGTG", ("C", "CTGTGTG"))
    assert len(expected) == 11
    for cut in range(START + 1, END):
        parts = [described(part) for part in windows(awkward, [START, cut, END])]
        assert not parts[0].keys() & parts[1].keys(), cut
        assert parts[0] | parts[1] == expected, cut


def test_windows_of_one_base(awkward: Locus) -> None:
    (whole,) = windows(awkward, [START, END])
    joined: dict[tuple[int, str, tuple[str, ...], int], list[bytes]] = {}
    for part in windows(awkward, [START, 929, 930, 931, 932, 999, 1000, 1001, 1002, 1003, END]):
        joined |= described(part)
    assert joined == described(whole)


def test_no_reads(tmp_path: Path) -> None:
    evidence = Locus(tmp_path, random_sequence(400)).evidence()
    assert len(evidence.questions.site) == 0
    assert evidence.images(PROFILE).shape == (0, 224, 224, 3)
    assert evidence.features(PROFILE).shape[0] == 0


def test_only_deletions(tmp_path: Path) -> None:
    """No ALT of such a window has bases of its own."""
    evidence = Locus(tmp_path, random_sequence(400)).show(6, 100, "30M3D30M").evidence()
    assert len(evidence.questions.site) == 1
    assert np.isfinite(evidence.features(PROFILE)).all()


def test_contig_ends(tmp_path: Path) -> None:
    sequence = random_sequence(160, 9)
    locus = Locus(tmp_path, sequence)
    locus.show(8, 0, "60M", {0: other(sequence[0])})
    locus.show(8, 100, "60M", {159: other(sequence[159])})
    evidence = locus.evidence()
    assert evidence.sites.start.tolist() == [0, 159]
    images = evidence.images(PROFILE)
    # Beyond the contig the reference is an unknown base, and no read is there.
    assert (images[0, 0, :112, 0] == BASE_OTHER).all()
    assert (images[1, 0, 113:, 0] == BASE_OTHER).all()
    assert not images[0, HEADER_ROWS:, :112].any()
    assert not images[1, HEADER_ROWS:, 113:].any()
    assert np.isfinite(evidence.features(PROFILE)).all()


def test_chosen_questions_are_drawn_alone(awkward: Locus) -> None:
    (whole,) = windows(awkward, [START, END])
    chosen = np.array([3, 1])
    np.testing.assert_array_equal(whole.images(PROFILE, chosen), whole.images(PROFILE)[chosen])
