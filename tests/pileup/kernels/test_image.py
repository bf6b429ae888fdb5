"""The kernel that draws images equals its slow twin on random windows."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pileup.arrays import QuestionArrays
from pileup.image.encode import encode
from pileup.kernels.image.draw import mix
from pileup.spec import READ_ROWS
from pileup.twins import (
    draw,
)
from pileup.twins.alignment import unpack_reads, unpack_sites
from tests.pileup.windows import counts, random_window, repeatable, seeds, twin_observations


@given(seeds, counts)
@repeatable
def test_draw(seed: int, count: int) -> None:
    window = random_window(seed, count)
    chosen = np.random.default_rng(seed).permutation(len(window.questions.site))[:6]
    asked = QuestionArrays(window.questions.site[chosen], window.questions.alleles[chosen])
    images = encode(asked, window.reference, window.reads, window.sites, window.observations)
    reads, sites = unpack_reads(window.reads), unpack_sites(window.sites)
    shown = twin_observations(window)
    for image, question in zip(images, chosen, strict=True):
        site = window.questions.site[question]
        mask = int(window.questions.alleles[question])
        slow = draw.draw(sites[site], mask, reads, shown[site], window.stretch)
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
