"""Twin of kernels.candidates.adjacent: whether the same reads show two neighbouring SNVs."""

from collections.abc import Sequence

from pileup.twins.alignment import Read


def count_adjacent(
    reads: Sequence[Read], position: int, left_alt: int, right_alt: int, min_base_quality: int
) -> tuple[int, int, int]:
    """Return how many reads show both SNVs, only the left and only the right one.

    Only reads with good bases at `position` and the next one count.
    """
    shown = []
    for read in reads:
        indices = [read.index_at(position), read.index_at(position + 1)]
        if min(indices) < 0 or any(read.qualities[at] < min_base_quality for at in indices):
            continue
        left, right = (read.bases[at] for at in indices)
        shown.append((left == left_alt, right == right_alt))
    return shown.count((True, True)), shown.count((True, False)), shown.count((False, True))
