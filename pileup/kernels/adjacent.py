"""Whether the same reads show two neighbouring SNVs."""

from pileup.accelerate import kernel
from pileup.kernels.walk import first_overlapping, query_index


@kernel
def longest_span(read_start, read_end):
    """Return the longest reference span of the reads."""
    longest = 0
    for read in range(len(read_start)):
        longest = max(longest, read_end[read] - read_start[read])
    return longest


@kernel
def count_adjacent(
    read_start,
    read_end,
    base_offset,
    bases,
    qualities,
    cigar_offset,
    cigar_op,
    cigar_length,
    position,
    left_alt,
    right_alt,
    min_base_quality,
):
    """Count reads that cover `position` and the next base, by which of two SNVs they show.

    Returns
    -------
    Reads with both, with only the left, and with only the right one.
    """
    both = 0
    left_only = 0
    right_only = 0
    longest = longest_span(read_start, read_end)
    for read in range(first_overlapping(read_start, longest, position), len(read_start)):
        if read_start[read] > position:
            break
        if read_end[read] < position + 2:
            continue
        left = query_index(
            read, position, read_start, base_offset, cigar_offset, cigar_op, cigar_length
        )
        right = query_index(
            read, position + 1, read_start, base_offset, cigar_offset, cigar_op, cigar_length
        )
        if left < 0 or right < 0:
            continue
        if qualities[left] < min_base_quality or qualities[right] < min_base_quality:
            continue
        has_left = bases[left] == left_alt
        has_right = bases[right] == right_alt
        if has_left and has_right:
            both += 1
        elif has_left:
            left_only += 1
        elif has_right:
            right_only += 1
    return both, left_only, right_only
