import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.feature_model.leaf_bits import MOST_LEAVES
from models.feature_model.trees import Trees

N_FEATURES = 4


def grown(rng: np.random.Generator, n_leaves: list[int], *, chain: bool = False) -> Trees:
    """Trees of so many leaves each, split at random places; as a chain, always the last one."""
    roots, split, threshold, child = [], [], [], []
    for n in n_leaves:
        roots.append(len(split))
        split.append(-1)
        threshold.append(rng.normal())
        child.append(0)
        for _ in range(n - 1):
            leaves = [i for i in range(roots[-1], len(split)) if split[i] < 0]
            node = leaves[-1] if chain else int(rng.choice(leaves))
            split[node] = int(rng.integers(N_FEATURES))
            threshold[node] = float(rng.integers(-2, 3))
            child[node] = len(split)
            for _ in range(2):
                split.append(-1)
                threshold.append(rng.normal())
                child.append(0)
    return Trees(
        np.array(roots, np.int32),
        np.array(split, np.int32),
        np.array(threshold, np.float32),
        np.array(child, np.int32),
    )


def walked(trees: Trees, row: np.ndarray) -> list[float]:
    """The plain way: one question, one tree, one node at a time."""
    scores = [0.0, 0.0, 0.0]
    for tree, node in enumerate(trees.roots):
        while trees.split[node] >= 0:
            goes_right = row[trees.split[node]] > trees.threshold[node]
            node = trees.child[node] + goes_right
        scores[tree % 3] += float(trees.threshold[node])
    return scores


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.lists(st.integers(1, MOST_LEAVES), min_size=3, max_size=3))
def test_a_question_reaches_the_leaf_it_would_walk_to(seed: int, n_leaves: list[int]) -> None:
    rng = np.random.default_rng(seed)
    trees = grown(rng, n_leaves)
    # Features on the thresholds, between them, beyond them and none at all.
    values = np.array([*np.arange(-3, 3.5, 0.5), np.inf, -np.inf, np.nan], np.float32)
    features = rng.choice(values, (int(rng.integers(0, 20)), N_FEATURES))
    expected = [walked(trees, row) for row in features]
    assert trees.scores(features).tolist() == expected


def test_the_deepest_tree_and_many_questions() -> None:
    rng = np.random.default_rng(1)
    trees = grown(rng, [MOST_LEAVES] * 3, chain=True)
    features = rng.normal(scale=3, size=(1000, N_FEATURES)).astype(np.float32)
    features[:5] = 9.0
    expected = [walked(trees, row) for row in features]
    assert trees.scores(features).tolist() == expected


def test_a_tree_of_too_many_leaves_is_refused() -> None:
    with pytest.raises(ModelError, match="more than 32 leaves"):
        grown(np.random.default_rng(1), [1, 1, MOST_LEAVES + 1])


def test_a_node_of_no_tree_is_refused() -> None:
    leaves = np.full(4, -1, np.int32)
    with pytest.raises(ModelError, match="belongs to none"):
        Trees(np.arange(3, dtype=np.int32), leaves, np.ones(4, np.float32), leaves * 0)


def test_tensors_there_and_back() -> None:
    rng = np.random.default_rng(2)
    trees = grown(rng, [5, 6, 7])
    back = Trees.from_tensors(trees.to_tensors(), N_FEATURES)
    features = rng.normal(size=(20, N_FEATURES)).astype(np.float32)
    assert np.array_equal(back.scores(features), trees.scores(features))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("triage.roots", lambda x: x[:0]),
        ("triage.roots", lambda x: x + 10**6),
        ("triage.roots", lambda x: x * 0),
        ("triage.split", lambda x: x + N_FEATURES),
        ("triage.split", lambda x: x.astype(np.float32)),
        ("triage.child", lambda x: x * 0),
        ("triage.child", lambda x: x + 10**6),
        ("triage.child", lambda x: np.minimum(x + 1, len(x) - 2)),
        ("triage.threshold", lambda x: x[:-1]),
    ],
)
def test_broken_trees_are_refused(name: str, change) -> None:
    tensors = grown(np.random.default_rng(3), [9, 9, 9]).to_tensors()
    with pytest.raises(ModelError):
        Trees.from_tensors(tensors | {name: change(tensors[name])}, N_FEATURES)
    del tensors[name]
    with pytest.raises(ModelError):
        Trees.from_tensors(tensors, N_FEATURES)
