"""What is hidden in an ablation is hidden, and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.runs import hidden
from models.prompt import (
    CONTEXT_COLUMNS,
    FEATURES_TOKEN,
    IMAGE_TOKEN,
    PAD_TOKEN,
    PROMPT_LENGTH,
    TEXT_LENGTH,
    UNKNOWN_TOKEN,
)
from models.training.batch import Batch
from pileup.spec import HEADER_ROWS, HEIGHT, PANELS, READ_ROWS, WIDTH, panel_top
from varcall.evidence.features import FEATURE_TABLE, FEATURES, LIBRARY_FEATURES


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(3)
    tokens = np.full((2, PROMPT_LENGTH), UNKNOWN_TOKEN + 1, np.int32)
    tokens[:, TEXT_LENGTH : TEXT_LENGTH + 2] = FEATURES_TOKEN, IMAGE_TOKEN
    return Batch(
        images=rng.integers(1, 256, (2, HEIGHT, WIDTH, 3), np.uint8),
        tokens=tokens,
        features=rng.uniform(1, 2, (2, len(FEATURES))).astype(np.float32),
        likelihoods=rng.uniform(-9, 0, (2, 3)).astype(np.float32),
        task=np.zeros(2, np.int64),
        labels=np.array([0, 1]),
        weights=np.ones(2, np.float32),
    )


def _differences(before: Batch, after: Batch) -> set[str]:
    return {
        name
        for name in Batch.__slots__
        if not np.array_equal(getattr(before, name), getattr(after, name))
    }


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (hidden.nothing, set()),
        (hidden.channel(1, 2), {"images"}),
        (hidden.panel(0), {"images"}),
        (hidden.picture, {"tokens"}),
        (hidden.row_order, {"images"}),
        (hidden.features, {"tokens"}),
        (hidden.likelihoods, {"likelihoods"}),
        (hidden.together(hidden.picture, hidden.likelihoods), {"tokens", "likelihoods"}),
        (hidden.context_words, {"tokens"}),
        (hidden.library_profile, {"tokens", "features"}),
        (hidden.library_features, {"features"}),
    ],
)
def test_only_what_is_named_changes(
    batch: Batch, change: Callable[[Batch], Batch], touched: set[str]
) -> None:
    copy = Batch(*(getattr(batch, name).copy() for name in Batch.__slots__))
    assert _differences(batch, change(batch)) == touched
    assert _differences(batch, copy) == set()  # the others still see it whole


def test_channel_of_one_panel_is_black(batch: Batch) -> None:
    images = hidden.channel(1, 2)(batch).images
    first, end = panel_top(1), panel_top(2)
    assert (images[:, first:end, :, 2] == 0).all()
    assert images[:, :first].all()
    assert images[:, end:].all()
    assert images[..., :2].all()


def test_panel_is_black(batch: Batch) -> None:
    images = hidden.panel(0)(batch).images
    assert (images[:, HEADER_ROWS : panel_top(1)] == 0).all()
    assert images[:, :HEADER_ROWS].all()
    assert images[:, panel_top(1) :].all()


def test_rows_move_together_and_the_header_stays(batch: Batch) -> None:
    images = hidden.row_order(batch).images
    for old, new in zip(batch.images, images, strict=True):
        assert np.array_equal(old[:HEADER_ROWS], new[:HEADER_ROWS])
        moved, there = (
            [
                tuple(image[panel_top(panel) + row].tobytes() for panel in range(len(PANELS)))
                for row in range(READ_ROWS)
            ]
            for image in (new, old)
        )
        assert moved != there
        assert sorted(moved) == sorted(there)


def test_context_words_leave_the_question(batch: Batch) -> None:
    tokens = hidden.context_words(batch).tokens
    assert (tokens[:, CONTEXT_COLUMNS] == UNKNOWN_TOKEN).all()
    assert (tokens == UNKNOWN_TOKEN).sum() == 2 * len(CONTEXT_COLUMNS)


@pytest.mark.parametrize(
    ("change", "word"), [(hidden.picture, IMAGE_TOKEN), (hidden.features, FEATURES_TOKEN)]
)
def test_a_modality_is_withheld_as_training_withholds_it(
    batch: Batch, change: Callable[[Batch], Batch], word: int
) -> None:
    tokens = change(batch).tokens
    assert (tokens != word).all()
    assert (tokens == PAD_TOKEN).sum() == len(batch)


def test_library_profile_leaves_the_other_features(batch: Batch) -> None:
    features = hidden.library_profile(batch).features
    changed = {FEATURES[i] for i in np.flatnonzero(features[0] != batch.features[0])}
    assert changed == set(LIBRARY_FEATURES)
    neutral = {feature.name: feature.neutral for feature in FEATURE_TABLE}
    for name in LIBRARY_FEATURES:
        assert features[0, FEATURES.index(name)] == pytest.approx(neutral[name], abs=1e-3)
