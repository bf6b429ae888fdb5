"""Sum up the witnesses of each question by what they show."""

import numpy as np

from pileup.accelerate import kernel
from pileup.kernels.draw import support_level

_REVERSE_FLAG, _PROPER_PAIR_FLAG = 16, 2
_LOW_MAPQ = 20
_MAPQ_CAP, _MISMATCH_CAP, _END_CAP = 60, 20, 75
_NEAR_END = 6

# Levels of `support_level`: the putative allele(s), another allele, REF, not informative.
PUTATIVE, OTHER_LEVEL, REF_LEVEL, UNKNOWN_LEVEL, N_LEVELS = 0, 1, 2, 3, 4
# Columns of `sums`.
COUNT, FORWARD, QUALITY, MAPQ, LOW_MAPQ, TO_END, MISMATCHES, CLIPPED, IMPROPER, N_SUMS = range(10)
# Columns of `extras`: about the putative reads, and about reads of the site's other ALTs.
NEAR_END, BEST_QUALITY, DISTINCT_STARTS, OTHER_ALTS, COMMONEST_ALT, N_EXTRAS = range(6)


@kernel
def tally_witnesses(
    question_site,
    question_mask,
    read_start,
    read_end,
    mapq,
    flag,
    mismatches,
    clipped,
    start,
    kind,
    ref_length,
    alt_offset,
    observation_offset,
    observation_read,
    observation_allele,
    observation_quality,
    observation_counts,
    sums,
    extras,
):
    """Fill `sums` (float64 [q, N_LEVELS, N_SUMS]) and `extras` (float64 [q, N_EXTRAS]), zeroed.

    Sums are over fragments: count, forward strand, base quality, mapping quality (at most 60),
    mapping quality below 20, distance of the site to the nearer end of the read (at most 75),
    mismatches beyond the allele itself (at most 20), reads with soft clips, improper pairs.
    Extras: putative reads within 6 bases of an end, their best base quality and their distinct
    starts; reads of ALTs that are not asked about, and of the site's commonest ALT.
    """
    for question in range(len(question_site)):
        site = question_site[question]
        mask = np.int64(question_mask[question])
        shown = np.zeros(alt_offset[site + 1] - alt_offset[site] + 1, np.int64)
        for index in range(observation_offset[site], observation_offset[site + 1]):
            if not observation_counts[index]:
                continue
            read = observation_read[index]
            allele = observation_allele[index]
            level = support_level(allele, mask)
            row = sums[question, level]
            row[COUNT] += 1
            row[FORWARD] += flag[read] & _REVERSE_FLAG == 0
            row[QUALITY] += observation_quality[index]
            row[MAPQ] += min(mapq[read], _MAPQ_CAP)
            row[LOW_MAPQ] += mapq[read] < _LOW_MAPQ
            to_end = min(start[site] - read_start[read], read_end[read] - start[site] - 1)
            row[TO_END] += min(max(to_end, 0), _END_CAP)
            own = 0
            if allele > 0:
                own = 1 if kind[site] == 1 else ref_length[site]
                shown[allele] += 1
                extras[question, OTHER_ALTS] += level != PUTATIVE
            row[MISMATCHES] += min(max(mismatches[read] - own, 0), _MISMATCH_CAP)
            row[CLIPPED] += clipped[read] > 0
            row[IMPROPER] += flag[read] & _PROPER_PAIR_FLAG == 0
            if level == PUTATIVE:
                extras[question, NEAR_END] += to_end < _NEAR_END
                extras[question, BEST_QUALITY] = max(
                    extras[question, BEST_QUALITY], observation_quality[index]
                )
        extras[question, COMMONEST_ALT] = shown.max()
        extras[question, DISTINCT_STARTS] = _distinct_starts(
            site, mask, read_start, observation_offset, observation_read, observation_allele,
            observation_counts,
        )  # fmt: skip


@kernel
def _distinct_starts(
    site,
    mask,
    read_start,
    observation_offset,
    observation_read,
    observation_allele,
    observation_counts,
):
    """Count the different starts of the putative reads; reads come sorted by start."""
    distinct = 0
    last = -1
    for index in range(observation_offset[site], observation_offset[site + 1]):
        if observation_counts[index] and support_level(observation_allele[index], mask) == PUTATIVE:
            begin = read_start[observation_read[index]]
            if begin != last:
                distinct += 1
                last = begin
    return distinct


@kernel
def log_likelihoods(
    question_site,
    question_mask,
    mapq,
    kind,
    observation_offset,
    observation_read,
    observation_allele,
    observation_quality,
    observation_counts,
    least_error,
    likelihood,
):
    """Fill `likelihood` (float64 [q, 3]): log P(witnesses | 0, 1, 2 copies), up to a constant.

    A witness errs with the larger of what its base and mapping qualities say and `least_error`
    (float64 [q]); a wrong SNV base is one of three.
    """
    for question in range(len(question_site)):
        site = question_site[question]
        mask = np.int64(question_mask[question])
        row = likelihood[question]
        for index in range(observation_offset[site], observation_offset[site + 1]):
            level = support_level(observation_allele[index], mask)
            if not observation_counts[index] or level == UNKNOWN_LEVEL:
                continue
            error = max(
                10.0 ** (-np.float64(observation_quality[index]) / 10.0),
                10.0 ** (-np.float64(mapq[observation_read[index]]) / 10.0),
            )
            error = min(max(error, least_error[question]), 0.75)
            spurious = error if kind[site] == 1 else error / 3.0
            if level == PUTATIVE:
                row[0] += np.log(spurious)
                row[1] += np.log(0.5 * (1.0 - error) + 0.5 * spurious)
                row[2] += np.log(1.0 - error)
            else:
                row[0] += np.log(1.0 - spurious)
                row[1] += np.log(0.5 * (1.0 - spurious) + 0.5 * error)
                row[2] += np.log(error)
