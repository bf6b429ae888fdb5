"""Bases that are spelled `=` in SEQ: "identical to the reference base" (SAM specification, 1.4).

`samtools calmd -e` writes them. Only a base that is aligned to one of the reference has one to be
identical to: in insertions and soft clips, and past the end of the contig, `=` is N.
"""

import numpy as np

from pileup.arrays import ReadArrays
from pileup.codes import EQUAL, UNKNOWN_BASE
from pileup.sam import CIGAR_MASK, CONSUMES_QUERY, CONSUMES_REFERENCE
from varcall.inputs.reference import Reference

_TAKES_READ = np.isin(np.arange(CIGAR_MASK + 1), CONSUMES_QUERY)
_TAKES_REFERENCE = np.isin(np.arange(CIGAR_MASK + 1), CONSUMES_REFERENCE)


def spell_equal_bases(reads: ReadArrays, contig: str, reference: Reference) -> None:
    """Put the base of the reference where `reads.bases` is EQUAL; reads as long as their CIGAR."""
    places = np.flatnonzero(reads.bases == EQUAL)
    from_read = _TAKES_READ[reads.cigar_op] * reads.cigar_length
    from_reference = _TAKES_REFERENCE[reads.cigar_op] * reads.cigar_length
    first_base = np.cumsum(from_read) - from_read
    passed = np.append(0, np.cumsum(from_reference))
    # Of operations that begin at one base, only the last takes bases of the read.
    operation = np.searchsorted(first_base, places, side="right") - 1
    read = np.searchsorted(reads.cigar_offset, operation, side="right") - 1
    before = passed[operation] - passed[reads.cigar_offset[read]]
    position = reads.read_start[read] + before + places - first_base[operation]
    low, high = int(position.min()), int(position.max()) + 1
    codes = reference.fetch(contig, low, high)[position - low]
    is_aligned = from_reference[operation] > 0
    reads.bases[places] = np.where(is_aligned, codes, UNKNOWN_BASE).astype(np.uint8)
