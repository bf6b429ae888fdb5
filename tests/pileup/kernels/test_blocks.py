"""The kernels that phase sites equal their slow twins, and find haplotypes that were simulated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileup.kernels.phasing import blocks
from pileup.twins import blocks as twin
from tests.pileup.windows import repeatable, seeds
from varcall.output.phasing import FragmentVotes, Phased, phase_units


def random_votes(seed: int, *, n_sites: int = 12, error: float = 0.15) -> twin.Votes:
    """Fragments of two haplotypes over a few sites each; some of what they show is wrong."""
    random = np.random.default_rng(seed)
    truth = random.choice([-1, 1], n_sites)
    votes: twin.Votes = {}
    for fragment in range(int(random.integers(0, 40))):
        first, size = random.integers(0, n_sites), random.integers(1, 5)
        side = random.choice([-1, 1])
        seen = [site for site in range(first, min(first + size, n_sites)) if random.random() < 0.8]
        wrong = random.random(n_sites) < error
        weight = random.choice([0, 5, 10, 15, 30], n_sites)
        if seen:
            votes[fragment] = {
                int(site): int(side * truth[site] * weight[site] * (-1 if wrong[site] else 1))
                for site in seen
            }
    return votes


def as_arrays(votes: twin.Votes) -> FragmentVotes:
    rows = [
        (fragment, site, weight)
        for fragment, shown in votes.items()
        for site, weight in sorted(shown.items())
    ]
    fragment, unit, weight = np.array(rows, np.int64).reshape(-1, 3).T
    return FragmentVotes(fragment, unit, weight)


def test_one_error_and_no_error() -> None:
    """Three fragments agree on two sites; a fourth has one of them wrong."""
    votes = {0: {0: 30, 1: -30}, 1: {0: -30, 1: 30}, 2: {0: 30, 1: -30}}
    assert twin.phase_units(votes, 2) == [(1, 0), (-1, 0)]
    votes[3] = {0: 15, 1: 15}
    assert twin.phase_units(votes, 2) == [(1, 0), (-1, 0)]
    votes[4] = {0: 30, 1: 30}
    assert [block for _, block in twin.phase_units(votes, 2)] == [-1, -1]


@given(seeds, st.integers(2, 14), st.sampled_from([0.0, 0.1, 0.4]))
@settings(repeatable, max_examples=60)
def test_sites_are_phased_as_by_the_twin(seed: int, n_sites: int, error: float) -> None:
    votes = random_votes(seed, n_sites=n_sites, error=error)
    # What says nothing links nothing.
    heard = {
        fragment: own
        for fragment, shown in votes.items()
        if len(shown) > 1 and (own := {site: w for site, w in shown.items() if w})
    }
    side, block = phase_units(as_arrays(votes), n_sites)
    assert list(zip(side.tolist(), block.tolist(), strict=True)) == twin.phase_units(heard, n_sites)


def test_random_votes_make_blocks_and_doubts() -> None:
    """What the test above compares is not always nothing."""
    found = [phase_units(as_arrays(random_votes(seed)), 12) for seed in range(40)]
    names = np.concatenate([block for _, block in found])
    assert (names < 0).sum() > 50
    assert (names > 0).sum() > 50
    assert all(len({*block.tolist()}) > 1 for _, block in found[1:3])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 25))))
@repeatable
def test_fragments_are_numbered_by_name_and_reach(rows: list[tuple[int, int, int]]) -> None:
    votes = sorted((name, start, start + more) for name, start, more in rows)
    name, start, reach = np.array(votes, np.int64).reshape(-1, 3).T.copy()
    fragment = np.empty(len(votes), np.int64)
    blocks.number_fragments(name, start, reach, fragment)
    assert fragment.tolist() == twin.number_fragments(votes)


@pytest.mark.parametrize("depth", [8, 16])
def test_simulated_haplotypes_are_found(depth: int) -> None:
    """A long chain of sites, one vote in twenty wrong: hardly a site is on the wrong side."""
    random = np.random.default_rng(5)
    n_sites = 400
    truth = random.choice([-1, 1], n_sites)
    votes: twin.Votes = {}
    for fragment in range(depth * n_sites // 10):
        first, side = random.integers(0, n_sites - 10), random.choice([-1, 1])
        votes[fragment] = {
            int(site): int(side * truth[site] * 20 * (-1 if random.random() < 0.05 else 1))
            for site in range(first, first + 10)
        }
    side, block = phase_units(as_arrays(votes), n_sites)
    phased = block >= 0
    assert phased.mean() > 0.8
    right = side * truth
    wrong = 0
    for name in np.unique(block[phased]):
        own = (right[block == name] > 0).sum()
        wrong += min(own, (block == name).sum() - own)
    assert wrong <= (n_sites // 100 if depth == 8 else 0)


def test_votes_are_kept() -> None:
    """The kernel silences doubtful sites in a table of its own."""
    votes = as_arrays({0: {0: 30, 1: 30}, 1: {0: 30, 1: -30}})
    before = votes.weight.copy()
    assert isinstance(phase_units(votes, 2), Phased)
    assert votes.weight.tolist() == before.tolist()
