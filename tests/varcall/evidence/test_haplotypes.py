"""Reads are tagged by the SNVs around a site, whatever window it is found in."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.builders import random_sequence
from tests.varcall.evidence.loci import Locus
from tests.varcall.evidence.test_window import described, other
from varcall.evidence.haplotypes import LONG_REACH, SHORT_REACH, find_het_snvs, reach_of
from varcall.evidence.window import Evidence, EvidenceOptions, EvidenceReader
from varcall.inputs.open import Inputs, open_inputs
from varcall.inputs.regions import Region
from varcall.simulate import simulate_demo

SEQUENCE = random_sequence(2000, 11)
SITE = 800


def alts(*places: int) -> dict[int, str]:
    """Return other bases at some positions."""
    return {place: other(SEQUENCE[place]) for place in places}


def tags_at(evidence: Evidence, position: int) -> list[tuple[bool, int]]:
    """Return of each read at a site whether it shows an ALT, and its haplotype."""
    (site,) = np.flatnonzero(evidence.sites.start == position)
    shown = evidence.observations
    at = slice(shown.offset[site], shown.offset[site + 1])
    return list(zip((shown.allele[at] > 0).tolist(), shown.haplotype[at].tolist(), strict=True))


def first_if_smaller(position: int) -> int:
    """Return the haplotype whose first het has the ALT."""
    return 1 if other(SEQUENCE[position]) < SEQUENCE[position] else 2


@pytest.mark.parametrize("het", [740, 741, 742, 743, 860])
def test_reads_are_tagged_by_another_snv(tmp_path: Path, het: int) -> None:
    """The haplotype of the smaller base is the first."""
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(8, 720, "150M", alts(het, SITE)).show(8, 721, "150M")
    locus.show(3, 790, "30M", alts(SITE))
    carries = first_if_smaller(het)
    expected = [(True, carries)] * 8 + [(False, 3 - carries)] * 8 + [(True, 0)] * 3
    assert tags_at(locus.evidence(), SITE) == expected


def test_a_site_has_no_say_in_its_own_tags(tmp_path: Path) -> None:
    """Nor has an SNV so near that the same misalignment may have made both."""
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(8, 720, "150M", alts(SITE, SITE + 8)).show(8, 720, "150M")
    evidence = locus.evidence()
    assert {tag for _, tag in tags_at(evidence, SITE) + tags_at(evidence, SITE + 8)} == {0}


def test_a_mate_tells_the_haplotype(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    for number in range(16):
        changes = alts(SITE, 500) if number % 2 else {}
        for start, flag in ((450, 99), (750, 147)) if number % 4 < 2 else ((450, 163), (750, 83)):
            locus.show(
                1, start, "100M", changes_in(changes, start, 100), flag=flag, name=f"p{number}"
            )
    tags = tags_at(locus.evidence(), SITE)
    assert sorted(tags) == sorted([(True, first_if_smaller(500))] * 8
                                  + [(False, 3 - first_if_smaller(500))] * 8)  # fmt: skip


def changes_in(changes: dict[int, str], start: int, length: int) -> dict[int, str]:
    return {at: base for at, base in changes.items() if start <= at < start + length}


def test_hets_are_phased_along_the_reads(tmp_path: Path) -> None:
    """Reads that reach only the one or the other het around the site get the same names."""
    locus = Locus(tmp_path, SEQUENCE)
    first, second = 700, 900
    for start in (650, 760):
        locus.show(8, start, "170M", changes_in(alts(first, SITE, second), start, 170))
        locus.show(8, start, "170M")
    locus.show(5, 690, "220M", alts(first, second)).show(5, 690, "220M", alts(SITE))
    tags = tags_at(locus.evidence(), SITE)
    carries = first_if_smaller(first)
    assert tags.count((True, carries)) == 16
    assert tags.count((False, 3 - carries)) == 16
    # A recombined fragment is of the haplotype of its other SNVs.
    assert tags.count((False, carries)) == tags.count((True, 3 - carries)) == 5


def test_a_false_het_is_left_out(tmp_path: Path) -> None:
    """An error that half of the reads show, on either haplotype, separates nothing."""
    locus = Locus(tmp_path, SEQUENCE)
    for copy in range(20):
        error = alts(760) if copy % 4 in (0, 1) else {}
        real = alts(730, 850, SITE) if copy % 2 else {}
        locus.show(1, 720, "150M", error | real, flag=16 * (copy // 4 % 2))
    tags = tags_at(locus.evidence(), SITE)
    carries = first_if_smaller(730)
    assert tags == [(bool(copy % 2), carries if copy % 2 else 3 - carries) for copy in range(20)]
    # With no other it is contradicted by none, and names the haplotypes.
    assert {tag for _, tag in tags_at(locus.evidence(), 730)} == {1, 2}


@pytest.mark.parametrize(
    "how",
    [{"mapq": 15}, {"qual": 12}, {"flag": 0}, {}],
    ids=["low MAPQ", "low quality", "one strand", "few"],
)
def test_what_is_no_confident_het(tmp_path: Path, how: dict[str, int]) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(8 if how else 4, 720, "150M", alts(SITE), **how).show(8, 720, "150M")
    evidence = locus.evidence()
    assert len(find_het_snvs(evidence.reads, evidence.scan, 0, 2000).position) == 0
    locus.show(8, 730, "150M", alts(SITE)).show(8, 730, "150M")
    evidence = locus.evidence()
    assert find_het_snvs(evidence.reads, evidence.scan, 0, 2000).position.tolist() == [SITE]


def test_long_reads_reach_further() -> None:
    assert reach_of(151) == SHORT_REACH < LONG_REACH == reach_of(15_000)
    options = EvidenceOptions(phase_reach=LONG_REACH)
    assert options.margin > LONG_REACH > EvidenceOptions().margin


def assert_windows_do_not_matter(
    inputs: Inputs, options: EvidenceOptions, region: Region, sizes: tuple[int, ...]
) -> None:
    """Compare the evidence of windows of some sizes, shifted too, with that of one window."""
    with EvidenceReader(inputs, options) as reader:
        whole = reader.read(region)
        expected = described(whole)
        haplotypes = whole.observations.haplotype
        assert np.bincount(haplotypes, minlength=3)[1:].min() > 50
        for size in sizes:
            first = region.start + size // 3
            bounds = [region.start, *range(first, region.end, size), region.end]
            parts = [described(reader.read(Region(region.contig, *of))) for of in pairwise(bounds)]
            joined = {key: value for part in parts for key, value in part.items()}
            assert joined.keys() == expected.keys()
            assert [key for key in expected if joined[key] != expected[key]] == [], size


def test_windows_of_simulated_pairs_do_not_matter(tmp_path: Path) -> None:
    sample = simulate_demo(tmp_path / "demo", genome_size=60_000)
    inputs = open_inputs(sample.bam, sample.reference)
    (region,) = inputs.regions
    assert_windows_do_not_matter(inputs, EvidenceOptions(), region, (1_000, 10_000))


@pytest.mark.shared_data
def test_windows_of_hifi_reads_do_not_matter(shared_data: Path) -> None:
    inputs = open_inputs(
        shared_data / "slices" / "HG003_SequelII_HiFi_GRCh38_chr20_9.0-9.1Mb.bam",
        shared_data / "reference" / "grch38.chr20_and_21_10M.fa.gz",
        allow_other_reference=True,
    )
    options = EvidenceOptions(phase_reach=LONG_REACH)
    region = Region("chr20", 9_020_000, 9_070_000)
    assert_windows_do_not_matter(inputs, options, region, (5_000, 20_000))
