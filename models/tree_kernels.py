"""Walk decision trees over many rows."""

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
    for tree in range(len(roots)):
        label = tree % n_classes
        for row in range(len(features)):
            node = roots[tree]
            while split[node] >= 0:
                above = features[row, split[node]] > threshold[node]
                node = child[node] + (1 if above else 0)
            scores[row, label] += threshold[node]
