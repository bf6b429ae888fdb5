"""The count likelihood: plain counts give plain answers, whatever the library."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.likelihood import LOWEST
from varcall.reads.library_profile import STATED_MISMATCHES, LibraryProfile

SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV, ANCHOR, UNIQUE = 150, 300, 220
ALT = {"A": "C", "C": "G", "G": "T", "T": "A"}[SEQUENCE[SNV]]
PROFILE = LibraryProfile(base_quality=30.0)
PHRED = 10 / np.log(10)


def snv(
    folder: Path, ref: int, alt: int, profile: LibraryProfile = PROFILE, **alt_reads: int
) -> NDArray[np.float32]:
    """Return the likelihoods of an SNV that so many fragments show."""
    locus = Locus(folder, SEQUENCE).show(ref, 100, "100M")
    locus.show(alt, 100, "100M", {SNV: ALT}, **alt_reads)
    return likelihoods(locus, profile)


def likelihoods(locus: Locus, profile: LibraryProfile = PROFILE) -> NDArray[np.float32]:
    features, values = locus.evidence().measured(profile)
    assert values.shape == (len(features), 3)
    assert values.dtype == np.float32
    assert (values.max(axis=1) == 0).all()
    assert (values >= LOWEST).all()
    return np.asarray(values[0])


def lead(row: NDArray[np.float32]) -> float:
    """Return by how many phred the best is ahead."""
    second, best = np.sort(row.astype(float))[-2:]
    return float(best - second) * PHRED


@pytest.mark.parametrize(
    ("ref", "alt", "copies"),
    [(30, 30, 1), (0, 60, 2), (50, 7, 0), (8, 8, 1), (0, 12, 2), (19, 8, 1), (39, 55, 1)],
)
def test_clean_counts(tmp_path: Path, ref: int, alt: int, copies: int) -> None:
    assert snv(tmp_path, ref, alt).argmax() == copies


@pytest.mark.parametrize(("ref", "alt"), [(30, 30), (0, 60), (24, 36)])
def test_sixty_clean_reads_are_surer_than_sixty_phred(tmp_path: Path, ref: int, alt: int) -> None:
    assert lead(snv(tmp_path, ref, alt)) > 60


@pytest.mark.parametrize(("ref", "alt"), [(30, 30), (0, 60)])
def test_and_so_are_those_of_an_indel(tmp_path: Path, ref: int, alt: int) -> None:
    locus = Locus(tmp_path, SEQUENCE).show(ref, 180, "100M")
    locus.show(alt, 180, f"{UNIQUE + 1 - 180}M2D50M")
    row = likelihoods(locus)
    assert row.argmax() == (1 if ref else 2)
    assert lead(row) > 60


def test_more_reads_make_it_surer_within_bounds(tmp_path: Path) -> None:
    """The reads of one place err together: a thousand are no thousand witnesses."""
    leads = []
    for depth in (20, 60, 250, 1000):
        folder = tmp_path / str(depth)
        folder.mkdir()
        leads.append(lead(snv(folder, depth // 2, depth // 2)))
    assert leads == sorted(leads)
    assert leads[-1] < 2 * leads[1]


def spread(locus: Locus, count: int, changes: dict[int, str] | None = None) -> Locus:
    """Add fragments that each start at a base of their own."""
    for number in range(count):
        locus.show(1, 100 + 2 * number, "100M", changes)
    return locus


def test_a_stack_is_one_witness(tmp_path: Path) -> None:
    """Copies that PCR made of one molecule, unmarked, beside fragments that start anywhere."""
    folders = [tmp_path / name for name in ("stack", "spread")]
    for folder in folders:
        folder.mkdir()
    stacked = spread(Locus(folders[0], SEQUENCE), 20).show(14, 120, "100M", {SNV: ALT})
    independent = spread(spread(Locus(folders[1], SEQUENCE), 20), 14, {SNV: ALT})
    assert likelihoods(stacked).argmax() == 0
    assert likelihoods(independent).argmax() == 1


def test_a_stack_of_ref_is_one_witness(tmp_path: Path) -> None:
    stacked = spread(Locus(tmp_path, SEQUENCE), 8, {SNV: ALT}).show(40, 120, "100M")
    het, hom_alt = likelihoods(stacked)[1:]
    assert abs(het - hom_alt) < 2, "one REF fragment beside eight says little"


@pytest.mark.parametrize(("ref", "alt", "copies"), [(30, 30, 1), (0, 40, 2), (1, 40, 2)])
def test_amplicons_count_in_full(tmp_path: Path, ref: int, alt: int, copies: int) -> None:
    """Both alleles start at the primer; an allele that has no second fragment tells nothing."""
    locus = Locus(tmp_path, SEQUENCE).show(ref, 100, "100M").show(alt, 100, "100M", {SNV: ALT})
    row = likelihoods(locus)
    assert row.argmax() == copies
    assert lead(row) > 40


def test_base_qualities_count_by_what_the_library_measured(tmp_path: Path) -> None:
    """ALT bases of quality 15 are evidence where such bases are right, and none where not."""
    by_quality = list(STATED_MISMATCHES)
    by_quality[2] = 0.004
    good = replace(PROFILE, mismatch_by_quality=tuple(by_quality))
    by_quality[2] = 0.25
    bad = replace(PROFILE, mismatch_by_quality=tuple(by_quality))
    rows = []
    for number, profile in enumerate((good, bad)):
        folder = tmp_path / str(number)
        folder.mkdir()
        rows.append(snv(folder, 20, 10, profile, qual=15))
    assert rows[0].argmax() == 1
    assert rows[1].argmax() == 0


@pytest.mark.parametrize(("ref_at_hom", "copies"), [(0.0, 1), (0.1, 2)])
def test_ref_reads_count_by_how_many_are_foreign(
    tmp_path: Path, ref_at_hom: float, copies: int
) -> None:
    """Ten REF fragments of sixty: a het, but where as many lie at every hom-alt site."""
    profile = replace(PROFILE, ref_at_hom=ref_at_hom)
    assert snv(tmp_path, 10, 50, profile).argmax() == copies


def test_absent_qualities_are_as_good_as_measured(tmp_path: Path) -> None:
    unknown = replace(PROFILE, base_quality=0.0)
    locus = Locus(tmp_path, SEQUENCE)
    for count, changes in ((30, {}), (30, {SNV: ALT})):
        locus.show(count, 100, "100M", changes, qual="*")
    row = likelihoods(locus, unknown)
    assert row.argmax() == 1
    assert lead(row) > 60


@pytest.mark.parametrize(("mapq", "copies"), [(255, 1), (60, 1), (20, 1), (5, 0)])
def test_mapping_quality_counts_and_an_unknown_one_does_not(
    tmp_path: Path, mapq: int, copies: int
) -> None:
    assert snv(tmp_path, 20, 10, mapq=mapq).argmax() == copies


def test_without_informative_reads_it_is_neutral(tmp_path: Path) -> None:
    evidence = Locus(tmp_path, SEQUENCE).show(9, 100, "100M", {SNV: ALT}).evidence()
    shown = evidence.observations
    nobody = replace(evidence, observations=shown._replace(counts=np.zeros_like(shown.counts)))
    assert nobody.measured(PROFILE)[1].tolist() == [[0, 0, 0]]


def test_a_deleted_base_is_no_alt(tmp_path: Path) -> None:
    """The other haplotype has the SNV's base deleted: one copy, not two."""
    locus = Locus(tmp_path, SEQUENCE).show(15, 100, "100M", {SNV: ALT}).show(15, 100, "46M10D44M")
    evidence = locus.evidence()
    starts = evidence.sites.start[evidence.questions.site].tolist()
    assert evidence.measured(PROFILE)[1][starts.index(SNV)].argmax() == 1


@pytest.mark.parametrize(("slippage", "copies"), [((0.004, 0.01, 0.05, 0.1), 1), ((0.4,) * 4, 0)])
def test_in_a_run_the_librarys_slippage_decides(
    tmp_path: Path, slippage: tuple[float, ...], copies: int
) -> None:
    locus = Locus(tmp_path, SEQUENCE).show(30, 250, "100M")
    locus.show(10, 250, f"{ANCHOR + 1 - 250}M1D49M")
    assert likelihoods(locus, replace(PROFILE, slippage=slippage)).argmax() == copies
