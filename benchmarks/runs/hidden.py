"""Hide from a batch what a model may read: a channel, the order of rows, one of its modalities."""

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models.prompt import (
    CONTEXT_COLUMNS,
    FEATURES_TOKEN,
    IMAGE_TOKEN,
    PAD_TOKEN,
    UNKNOWN_TOKEN,
)
from models.training.batch import Batch
from pileup.spec import PANELS, READ_ROWS, panel_top
from varcall.evidence.features import without_library

Change = Callable[[Batch], Batch]


def nothing(batch: Batch) -> Batch:
    """Return the batch as it is."""
    return batch


def channel(panel: int, index: int) -> Change:
    """Return what blackens one channel of one panel."""

    def change(batch: Batch) -> Batch:
        images = batch.images.copy()
        images[:, panel_top(panel) : panel_top(panel + 1), :, index] = 0
        return replace(batch, images=images)

    return change


def panel(index: int) -> Change:
    """Return what blackens one panel."""

    def change(batch: Batch) -> Batch:
        images = batch.images.copy()
        images[:, panel_top(index) : panel_top(index + 1)] = 0
        return replace(batch, images=images)

    return change


def row_order(batch: Batch) -> Batch:
    """Shuffle the read rows of each picture, all panels alike."""
    images = batch.images.copy()
    rng = np.random.default_rng(zlib.crc32(batch.features.tobytes()))
    for image in images:
        order = rng.permutation(READ_ROWS)
        for index in range(len(PANELS)):
            first = panel_top(index)
            image[first : first + READ_ROWS] = image[first + order]
    return replace(batch, images=images)


def picture(batch: Batch) -> Batch:
    """Take the picture's place out of the prompt: the network reads none then.

    So it is withheld in training, too; a black picture would be one that it never saw.
    """
    return _without(batch, IMAGE_TOKEN)


def features(batch: Batch) -> Batch:
    """Take the place of the measured features out of the prompt."""
    return _without(batch, FEATURES_TOKEN)


def likelihoods(batch: Batch) -> Batch:
    """Say nothing of what the counts of reads tell."""
    return replace(batch, likelihoods=np.zeros_like(batch.likelihoods))


def context_words(batch: Batch) -> Batch:
    """Say "unknown" wherever the prompt tells of the library and the sample."""
    tokens = batch.tokens.copy()
    tokens[:, CONTEXT_COLUMNS] = UNKNOWN_TOKEN
    return replace(batch, tokens=tokens)


def together(*changes: Change) -> Change:
    """Return what hides all that some changes hide."""

    def change(batch: Batch) -> Batch:
        for one in changes:
            batch = one(batch)
        return batch

    return change


def library_profile(batch: Batch) -> Batch:
    """Hide the profile from the prompt and from the measured features."""
    return replace(context_words(batch), features=without_library(batch.features))


def library_features(batch: Batch) -> Batch:
    """Hide the profile from the measured features: words alone tell of the library."""
    return replace(batch, features=without_library(batch.features))


def _without(batch: Batch, word: int) -> Batch:
    return replace(batch, tokens=np.where(batch.tokens == word, np.int32(PAD_TOKEN), batch.tokens))
