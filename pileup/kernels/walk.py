"""Find a reference position inside a read."""

from pileup.accelerate import kernel

# What `query_index` answers where the read has no base at the position.
DELETED = -1
OUTSIDE = -2


@kernel
def query_index(read, position, read_start, base_offset, cigar_offset, cigar_op, cigar_length):
    """Return where in `bases` the read's base at a contig position lies, or DELETED or OUTSIDE.

    A position in a skip (N) or beyond the alignment is OUTSIDE.
    """
    at = read_start[read]
    query = base_offset[read]
    for index in range(cigar_offset[read], cigar_offset[read + 1]):
        op = cigar_op[index]
        size = cigar_length[index]
        if op == 0 or op == 7 or op == 8:
            if position < at + size:
                return query + (position - at) if position >= at else OUTSIDE
            at += size
            query += size
        elif op == 2:
            if position < at + size:
                return DELETED if position >= at else OUTSIDE
            at += size
        elif op == 3:
            if position < at + size:
                return OUTSIDE
            at += size
        elif op == 1 or op == 4:
            query += size
    return OUTSIDE


@kernel
def first_overlapping(read_start, longest, position):
    """Return the first read that may overlap `position`, given the longest reference span."""
    low = 0
    high = len(read_start)
    target = position - longest
    while low < high:
        middle = (low + high) // 2
        if read_start[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low
