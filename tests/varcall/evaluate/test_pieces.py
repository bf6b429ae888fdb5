"""The small parts: intervals, trimming, splitting, decomposing, typing, rates, tables, strata."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varcall.errors import InputError
from varcall.evaluate.happy.annotate import affected_span, confident_variants
from varcall.evaluate.happy.normalize_query import normalize_contig
from varcall.evaluate.happy.primitives import Change, composition, left_shift, split
from varcall.evaluate.happy.primitives import align as align_primitives
from varcall.evaluate.happy.score_kernels import sort_order, spaced
from varcall.evaluate.intervals import Intervals
from varcall.evaluate.metrics import calibration, wilson
from varcall.evaluate.strata import read_stratification
from varcall.evaluate.vcf_records import Record, parse_genotype
from varcall.evaluate.vcfeval.decompose import align, decompose_record
from varcall.evaluate.vcfeval.variants import Allele, Variant, is_snp, trim_variants

SEQUENCE = "GATTACAAAAACGTGTGTGTCCAGTTNNACGATCGGA"


def record(start: int, ref: str, alt: str, genotype: str = "0/1", info: str = ".") -> Record:
    fields = ("c", str(start + 1), ".", ref, alt, "30", "PASS", info, "GT:AD", f"{genotype}:5,6")
    return Record(start, ref, tuple(alt.split(",")), parse_genotype(genotype), fields)


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


def test_decomposing_splits_at_shared_bases() -> None:
    pieces = decompose_record(record(0, "GATTACA", "CATTACG", "0/1"))
    assert [(item.start, item.ref, item.alts[0]) for item in pieces] == [
        (0, "G", "C"),
        (6, "A", "G"),
    ]
    assert pieces[0].fields[9] == "0/1:5,6"
    assert pieces[0].fields[7] == "ORP=1;ORL=7"
    whole = record(0, "G", "A")
    assert decompose_record(whole) == [whole]


def test_types_of_records() -> None:
    assert is_snp(record(0, "A", "C"), use_all_alts=False)
    assert is_snp(record(0, "GA", "GC"), use_all_alts=False)
    assert not is_snp(record(0, "GA", "TC"), use_all_alts=False)
    assert not is_snp(record(0, "A", "C,*", "1/2"), use_all_alts=False)
    assert is_snp(record(0, "A", "C,AT", "0/1"), use_all_alts=False)
    assert not is_snp(record(0, "A", "C,AT", "0/1"), use_all_alts=True)


def test_trimming_frees_overlaps() -> None:
    first = Variant(0, {0: Allele(5, 8, "AAA"), 1: Allele(5, 8, "CAA")}, (0, 1))
    second = Variant(1, {0: Allele(7, 8, "A"), 1: Allele(7, 8, "G")}, (0, 1))
    trim_variants([first, second])
    assert (first.start, first.end) == (5, 6)
    assert 0 not in second.alleles


def test_intervals() -> None:
    intervals = Intervals.merged([(10, 20), (20, 30), (50, 60), (5, 8)])
    assert intervals.pairs() == [(5, 8), (10, 30), (50, 60)]
    assert intervals.overlap(29, 40)
    assert not intervals.overlap(30, 50)
    assert intervals.overlap(15, 15)
    assert not intervals.overlap(10, 10)
    assert not intervals.overlap(30, 30)
    assert intervals.contain(10, 30)
    assert not intervals.contain(8, 11)
    assert intervals.size() == 33
    assert intervals.intersected(Intervals.merged([(0, 11), (55, 99)])).pairs() == [
        (5, 8),
        (10, 11),
        (55, 60),
    ]


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


def test_wilson_intervals_hold_the_rate() -> None:
    for successes, total in ((0, 5), (5, 5), (990, 1000)):
        lower, upper = wilson(successes, total)
        assert 0 <= lower <= successes / total <= upper <= 1
    # Newcombe 1998 (Statistics in Medicine 17:857), 81 of 263 by the score method
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_calibration_bins() -> None:
    bins = calibration([(7, True), (8, False), (99, True)])
    assert [(item.low, item.total, item.correct) for item in bins] == [(5, 2, 1), (80, 1, 1)]
    assert bins[0].observed == pytest.approx(3.01, abs=0.01)
    assert math.isinf(bins[1].observed)


def test_stratification_file(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_text("c1\t0\t10\n")
    table = tmp_path / "strat.tsv"
    table.write_text("easy\ta.bed\n\n")
    assert read_stratification(table) == {"easy": {"c1": [(0, 10)]}}
    for text, words in (
        ("easy\n", "a tab"),
        ("easy\ta.bed\neasy\ta.bed\n", "taken"),
        ("easy\tb.bed\n", "not there"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=words):
            read_stratification(table)
