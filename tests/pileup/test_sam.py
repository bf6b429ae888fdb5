"""The numbers of the SAM specification are those that pysam, and so htslib, has for their names."""

import pysam
import pytest

from pileup import sam

OPERATIONS = [name for name in vars(sam) if name[0] == "C" and hasattr(pysam, name)]
FLAGS = [name for name in vars(sam) if name[0] == "F"]


@pytest.mark.parametrize("name", OPERATIONS + FLAGS)
def test_numbers_are_those_of_pysam(name: str) -> None:
    """An operation or a flag has pysam's number."""
    assert getattr(sam, name) == getattr(pysam, name)


def test_all_operations_and_flags_are_named() -> None:
    """There is a name for each of the nine operations and the twelve flags."""
    assert [getattr(sam, name) for name in OPERATIONS] == list(range(len(sam.CIGAR_LETTERS)))
    assert sorted(getattr(sam, name) for name in FLAGS) == [1 << bit for bit in range(12)]


@pytest.mark.parametrize("operation", range(len(sam.CIGAR_LETTERS)))
def test_operations_consume_what_pysam_says(operation: int) -> None:
    """An operation takes bases of the read and of the reference as in pysam."""
    read = pysam.AlignedSegment()
    read.reference_start = 0
    read.cigartuples = [(sam.CDIFF, 1), (operation, 3)]
    assert read.cigarstring == f"1X3{sam.CIGAR_LETTERS[operation]}"
    assert read.infer_query_length() == 1 + 3 * (operation in sam.CONSUMES_QUERY)
    assert read.reference_length == 1 + 3 * (operation in sam.CONSUMES_REFERENCE)
    assert (operation in sam.ALIGNS) == (sam.CIGAR_LETTERS[operation] in "M=X")
