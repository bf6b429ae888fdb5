"""Evaluate decision trees on many rows."""

import numpy as np

from models.feature_model.leaf_bits import DE_BRUIJN
from pileup.accelerate import kernel

_ROWS = 128
"""Rows that go through all trees together: their features and leaves stay in the caches."""

_LANES = 8
"""Rows of a vector: so many are counted even where fewer are left."""


@kernel
def add_trees(features, offset, split, threshold, gone, leaves, scores):
    """Add every tree's leaf to `scores` (float64 [n, classes]); tree t is of class t % classes.

    Parameters
    ----------
    features
        float32 [n, n_features].
    offset, split, threshold, gone, leaves
        Of `LeafMasks`.
    """
    n_rows, n_features = features.shape
    n_classes = scores.shape[1]
    columns = np.zeros((n_features, _ROWS), np.float32)
    lost = np.empty(_ROWS, np.uint32)
    for first in range(0, n_rows, _ROWS):
        n = min(_ROWS, n_rows - first)
        width = (n + _LANES - 1) // _LANES * _LANES
        for row in range(n):
            for feature in range(n_features):
                columns[feature, row] = features[first + row, feature]
        for tree in range(len(leaves)):
            lost[:width] = 0
            for node in range(offset[tree], offset[tree + 1]):
                # In local names, or the compiler loads them again for each row, one row at a time.
                column, limit, struck = columns[split[node]], threshold[node], gone[node]
                for row in range(width):
                    lost[row] |= struck if column[row] > limit else np.uint32(0)
            for row in range(n):
                # The lowest bit that is not lost.
                leaf = np.uint32(~lost[row] & (lost[row] + np.uint32(1)))
                key = np.uint32(leaf * DE_BRUIJN) >> np.uint32(27)
                scores[first + row, tree % n_classes] += leaves[tree, key]
