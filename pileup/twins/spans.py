"""Twin of kernels.spans: the order of keys."""

from collections.abc import Sequence


def order_of(keys: Sequence[int]) -> list[int]:
    """Return the indices that sort `keys`, equal ones in their order."""
    return sorted(range(len(keys)), key=lambda index: keys[index])
