"""Walk decision trees over many rows."""

import numpy as np

from pileup.accelerate import kernel


@kernel
def add_trees(features, roots, split, threshold, child, scores):
    """Add every tree's leaf to `scores` (float64 [n, classes]); tree t speaks for t % classes.

    Parameters
    ----------
    features
        float32 [n, n_features].
    roots
        int32 [trees], first node of each tree.
    split, threshold, child
        int32, float32, int32 [nodes]. A node goes to `child` where the feature `split` is at most
        `threshold`, to `child + 1` otherwise; at a leaf `split` is -1 and `threshold` its value.
    """
    n_classes = scores.shape[1]
    nodes = np.empty(len(features), np.int32)
    for tree in range(len(roots)):
        nodes[:] = roots[tree]
        walking = True
        # All rows go down one level, then the next: their steps wait for memory side by side.
        while walking:
            walking = False
            for row in range(len(features)):
                node = nodes[row]
                feature = split[node]
                is_inner = feature >= 0
                above = features[row, feature if is_inner else 0] > threshold[node]
                nodes[row] = child[node] + above if is_inner else node
                walking |= is_inner
        for row in range(len(features)):
            scores[row, tree % n_classes] += threshold[nodes[row]]
