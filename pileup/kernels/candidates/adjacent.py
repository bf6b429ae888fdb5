"""Whether the same reads show two neighbouring SNVs."""

from pileup.accelerate import kernel
from pileup.kernels.reads.walk import first_overlapping, longest_span, query_index


@kernel
def count_adjacent(reads, position, left_alt, right_alt, min_base_quality):
    """Count reads that cover `position` and the next base, by which of two SNVs they show.

    Parameters
    ----------
    left_alt, right_alt
        Codes of the two SNVs' bases, at `position` and at the next one.

    Returns
    -------
    Reads with both, with only the left, and with only the right one.
    """
    both = 0
    left_only = 0
    right_only = 0
    first = first_overlapping(reads, longest_span(reads), position)
    for read in range(first, len(reads.read_start)):
        if reads.read_start[read] > position:
            break
        if reads.read_end[read] < position + 2:
            continue
        left = query_index(read, position, reads)
        right = query_index(read, position + 1, reads)
        if left < 0 or right < 0:
            continue
        if min(reads.qualities[left], reads.qualities[right]) < min_base_quality:
            continue
        has_left = reads.bases[left] == left_alt
        has_right = reads.bases[right] == right_alt
        if has_left and has_right:
            both += 1
        elif has_left:
            left_only += 1
        elif has_right:
            right_only += 1
    return both, left_only, right_only
