"""Find a reference position inside a read."""

from pileup.accelerate import kernel
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP

# What `query_index` answers where the read has no base at the position.
DELETED = -1
OUTSIDE = -2


@kernel
def query_index(read, position, reads):
    """Return where in `bases` the read's base at a contig position lies, or DELETED or OUTSIDE.

    A position in a skip (N) or beyond the alignment is OUTSIDE.
    """
    at = reads.read_start[read]
    query = reads.base_offset[read]
    for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
        op = reads.cigar_op[index]
        size = reads.cigar_length[index]
        if op == CMATCH or op == CEQUAL or op == CDIFF:
            if position < at + size:
                return query + (position - at) if position >= at else OUTSIDE
            at += size
            query += size
        elif op == CDEL:
            if position < at + size:
                return DELETED if position >= at else OUTSIDE
            at += size
        elif op == CREF_SKIP:
            if position < at + size:
                return OUTSIDE
            at += size
        elif op == CINS or op == CSOFT_CLIP:
            query += size
    return OUTSIDE


@kernel
def first_base_from(read, position, reads):
    """Return (index into `bases`, contig position) of a read's first base at or after `position`.

    The read must reach across `position` without a skip; else the index is OUTSIDE.
    """
    query = query_index(read, position, reads)
    while query == DELETED:
        position += 1
        query = query_index(read, position, reads)
    return query, position


@kernel
def count_fragments(reads):
    """Return how many fragments the reads are of: 1 and the highest of their numbers."""
    fragments = 0
    for read in range(len(reads.fragment)):
        fragments = max(fragments, reads.fragment[read] + 1)
    return fragments


@kernel
def longest_span(reads):
    """Return the longest reference span of the reads."""
    longest = 0
    for read in range(len(reads.read_start)):
        longest = max(longest, reads.read_end[read] - reads.read_start[read])
    return longest


@kernel
def first_overlapping(reads, longest, position):
    """Return the first read that may overlap `position`, given their `longest_span`."""
    low = 0
    high = len(reads.read_start)
    target = position - longest
    while low < high:
        middle = (low + high) // 2
        if reads.read_start[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low
