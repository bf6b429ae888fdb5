"""Records as vcfeval takes them: decomposed, typed, trimmed."""

from tests.varcall.scoring.conftest import record
from varcall.scoring.vcfeval.decompose import decompose_record
from varcall.scoring.vcfeval.variants import Allele, Shape, Variant, is_snp, trim_variants


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
