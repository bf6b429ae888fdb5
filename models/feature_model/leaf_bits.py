"""The leaves of a tree as bits of one word, and the place of a leaf's value by its bit."""

import numpy as np

MOST_LEAVES = 32
"""Of one tree: a bit of a word each."""

DE_BRUIJN = np.uint32(0x077CB531)
"""The five highest bits of it times 2^k give k (Leiserson, Prokop, Randall 1998)."""

LEAF_KEYS = ((np.uint32(1) << np.arange(MOST_LEAVES, dtype=np.uint32)) * DE_BRUIJN) >> 27
"""Of each leaf, those five bits."""
