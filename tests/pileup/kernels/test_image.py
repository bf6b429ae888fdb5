"""The kernel that draws images equals its slow twin on random windows."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pileup.arrays import LibraryNorms, QuestionArrays, ShownArrays
from pileup.image.encode import encode
from pileup.kernels.image.draw import mix
from pileup.spec import READ_ROWS
from pileup.twins import (
    draw,
)
from pileup.twins.alignment import unpack_reads, unpack_sites
from pileup.twins.observe import Observation
from tests.pileup.windows import counts, random_window, repeatable, seeds, twin_observations


def with_haplotypes(
    observations: list[list[Observation]], shown: ShownArrays
) -> list[list[Observation]]:
    """Return the twin's observations with the haplotypes of the kernels' ones."""
    known = iter(shown.haplotype.tolist())
    return [[replace(one, haplotype=next(known)) for one in of_site] for of_site in observations]


@given(seeds, counts)
@repeatable
def test_draw(seed: int, count: int) -> None:
    window = random_window(seed, count)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(window.questions.site))[:6]
    asked = QuestionArrays(window.questions.site[chosen], window.questions.alleles[chosen])
    counts, observations = window.scan.counts, window.observations
    observations.haplotype[:] = random.integers(0, 3, len(observations.read))
    norms = LibraryNorms(bool(seed % 2), float(random.choice([0.0, 0.002, 0.03])))
    reads, sites = window.reads, window.sites
    images = encode(asked, window.reference, reads, counts, sites, observations, norms)
    differences = (counts.mismatches + counts.clipped).tolist()
    shown = with_haplotypes(twin_observations(window), observations)
    slow_reads, slow_sites = unpack_reads(reads), unpack_sites(sites)
    for image, question in zip(images, chosen, strict=True):
        site = window.questions.site[question]
        mask = int(window.questions.alleles[question])
        slow = draw.draw(
            slow_sites[site], mask, slow_reads, shown[site], window.stretch, differences, norms
        )
        np.testing.assert_array_equal(image, slow)


@given(seeds, counts)
@repeatable
def test_draw_of_two_variants(seed: int, count: int) -> None:
    """What the reads show of the second variant stands in place of their pairing."""
    window = random_window(seed, count)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(window.questions.site))[:6]
    seconds = random.permutation(len(window.questions.site))[:6]
    asked, others = (
        QuestionArrays(window.questions.site[rows], window.questions.alleles[rows])
        for rows in (chosen, seconds)
    )
    counts, observations = window.scan.counts, window.observations
    observations.haplotype[:] = random.integers(0, 3, len(observations.read))
    norms = LibraryNorms(True, 0.002)
    reads, sites = window.reads, window.sites
    images = encode(asked, window.reference, reads, counts, sites, observations, norms, others)
    differences = (counts.mismatches + counts.clipped).tolist()
    shown = with_haplotypes(twin_observations(window), observations)
    slow_reads, slow_sites = unpack_reads(reads), unpack_sites(sites)
    for image, question, other in zip(images, chosen, seconds, strict=True):
        site, other_site = (window.questions.site[number] for number in (question, other))
        mask, other_mask = (int(window.questions.alleles[number]) for number in (question, other))
        second = draw.second_pixels(shown[other_site], other_mask, slow_reads)
        slow = draw.draw(
            slow_sites[site], mask, slow_reads, shown[site], window.stretch, differences, norms,
            second,
        )  # fmt: skip
        np.testing.assert_array_equal(image, slow)


@given(st.integers(0, 2**64 - 1))
@repeatable
def test_mix(value: int) -> None:
    assert int(mix(np.uint64(value))) == draw.mix(value)


def test_deep_site_draws_the_same_reads_whatever_their_number_of_neighbours() -> None:
    """Which reads are drawn depends on names and locus only."""
    window = random_window(3, 260)
    sites = unpack_sites(window.sites)
    reads = unpack_reads(window.reads)
    shown = twin_observations(window)
    deep = max(range(len(sites)), key=lambda site: len(shown[site]))
    assert len(shown[deep]) > READ_ROWS
    rows = draw.choose_rows(shown[deep], (1,), sites[deep], reads)
    assert len(rows) == READ_ROWS
    moved = replace(sites[deep], start=sites[deep].start + 1)
    other = draw.choose_rows(shown[deep], (1,), moved, reads)
    assert {o.read for o in rows} != {o.read for o in other}
