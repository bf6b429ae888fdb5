"""Bases that are spelled `=` in SEQ: "identical to the reference base" (SAM specification, 1.4).

`samtools calmd -e` writes them. Only a base that is aligned to one of the reference has one to be
identical to: in insertions and soft clips, and past the end of the contig, `=` is N.
"""

import numpy as np

from pileup.arrays import EQUAL, ReadArrays
from varcall.inputs.reference import OTHER, Reference

# By BAM code of the operations MIDNSHP=X and those of no meaning: whether they take bases of the
# read, and of the reference (SAM specification, 1.4).
_TAKES_READ = np.array([1, 1, 0, 0, 1, 0, 0, 1, 1] + 7 * [0], np.int64)
_TAKES_REFERENCE = np.array([1, 0, 1, 1, 0, 0, 0, 1, 1] + 7 * [0], np.int64)


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
    reads.bases[places] = np.where(is_aligned, codes, OTHER).astype(np.uint8)
