"""Pileup images from the arrays of a window."""

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import (
    NO_QUESTIONS,
    CountArrays,
    LibraryNorms,
    QuestionArrays,
    ReadArrays,
    ReferenceArrays,
    ShownArrays,
    SiteArrays,
)
from pileup.kernels.image.draw import draw_images
from pileup.spec import CHANNELS, HEIGHT, WIDTH


def encode(
    questions: QuestionArrays,
    reference: ReferenceArrays,
    reads: ReadArrays,
    counts: CountArrays,
    sites: SiteArrays,
    shown: ShownArrays,
    norms: LibraryNorms,
    others: QuestionArrays = NO_QUESTIONS,
) -> NDArray[np.uint8]:
    """Draw one image per question; what `reference` does not cover stays blank.

    Parameters
    ----------
    others
        The second variant that each question names, as a question about it; none where the
        questions are about one variant.

    Returns
    -------
    uint8 [q, 224, 224, 3], laid out as `pileup.spec.PileupSpec` says.
    """
    images = np.zeros((len(questions.site), HEIGHT, WIDTH, CHANNELS), np.uint8)
    draw_images(images, questions, others, reference, reads, counts, sites, shown, norms)
    return images
