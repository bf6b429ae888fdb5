"""Records as vcfeval takes them: decomposed, typed, trimmed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.varcall.scoring.conftest import record
from varcall.scoring.vcfeval.decompose import decompose_record
from varcall.scoring.vcfeval.variants import (
    Allele,
    Shape,
    Variant,
    is_snp,
    trim_near,
    trim_variants,
)


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
    first = Variant(0, 5, Shape({0: Allele(0, 3, "AAA"), 1: Allele(0, 3, "CAA")}, (0, 1)))
    second = Variant(1, 7, Shape({0: Allele(0, 1, "A"), 1: Allele(0, 1, "G")}, (0, 1)))
    trim_variants([first, second])
    assert (first.start, first.end) == (5, 6)
    assert 0 not in second.shape.alleles


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["A", "AC", "ACA", "ACACACAC"]))))
def test_variants_are_trimmed_as_if_no_other_lay_far_away(places: list[tuple[int, str]]) -> None:
    variants = []
    for index, (position, ref) in enumerate(sorted(places)):
        alt = ref + "AC" if index % 2 else "G" + ref[1:]
        alleles = {0: Allele(0, len(ref), ref), 1: Allele(0, len(ref), alt)}
        variants.append(Variant(index, position, Shape(alleles, (0, 1))))
    together = [replace(variant) for variant in variants]
    trim_variants(variants)
    trim_near(together)
    assert [item.shape for item in variants] == [item.shape for item in together]
