"""Boosted trees: as they are stored, and as they are evaluated.

They are not traversed. Each inner node knows the leaves that a question can no longer reach once it
goes right there; with those removed for all nodes, its leaf is the first that is left. So all
questions do the same thing at each node, many at a time (QuickScorer: Lucchese et al., SIGIR 2015).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.feature_model.leaf_bits import LEAF_KEYS, MOST_LEAVES

PREFIX = "triage."
"""Of the tensors' names in a weights file."""


class LeafMasks(NamedTuple):
    """The trees as masks of leaves, tree by tree.

    Attributes
    ----------
    offset
        int32 [trees + 1], where the inner nodes of each tree begin.
    split, threshold
        int32, float32 [inner nodes]; a question goes right where its feature `split` is above
        `threshold`.
    gone
        uint32 [inner nodes], the leaves that are then out of reach, the leftmost in bit 0.
    leaves
        float32 [trees, 32], the leaves' values in the order of `LEAF_KEYS`.
    """

    offset: NDArray[np.int32]
    split: NDArray[np.int32]
    threshold: NDArray[np.float32]
    gone: NDArray[np.uint32]
    leaves: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees of which every third is of the same class.

    Attributes
    ----------
    roots
        int32 [trees], first node of each tree; tree t is of class t % 3.
    split, threshold, child
        int32, float32, int32 [nodes]. A node goes to `child` where the feature `split` is at most
        `threshold`, to `child + 1` otherwise; at a leaf `split` is -1 and `threshold` its value.

    Raises
    ------
    ModelError
        Where the nodes make no trees.
    """

    roots: NDArray[np.int32]
    split: NDArray[np.int32]
    threshold: NDArray[np.float32]
    child: NDArray[np.int32]
    _masks: LeafMasks = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the nodes and work out their masks."""
        self._check()
        object.__setattr__(self, "_masks", self._leaf_masks())

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sums of the trees' leaves, float64 [n, 3], of features float32 [n, k]."""
        # Numba, and with it `pileup`, is only needed to answer.
        from models.feature_model.tree_kernels import add_trees

        scores = np.zeros((len(features), 3))
        add_trees(features, *self._masks, scores)
        return scores

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays under the names they have in a weights file."""
        return {PREFIX + name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[Any]], n_features: int) -> "Trees":
        """Read what `to_tensors` gave.

        Raises
        ------
        ModelError
            Where an array is missing, or the nodes make no trees of that many features.
        """
        try:
            arrays = {name: tensors[PREFIX + name] for name in _ARRAYS}
        except KeyError as error:
            raise ModelError(f"tensor {error} is missing.") from error
        for name, array in arrays.items():
            if array.ndim != 1 or array.dtype != _ARRAYS[name]:
                raise ModelError(f"tensor {PREFIX}{name} is {array.dtype} {list(array.shape)}.")
        trees = cls(**arrays)
        if (trees.split >= n_features).any():
            raise ModelError("a triage tree asks for a feature that there is not.")
        return trees

    def _check(self) -> None:
        """Refuse nodes that point outside, backwards (a walk must end) or where another does."""
        n = len(self.split)
        bad = len(self.threshold) != n or len(self.child) != n or len(self.roots) % 3
        if bad or not len(self.roots) or ((self.roots < 0) | (self.roots >= n)).any():
            raise ModelError("the triage trees have no roots.")
        inner = self.split >= 0
        children = self.child[inner]
        if not ((children > np.flatnonzero(inner)) & (children < n - 1)).all():
            raise ModelError("a triage tree points at a node that does not exist.")
        reached = np.concatenate([self.roots, children, children + 1])
        if (np.bincount(reached, minlength=n) != 1).any():
            raise ModelError("a node of the triage trees belongs to none of them, or to two.")

    def _leaf_masks(self) -> LeafMasks:
        is_inner, child = self.split >= 0, self.child
        # Inner nodes by depth; from below come how many leaves hang on a node, from above which.
        tree_of = np.zeros(len(child), np.int64)
        tree_of[self.roots] = np.arange(len(self.roots))
        levels = [self.roots[is_inner[self.roots]]]
        while len(levels[-1]):
            parents = levels[-1]
            below = np.concatenate([child[parents], child[parents] + 1])
            tree_of[below] = np.tile(tree_of[parents], 2)
            levels.append(below[is_inner[below]])
        n_leaves = np.ones(len(child), np.int64)
        for parents in reversed(levels):
            n_leaves[parents] = n_leaves[child[parents]] + n_leaves[child[parents] + 1]
        if n_leaves.max() > MOST_LEAVES:
            raise ModelError(f"a triage tree has more than {MOST_LEAVES} leaves.")
        first_leaf = np.zeros(len(child), np.int64)
        for parents in levels:
            left = child[parents]
            first_leaf[left] = first_leaf[parents]
            first_leaf[left + 1] = first_leaf[parents] + n_leaves[left]
        leaf = np.flatnonzero(~is_inner)
        leaves = np.zeros((len(self.roots), MOST_LEAVES), np.float32)
        leaves[tree_of[leaf], LEAF_KEYS[first_leaf[leaf]]] = self.threshold[leaf]
        inner = np.concatenate(levels)
        inner = inner[np.argsort(tree_of[inner], kind="stable")]
        left = child[inner]
        gone = ((1 << n_leaves[left]) - 1) << first_leaf[left]
        offset = np.searchsorted(tree_of[inner], np.arange(len(self.roots) + 1))
        return LeafMasks(
            offset.astype(np.int32),
            self.split[inner],
            self.threshold[inner],
            gone.astype(np.uint32),
            leaves,
        )


_ARRAYS = {
    "roots": np.dtype(np.int32),
    "split": np.dtype(np.int32),
    "threshold": np.dtype(np.float32),
    "child": np.dtype(np.int32),
}
