"""The parts of hap.py's preparation: splitting, shifting, joining, spans, order of scores."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.varcall.scoring.conftest import record
from varcall.scoring.happy.annotate import affected_span, confident_variants
from varcall.scoring.happy.normalize_query import normalize_contig
from varcall.scoring.happy.primitives import Change, composition, left_shift, split
from varcall.scoring.happy.primitives import align as align_primitives
from varcall.scoring.happy.score_kernels import sort_order, spaced
from varcall.scoring.intervals import Intervals
from varcall.scoring.vcfeval.decompose import align

SEQUENCE = "GATTACAAAAACGTGTGTGTCCAGTTNNACGATCGGA"


def applied(sequence: str, changes: list[Change]) -> str:
    for change in sorted(changes, key=lambda item: (item.start, item.end), reverse=True):
        sequence = sequence[: change.start] + change.alt + sequence[change.end :]
    return sequence


alleles = st.builds(
    lambda start, length, alt: Change(start, start + length, alt),
    st.integers(0, 20),
    st.integers(0, 6),
    st.text("ACGT", max_size=7),
)


@settings(max_examples=100)
@given(alleles)
def test_splitting_and_shifting_keep_the_haplotype(change: Change) -> None:
    whole = applied(SEQUENCE, [change])
    assert applied(SEQUENCE, split(SEQUENCE, change)) == whole
    assert applied(SEQUENCE, [left_shift(SEQUENCE, change, 0)]) == whole


@settings(max_examples=100)
@given(st.text("ACGT", min_size=1, max_size=8), st.text("ACGT", min_size=1, max_size=8))
def test_alignments_use_all_bases(ref: str, alt: str) -> None:
    for operations in (align(ref, alt), align_primitives(ref, alt)):
        pairs = sum(operations.count(name) for name in "=XM")
        assert pairs + operations.count("D") == len(ref)
        assert pairs + operations.count("I") == len(alt)


def test_left_shift_moves_to_the_start_of_a_run_but_not_over_n() -> None:
    assert left_shift(SEQUENCE, Change(9, 11, "A"), 0) == Change(5, 7, "C")
    assert left_shift(SEQUENCE, Change(9, 11, "A"), 8).start == 8
    shifted = left_shift("ACNAAAAT", Change(5, 7, "A"), 0)
    assert shifted.start >= 2


def test_composition_counts_bases_by_kind() -> None:
    assert composition(SEQUENCE, Change(0, 1, "A")).transitions == 1
    assert composition(SEQUENCE, Change(0, 1, "C")).transversions == 1
    assert composition(SEQUENCE, Change(1, 2, "AGG")).inserted == 2
    assert composition(SEQUENCE, Change(1, 4, "A")).deleted == 2


def test_normalised_query_has_primitives_and_full_genotypes() -> None:
    mnp = record(0, "GAT", "CAG", "1")
    found = normalize_contig(SEQUENCE, "c", [mnp], double_haploid=False)
    assert [(item.start, item.ref, item.alts) for item in found] == [
        (0, "G", ("C",)),
        (2, "T", ("G",)),
    ]
    assert all(sorted(item.genotype or ()) == [0, 1] for item in found)
    expanded = normalize_contig(SEQUENCE, "c", [mnp], double_haploid=True)
    assert all(item.genotype == (1, 1) for item in expanded)


def test_two_het_calls_at_one_place_become_one() -> None:
    found = normalize_contig(
        SEQUENCE, "c", [record(0, "G", "A"), record(0, "G", "C")], double_haploid=False
    )
    assert len(found) == 1
    assert sorted(found[0].genotype or ()) == [1, 2]
    twice = normalize_contig(
        SEQUENCE, "c", [record(0, "G", "A"), record(0, "G", "A")], double_haploid=False
    )
    assert [item.genotype for item in twice] == [(1, 1)]


def test_symbolic_alleles_are_left_out_and_deletions_spelled() -> None:
    assert normalize_contig(SEQUENCE, "c", [record(0, "G", "<INS>")], double_haploid=False) == []
    deletion = record(3, "T", "<DEL>", info="END=8")
    found = normalize_contig(SEQUENCE, "c", [deletion], double_haploid=False)
    assert len(found) == 1
    assert len(found[0].ref) - len(found[0].alts[0]) == 5


def test_the_span_of_an_insertion_is_its_two_neighbours() -> None:
    assert affected_span(SEQUENCE, 3, "T", ["TGG"]) == (3, 5, True)
    assert affected_span(SEQUENCE, 3, "TA", ["T"]) == (4, 5, False)
    spans = confident_variants(
        [(3, "T", ["TGG"]), (30, "G", ["A"])], SEQUENCE, Intervals.merged([(0, 10)])
    )
    assert spans == [(3, 5)]


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), max_size=200))
def test_scores_are_sorted_and_spaced(values: list[int]) -> None:
    scores = np.array(values, np.float64)
    order = np.arange(len(values))
    sort_order(scores, order)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert (np.diff(scores[order]) >= 0).all()
    levels = scores[order][spaced(scores[order], 0.5)]
    assert levels.tolist() == sorted(set(values))
