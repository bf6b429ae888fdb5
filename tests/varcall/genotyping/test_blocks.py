"""Bands of reference blocks, and what a block says of its bases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pileup.kernels.hom_ref.runs import END, GQ, START
from varcall.evidence.reference_model import HomRefEvidence
from varcall.genotyping.blocks import LEAST_RUN, beyond, lowered, reference_blocks
from varcall.inputs.regions import Region
from varcall.output.gvcf import HEAD, GqBands

runs = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 90)), min_size=1, max_size=20)


def spread(drawn: list[tuple[int, int]]) -> NDArray[np.uint8]:
    return np.concatenate([np.full(size, band, np.uint8) for band, size in drawn])


@given(runs)
def test_a_band_is_what_enough_bases_in_a_row_reach(drawn: list[tuple[int, int]]) -> None:
    bands = spread(drawn)
    n = len(bands)
    for at, band in enumerate(lowered(bands).tolist()):
        # The contig goes on without limit where it ends.
        around = [
            bands[max(0, first) : first + LEAST_RUN].min(initial=255)
            for first in range(at - LEAST_RUN + 1, at + 1)
        ]
        assert band == max(around)
        assert band <= bands[at]
    assert len(lowered(bands)) == n


@pytest.mark.parametrize(
    ("width", "some"),
    [(1, {0: 0, 1: 1, 99: 99}), (5, {0: 0, 1: 1, 5: 1, 6: 2, 99: 20}), (99, {0: 0, 1: 1, 99: 1})],
)
def test_bands(width: int, some: dict[int, int]) -> None:
    bands = GqBands(width)
    assert {gq: int(bands.band[gq]) for gq in some} == some
    assert bands.of_gq(np.array([-7, 120], np.int32)).tolist() == [0, some[99]]
    for gq, band in enumerate(bands.band.tolist()):
        assert gq <= bands.top[band] < gq + width


def rated_as(gq: NDArray[np.int32]) -> HomRefEvidence:
    """Return what is known of diploid bases of these GQ."""
    n = len(gq)
    nothing = np.zeros((2, n), np.int32)
    pl = np.stack([gq, gq + 30], axis=1).astype(np.int32)
    return HomRefEvidence(0, np.zeros(n, np.uint8), nothing, nothing, pl)


@given(runs, st.sampled_from([1, 2]), st.sampled_from([1, 5, 30]))
def test_no_base_is_said_to_be_surer_than_it_is(
    drawn: list[tuple[int, int]], ploidy: int, width: int
) -> None:
    gq = spread(drawn).astype(np.int32) * 5 - 10
    n = len(gq)
    rated = rated_as(gq)
    pl = rated.pl
    window = Region("a", 0, n)
    bands = GqBands(width)
    blocks = reference_blocks(window, rated, [(3, 9)], bands, np.full(n, ploidy, np.int8))
    own = np.clip(pl[:, 1] if ploidy == 1 else gq, 0, 99)
    said = np.full(n, -1)
    for block in blocks.tolist():
        said[block[START] : block[END]] = block[GQ]
        if block[START] > HEAD:
            # The band of a block is that of the lowest of its bases.
            assert bands.band[block[GQ]] == lowered(bands.of_gq(own))[block[START]]
    assert (said <= own).all()
    assert (said[3:9] == -1).all()
    assert (said >= 0).sum() == n - len(said[3:9])


def test_what_lies_between_near_candidates_is_as_sure_as_beside_them() -> None:
    gq = np.full(400, 40, np.int32)
    gq[[200, 210]] = -50
    gq[230:240] = 12  # of a candidate whose record is shorter
    window, diploid = Region("a", 0, 400), np.full(400, 2, np.int8)
    records, sites = [(200, 201), (210, 211), (230, 231)], [(200, 201), (210, 211), (230, 240)]
    blocks = reference_blocks(window, rated_as(gq), records, GqBands(5), diploid, sites)
    said = {row[START]: (row[END], row[GQ]) for row in blocks.tolist() if row[START] > HEAD}
    assert said[201] == (210, 40)
    assert said[211] == (230, 40)
    assert said[231] == (240, 12)
    assert said[240] == (400, 40)
    alone = reference_blocks(window, rated_as(gq), records, GqBands(5), diploid)
    assert {row[START]: row[GQ] for row in alone.tolist()}[201] == 0


def test_bases_beyond_a_window_are_looked_at_where_there_are_any() -> None:
    assert beyond(Region("a", 0, 100), 100) == (0, 100)
    assert beyond(Region("a", 500, 900), 5000) == (500 - LEAST_RUN, 900 + LEAST_RUN)
