import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varcall.genotyping.genotype import (
    GenotypeOptions,
    SiteEvidence,
    call_all_genotypes,
    call_genotypes,
    genotypes,
    site_record,
)

NO_PAIRS = np.empty((0, 3))


def answers_of(genotype: tuple[int, ...], n_alts: int, sure: float = 1 - 1e-6):
    """The answers of a model that sees `genotype` and gives each right answer `sure`."""

    def row(copies: int) -> list[float]:
        return [sure if option == copies else (1 - sure) / 2 for option in range(3)]

    per_copy = 2 // len(genotype)
    singles = [row(per_copy * genotype.count(alt)) for alt in range(1, n_alts + 1)]
    pairs = [
        row(per_copy * (genotype.count(i + 1) + genotype.count(j + 1)))
        for i, j in combinations(range(n_alts), 2)
    ]
    return np.array(singles), np.array(pairs).reshape(-1, 3)


@st.composite
def answers(draw: st.DrawFn, max_alts: int = 4):
    n_alts = draw(st.integers(1, max_alts))
    n_rows = n_alts + n_alts * (n_alts - 1) // 2
    logits = draw(
        st.lists(
            st.lists(st.floats(-40, 40), min_size=3, max_size=3), min_size=n_rows, max_size=n_rows
        )
    )
    raw = np.exp(np.array(logits) - np.max(logits, axis=1, keepdims=True))
    rows = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows[:n_alts], rows[n_alts:]


def call_genotype(singles, pairs, *, ploidy=2):
    together = np.concatenate([singles, pairs])
    return call_genotypes(together[None], len(singles), ploidy=ploidy)[0]


def record_of(evidence, singles, pairs, *, ploidy=2, **options):
    call = call_genotype(singles, pairs, ploidy=ploidy)
    return site_record(evidence, call, GenotypeOptions(**options))


def test_genotypes_are_in_vcf_order():
    assert genotypes(3, 2) == ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))
    assert genotypes(3, 1) == ((0,), (1,), (2,))


@given(answers(), st.sampled_from([1, 2]))
def test_posterior_is_a_distribution_and_pl_is_zero_at_the_call(answers, ploidy):
    singles, pairs = answers
    call = call_genotype(singles, pairs, ploidy=ploidy)
    every = genotypes(len(singles) + 1, ploidy)
    assert len(call.gl) == len(call.pl) == len(every)
    assert math.isclose(sum(10**log for log in call.gl), 1.0, rel_tol=1e-9)
    assert min(call.pl) == call.pl[every.index(call.alleles)] == 0
    assert max(call.pl) <= 999
    assert 0 <= call.gq <= 99
    assert 0 <= call.qual <= 999
    for pl, log in zip(call.pl, call.gl, strict=True):
        assert pl == 999 or abs(pl + 10 * (log - max(call.gl))) <= 0.5 + 1e-6


@given(answers(max_alts=1))
def test_one_alt_is_the_models_answer_itself(answers):
    singles, _ = answers
    call = call_genotype(singles, NO_PAIRS)
    floored = np.maximum(singles[0].astype(float), 1e-30)
    expected = np.log10(floored / floored.sum())
    assert np.allclose(call.gl, expected, atol=2e-3)


@pytest.mark.parametrize("n_alts", [1, 2, 3, 4])
@pytest.mark.parametrize("ploidy", [1, 2])
def test_sure_answers_give_their_genotype(n_alts, ploidy):
    for genotype in genotypes(n_alts + 1, ploidy):
        call = call_genotype(*answers_of(genotype, n_alts), ploidy=ploidy)
        assert call.alleles == genotype
        # every other genotype contradicts answers worth at least one question
        assert call.gq >= 50
        assert sorted(call.pl)[1] >= 55


def test_exact_numbers_of_a_certain_het():
    call = call_genotype(np.array([[1e-5, 1 - 2e-5, 1e-5]]), NO_PAIRS)
    assert call.alleles == (0, 1)
    assert call.pl == (50, 0, 50)
    assert call.gq == 47  # -10 log10(2e-5)
    assert call.qual == 50.0


def test_pl_does_not_saturate():
    call = call_genotype(np.array([[1e-28, 1e-22, 1.0]]), NO_PAIRS)
    assert call.pl == (280, 220, 0)
    assert (call.gq, call.qual) == (99, 280.0)


@given(answers())
@settings(max_examples=40)
def test_order_of_the_alts_does_not_matter(answers):
    singles, pairs = answers
    n_alts = len(singles)
    call = call_genotype(singles, pairs)
    every = genotypes(n_alts + 1, 2)
    order = list(combinations(range(n_alts), 2))
    for shuffled in list(permutations(range(n_alts)))[:8]:
        new_singles = singles[list(shuffled)]
        new_pairs = pairs[
            [order.index(tuple(sorted((shuffled[i], shuffled[j])))) for i, j in order]
        ]
        other = call_genotype(new_singles, new_pairs)
        assert (other.gq, other.qual) == (call.gq, call.qual)
        names = (0, *(alt + 1 for alt in shuffled))  # new allele number -> old one
        for genotype, pl in zip(every, other.pl, strict=True):
            old = tuple(sorted(names[allele] for allele in genotype))
            assert pl == call.pl[every.index(old)]


@given(st.lists(answers(), min_size=1, max_size=5), st.sampled_from([1, 2]))
@settings(max_examples=40)
def test_sites_called_together_are_called_as_each_alone(sites, ploidy):
    n_alts = [len(singles) for singles, _ in sites]
    n_questions = [len(singles) + len(pairs) for singles, pairs in sites]
    first = np.cumsum([0, *n_questions[:-1]])
    together = np.concatenate([rows for site in sites for rows in site])
    calls = call_all_genotypes(together, first, np.array(n_alts), ploidy=ploidy)
    assert calls == [call_genotype(*site, ploidy=ploidy) for site in sites]


def test_ties_go_to_the_lower_allele():
    even = np.full((1, 3), 1 / 3)
    assert call_genotype(even, NO_PAIRS).alleles == (0, 0)
    # One ALT is there, and which of the two is not known.
    half = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    assert call_genotype(half, np.array([[0.0, 1.0, 0.0]])).alleles == (0, 1)


@given(answers(), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_noise_in_the_last_bit_of_a_tie_changes_nothing(answers, seed):
    singles, pairs = answers
    even = np.full_like(singles, 1 / 3)
    noise = np.random.default_rng(seed).uniform(-1e-7, 1e-7, even.shape)
    even_pairs = np.full_like(pairs, 1 / 3)
    assert call_genotype(even + noise, even_pairs) == call_genotype(even, even_pairs)


def site(*alts: str, ref: str = "A", dp: int = 30, start: int = 99) -> SiteEvidence:
    counts = tuple(range(10, 10 + len(alts) + 1))
    return SiteEvidence("chr1", start, ref, alts, dp, counts, counts, tuple(0 for _ in counts))


def test_unused_alts_are_dropped_and_the_rest_trimmed():
    evidence = site("GCA", "TCACACA", "G", ref="GCACA")
    record = record_of(evidence, *answers_of((0, 1), 3))
    # GCACA>GCA alone is trimmed on the right
    assert (record.start, record.ref, record.alts) == (99, "GCA", ("G",))
    assert record.gt == (0, 1)
    assert record.ad == (10, 11)
    assert len(record.pl) == 3
    assert record.pl[1] == 0
    assert record.vaf == (11 / 30,)


def test_trimming_may_move_the_start_to_the_right():
    evidence = site("A", "ACGG", ref="ACGT")
    record = record_of(evidence, *answers_of((2, 2), 2))
    assert (record.start, record.ref, record.alts, record.gt) == (102, "T", ("G",), (1, 1))


def test_two_called_alts_are_renumbered():
    record = record_of(site("C", "G", "T"), *answers_of((2, 3), 3))
    assert (record.alts, record.gt) == (("G", "T"), (1, 2))
    assert record.ad == (10, 12, 13)
    assert len(record.pl) == 6
    assert record.pl[4] == 0


def test_hom_ref_keeps_the_likeliest_alt():
    singles, pairs = answers_of((0, 0), 2)
    singles[1] = [0.9, 0.1, 0.0]
    record = record_of(site("C", "G"), singles, pairs, min_hom_ref_gq=0)
    assert (record.alts, record.gt, record.filter) == (("G",), (0, 0), "RefCall")
    assert record.pl[0] == 0


def test_gq_remembers_the_dropped_alts():
    """The likelihoods left say nothing of ALT 2, but it may be what is there."""
    singles, pairs = answers_of((0, 1), 2)
    singles[1], pairs[0] = [0.8, 0.2, 0.0], [0.0, 0.8, 0.2]
    record = record_of(site("C", "G"), singles, pairs)
    assert record.gt == (0, 1)
    assert record.gq < 10 < sorted(record.pl)[1]


@pytest.mark.parametrize(
    ("row", "dp", "gt", "status"),
    [
        ([0.0, 1.0, 0.0], 30, (0, 1), "PASS"),
        ([0.45, 0.55, 0.0], 30, (0, 1), "LowQual"),
        ([1.0, 0.0, 0.0], 30, (0, 0), "RefCall"),
        ([0.9, 0.1, 0.0], 30, (None, None), "NoCall"),
        ([1.0, 0.0, 0.0], 0, (None, None), "NoCall"),
    ],
)
def test_filters(row, dp, gt, status):
    record = record_of(site("C", dp=dp), np.array([row]), NO_PAIRS, min_qual=5.0)
    assert (record.gt, record.filter) == (gt, status)


def test_haploid():
    record = record_of(site("C"), np.array([[1e-6, 0.9, 0.1]]), NO_PAIRS, ploidy=1)
    assert record.gt == (1,)
    assert record.pl == (50, 0)
    none = record_of(site("C"), np.array([[0.5, 0.0, 0.5]]), NO_PAIRS, ploidy=1)
    assert none.gt == (None,)
