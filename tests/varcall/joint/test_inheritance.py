"""Refinement by inheritance, against the published formula summed cell by cell."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varcall.joint.inheritance import refined, violations
from varcall.joint.pedigree import Family
from varcall.joint.sites import SampleCall, Site

PLS = st.lists(st.integers(0, 120), min_size=3, max_size=3).map(
    lambda pl: tuple(value - min(pl) for value in pl)
)
TRIO = Family(0, 1, (2,))


def site(*pls: tuple[int, ...] | None, alleles: tuple[str, ...] = ("A", "G")) -> Site:
    calls = tuple(SampleCall() if pl is None else SampleCall((0, 0), pl=pl) for pl in pls)
    return Site("1", 9, alleles, True, calls)


def n_violations(father: int, mother: int, child: int) -> int:
    """Mendelian violations of a biallelic trio, by copies of ALT (GATK: FamilyLikelihoods)."""
    gives = ({0}, {0, 1}, {1})
    split = {0: [(0, 0)], 1: [(0, 1), (1, 0)], 2: [(1, 1)]}[child]
    return min((a not in gives[father]) + (b not in gives[mother]) for a, b in split)


def test_violations_of_two_alleles():
    table = violations(2)
    for cell in product(range(3), repeat=3):
        assert table[cell] == n_violations(*cell), cell
    assert table[0, 0, 2] == 2
    assert table[0, 0, 1] == 1
    assert table[2, 2, 0] == 2


def test_violations_of_three_alleles():
    # 00 01 11 02 12 22
    table = violations(3)
    assert table[1, 3, 4] == 0  # 0/1 and 0/2 give 1/2
    assert table[1, 1, 4] == 1
    assert table[0, 0, 4] == 2
    assert table[2, 5, 2] == 1


@given(PLS, PLS, PLS)
def test_a_trio_has_the_posterior_of_the_formula(father, mother, child):
    prior = 1e-3
    weight = {0: 1 - 10 * prior - prior**2, 1: prior, 2: prior**2}
    cells = {
        (f, m, c): weight[n_violations(f, m, c)] * 10 ** (-(father[f] + mother[m] + child[c]) / 10)
        for f, m, c in product(range(3), repeat=3)
    }
    total = sum(cells.values())
    calls = refined(site(father, mother, child), [TRIO], prior).calls
    for who, call in enumerate(calls):
        marginal = np.array(
            [sum(p for key, p in cells.items() if key[who] == g) / total for g in range(3)]
        )
        phred = -10 * np.log10(marginal / marginal.max())
        np.testing.assert_allclose(call.pp, phred, atol=0.51)
        assert marginal[sorted_genotype(call)] == pytest.approx(marginal.max())
    new = sum(p for key, p in cells.items() if n_violations(*key)) / total
    assert calls[2].de_novo == pytest.approx(new, rel=1e-6)


def sorted_genotype(call: SampleCall) -> int:
    return sum(allele or 0 for allele in call.gt)


def test_a_second_child_speaks_for_its_parents():
    doubtful, het = (0, 10, 80), (99, 0, 99)
    family = Family(0, 1, (2, 3))
    one = refined(site(doubtful, (0, 90, 300), het), [TRIO], 1e-6).calls[0]
    two = refined(site(doubtful, (0, 90, 300), het, het), [family], 1e-6).calls[0]
    assert one.gt == two.gt == (0, 1)
    assert two.pp[0] == one.pp[0] + 30
    # A child without the allele does not speak against a heterozygous father.
    other = refined(site(doubtful, (0, 90, 300), het, (0, 60, 300)), [family], 1e-6).calls[0]
    assert other.gt == (0, 1)


def test_a_parent_who_is_not_known_says_nothing():
    calls = refined(site((0, 60, 300), (5, 0, 99)), [Family(None, 0, (1,))], 1e-6).calls
    assert calls[1].de_novo is None
    # 0/1 with any genotype of the other parent; 1/1 with two that can give ALT, of one who has it.
    assert calls[1].pp[2] == 99 + 60 - 3
    assert not calls[1].is_phased


def test_grandparents_go_on():
    pls = ((0, 90, 300), (60, 0, 60), (0, 3, 60), (0, 90, 300), (99, 0, 99))
    older, younger = Family(0, 1, (2,)), Family(2, 3, (4,))
    calls = refined(site(*pls), [older, younger], 1e-6).calls
    assert calls[2].gt == (1, 0) or calls[2].gt == (0, 1)
    assert calls[2].is_phased


def test_a_haploid_member_leaves_the_family_alone():
    before = site((0, 90, 300), (0, 90, 300), (99, 0, 99))
    calls = list(before.calls)
    calls[0] = SampleCall((0,), pl=(0, 90))
    haploid = Site("1", 9, ("A", "G"), True, tuple(calls))
    assert refined(haploid, [TRIO], 1e-6).calls[2].pp is None


def test_what_was_not_called_is_called_where_the_family_says_what_it_is():
    doubtful = (0, 5, 40)
    for father, gt in (((200, 60, 0), (1, 0)), ((0, 10, 90), (None, None)), ((0, 90, 300), (0, 0))):
        before = site(father, (0, 90, 300), doubtful)
        calls = (*before.calls[:2], SampleCall((None, None), pl=doubtful))
        after = refined(Site("1", 9, ("A", "G"), True, calls), [TRIO], 1e-6)
        assert after.calls[2].gt == gt
