"""Sums over the fragments of each question, which count likelihood and features are made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import QuestionArrays, ReadArrays, ShownArrays, SiteArrays
from pileup.codes import N_LEVELS, PUTATIVE, REF_LEVEL
from pileup.kernels.candidates import tally
from varcall.evidence.candidates import Scan
from varcall.reads.library_profile import LibraryProfile

Values = NDArray[np.float64]

LEVELS = PUTATIVE, REF_LEVEL
"""The two levels of `Tallies.stacks`: fragments with the alleles asked about, and with REF."""

# Mismatches per base of a library without any: a ratio of two small numbers says little.
_LEAST_MISMATCH_RATE = 0.0005


@dataclass(frozen=True, slots=True)
class Tallies:
    """What `pileup.kernels.candidates.tally` sums up, of q questions.

    Attributes
    ----------
    sums
        float64 [q, N_LEVELS, N_SUMS].
    stacks
        float64 [q, 2, N_STACKS], of each of `LEVELS`.
    extras
        float64 [q, N_EXTRAS].
    """

    sums: Values
    stacks: Values
    extras: Values

    def count(self, level: int) -> Values:
        """Return the fragments of a level, float64 [q]."""
        return self.sums[:, level, tally.COUNT]

    def stack_share(self, level: int, empty: float = 0.0) -> Values:
        """Return the share of a level's fragments, but one, that start or end at one base.

        float64 [q], of one of `LEVELS`; `empty` where there are fewer than two fragments.
        """
        stack = self.stacks[:, LEVELS.index(level), tally.STACK]
        return share(stack - 1, self.count(level) - 1, empty)


def tally_fragments(
    questions: QuestionArrays,
    reads: ReadArrays,
    scan: Scan,
    sites: SiteArrays,
    shown: ShownArrays,
    profile: LibraryProfile,
) -> Tallies:
    """Sum up the fragments of each question."""
    n = len(questions.site)
    sums, stacks = np.zeros((n, N_LEVELS, tally.N_SUMS)), np.zeros((n, 2, tally.N_STACKS))
    extras = np.zeros((n, tally.N_EXTRAS))
    tally.tally_witnesses(
        questions, reads, scan.counts, sites, shown, profile.mapq, mismatch_rate(profile),
        sums, stacks, extras,
    )  # fmt: skip
    return Tallies(sums, stacks, extras)


def mismatch_rate(profile: LibraryProfile) -> float:
    """Return the mismatches per aligned base of a library, not quite 0."""
    return max(profile.mismatch_rate, _LEAST_MISMATCH_RATE)


def share(part: Values, whole: Values, empty: float = 0.0) -> Values:
    """Return part / whole, float64 [q]; `empty` where there is no whole."""
    shares = np.full(len(whole), empty, np.float64)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
