"""Likelihoods of 0, 1 and 2 copies of the alleles asked about, from counts and qualities."""

from math import lgamma

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import INDEL, OTHER, PUTATIVE, UNKNOWN_LEVEL
from pileup.kernels.candidates.lengths import stutter_probability
from pileup.kernels.image.draw import support_level
from pileup.sam import UNKNOWN_MAPQ

# Columns of `weighed`.
PUTATIVE_WEIGHT, WEIGHT, ERROR, N_WEIGHED = range(4)
# A fragment that is wrong one time in four says nothing: a wrong base is any of four.
USELESS_ERROR = 0.25


# Of a mapping quality; an unknown one says nothing.
ERROR_BY_MAPQ = 10.0 ** (-np.arange(256) / 10.0)
ERROR_BY_MAPQ[UNKNOWN_MAPQ] = 0.0


@kernel
def weigh_witnesses(questions, reads, sites, shown, error_by_quality, weighed):
    """Sum up the informative fragments of each question, each by how far it is trusted.

    Parameters
    ----------
    error_by_quality
        float64 [256], how often a base of a stated quality is wrong.
    weighed
        float64 [q, N_WEIGHED], zeroed: weight of the putative fragments, of all, and the sum of
        weight times error.

    A fragment of error e weighs 1 - 4 e. Its error is the larger of what its base and its mapping
    quality say; an unknown mapping quality says nothing, and neither does the base quality beside
    an indel, nor that of a deleted base.
    """
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        row = weighed[question]
        for index in range(shown.offset[site], shown.offset[site + 1]):
            level = support_level(shown.allele[index], mask)
            if not shown.counts[index] or level == UNKNOWN_LEVEL:
                continue
            error = ERROR_BY_MAPQ[reads.mapq[shown.read[index]]]
            quality = shown.quality[index]
            is_deleted = shown.allele[index] == OTHER and quality == 0
            if sites.kind[site] != INDEL and not is_deleted:
                error = max(error, error_by_quality[quality])
            weight = max(0.0, 1.0 - error / USELESS_ERROR)
            row[WEIGHT] += weight
            row[ERROR] += weight * error
            if level == PUTATIVE:
                row[PUTATIVE_WEIGHT] += weight


@kernel
def slipped_share(delta, unit, slip, share):
    """Fill `share` (float64 [q], zeroed): of REF's reads, those that slip to an allele asked about.

    Of substitutions (`unit` 0) it stays 0. `delta` and `unit` are those of `describe_alleles`,
    `slip` (float64 [q]) is the share of reads that slip at all. An indel that keeps the length is
    taken for as frequent as a slip by one unit.
    """
    for question in range(len(unit)):
        if unit[question] == 0:
            continue
        first, second = delta[question, 0], delta[question, 1]
        share[question] = _slipped(first, unit[question], slip[question])
        if second != first:
            share[question] += _slipped(second, unit[question], slip[question])


@part
def _slipped(change, unit, slip):
    steps = change if change != 0 else unit
    return stutter_probability(steps, 0, unit, slip)


@kernel
def copy_likelihoods(weighed, mean, concentration, likelihood):
    """Fill `likelihood` (float64 [q, copies]): the logarithm, but for a constant of each row.

    The putative weight of all weight is beta-binomial: under c copies with `mean[q, c]` (float64)
    and `concentration[q, c]` (float64), the sum of the two parameters of the beta distribution.
    """
    for question in range(len(weighed)):
        putative = weighed[question, PUTATIVE_WEIGHT]
        others = max(0.0, weighed[question, WEIGHT] - putative)
        for copies in range(mean.shape[1]):
            total = concentration[question, copies]
            a = mean[question, copies] * total
            b = total - a
            likelihood[question, copies] = (
                lgamma(putative + a)
                - lgamma(a)
                + lgamma(others + b)
                - lgamma(b)
                + lgamma(total)
                - lgamma(putative + others + total)
            )
