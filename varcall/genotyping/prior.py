"""The prior of a sample: how many variants it has, against those that the model was trained on.

An answer is a posterior probability, and with it goes the share of variants among the questions of
training. Where a sample has fewer, more of what looks like one is not.
"""

import numpy as np
from numpy.typing import NDArray

LEAST_RATIO = 0.1
"""Of the odds (10 phred less at most): with it the hets of plain grids stay hets, 5 in 15 long
reads too, and what differs between samples beyond it is not known well enough from some reads."""


def with_prior(
    probabilities: NDArray[np.float32], snv_density: float, trained_density: float | None
) -> NDArray[np.float32]:
    """Return answers as they are in a sample with so many SNVs per base, float32 [n, 3].

    The odds of a variant are multiplied by the ratio of the densities (Saerens, Latinne and
    Decaestecker 2002, doi:10.1162/089976602753284446, equation 2.4). A sample that looks more
    diverse than those of training keeps its answers: artefacts look like variants, too, and a
    library full of them should not be trusted more.

    Parameters
    ----------
    probabilities
        float32 [n, 3]: P of 0, 1 and 2 copies.
    snv_density
        SNVs per base of the sample: `LibraryProfile.snv_density`.
    trained_density
        Of the samples of training: `SeenLibraries.snv_density`. None changes nothing.
    """
    if trained_density is None:
        return probabilities
    ratio = min(1.0, max(LEAST_RATIO, snv_density / trained_density))
    weighed = probabilities.astype(np.float64) * (1.0, ratio, ratio)
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True), np.float32)
