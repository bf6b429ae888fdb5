"""Sum up the fragments of each question by what they show."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import INDEL, PUTATIVE, REF, UNKNOWN_LEVEL
from pileup.kernels.image.draw import support_level
from pileup.sam import FPAIRED, FPROPER_PAIR, FREVERSE

# FPROPER_PAIR has no meaning without FPAIRED (SAM 1.4.2): its absence there says nothing.
_PAIRING_FLAGS, _IMPROPER_PAIR = FPAIRED | FPROPER_PAIR, FPAIRED
_LOW_MAPQ = 20
_MAPQ_CAP, _MISMATCH_CAP, _END_CAP = 60, 20, 75
_NEAR_END = 6

# Columns of `sums`.
COUNT, FORWARD, QUALITY, MAPQ, LOW_MAPQ, TO_END, MISMATCHES, CLIPPED, IMPROPER, N_SUMS = range(10)
# Columns of `extras`: about the putative reads, and about reads of the site's other ALTs.
NEAR_END, BEST_QUALITY, DISTINCT_STARTS, OTHER_ALTS, COMMONEST_ALT, N_EXTRAS = range(6)


@kernel
def tally_witnesses(questions, reads, counts, sites, shown, sums, extras):
    """Fill `sums` (float64 [q, N_LEVELS, N_SUMS]) and `extras` (float64 [q, N_EXTRAS]), zeroed.

    Sums are over fragments: count, forward strand, base quality, mapping quality (at most 60),
    mapping quality below 20, distance of the site to the nearer end of the read (at most 75),
    mismatches beyond the allele itself (at most 20), reads with soft clips, reads of improper
    pairs (an unpaired read is none).
    Extras: putative reads within 6 bases of an end, their best base quality and their distinct
    starts; reads of ALTs that are not asked about, and of the site's commonest ALT.
    """
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        start = sites.start[site]
        by_allele = np.zeros(sites.alt_offset[site + 1] - sites.alt_offset[site] + 1, np.int64)
        for index in range(shown.offset[site], shown.offset[site + 1]):
            if not shown.counts[index]:
                continue
            read = shown.read[index]
            allele = shown.allele[index]
            level = support_level(allele, mask)
            row = sums[question, level]
            row[COUNT] += 1
            row[FORWARD] += reads.flag[read] & FREVERSE == 0
            row[QUALITY] += shown.quality[index]
            row[MAPQ] += min(reads.mapq[read], _MAPQ_CAP)
            row[LOW_MAPQ] += reads.mapq[read] < _LOW_MAPQ
            to_end = min(start - reads.read_start[read], reads.read_end[read] - start - 1)
            row[TO_END] += min(max(to_end, 0), _END_CAP)
            own = 0
            if allele > REF:
                own = 1 if sites.kind[site] == INDEL else sites.ref_length[site]
                by_allele[allele] += 1
                extras[question, OTHER_ALTS] += level != PUTATIVE
            row[MISMATCHES] += min(max(counts.mismatches[read] - own, 0), _MISMATCH_CAP)
            row[CLIPPED] += counts.clipped[read] > 0
            row[IMPROPER] += reads.flag[read] & _PAIRING_FLAGS == _IMPROPER_PAIR
            if level == PUTATIVE:
                extras[question, NEAR_END] += to_end < _NEAR_END
                extras[question, BEST_QUALITY] = max(
                    extras[question, BEST_QUALITY], shown.quality[index]
                )
        for allele in range(len(by_allele)):
            most = max(extras[question, COMMONEST_ALT], by_allele[allele])
            extras[question, COMMONEST_ALT] = most
        extras[question, DISTINCT_STARTS] = _distinct_starts(site, mask, reads, shown)


@part
def _distinct_starts(site, mask, reads, shown):
    """Count the different starts of the putative reads; reads come sorted by start."""
    distinct = 0
    last = -1
    for index in range(shown.offset[site], shown.offset[site + 1]):
        if shown.counts[index] and support_level(shown.allele[index], mask) == PUTATIVE:
            begin = reads.read_start[shown.read[index]]
            if begin != last:
                distinct += 1
                last = begin
    return distinct


@kernel
def log_likelihoods(questions, reads, sites, shown, least_error, likelihood):
    """Fill `likelihood` (float64 [q, 3]): log P(witnesses | 0, 1, 2 copies), up to a constant.

    A witness errs with the larger of what its base and mapping qualities say and `least_error`
    (float64 [q]); a wrong SNV base is one of three.
    """
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        row = likelihood[question]
        for index in range(shown.offset[site], shown.offset[site + 1]):
            level = support_level(shown.allele[index], mask)
            if not shown.counts[index] or level == UNKNOWN_LEVEL:
                continue
            error = max(
                10.0 ** (-np.float64(shown.quality[index]) / 10.0),
                10.0 ** (-np.float64(reads.mapq[shown.read[index]]) / 10.0),
            )
            error = min(max(error, least_error[question]), 0.75)
            spurious = error if sites.kind[site] == INDEL else error / 3.0
            if level == PUTATIVE:
                row[0] += np.log(spurious)
                row[1] += np.log(0.5 * (1.0 - error) + 0.5 * spurious)
                row[2] += np.log(1.0 - error)
            else:
                row[0] += np.log(1.0 - spurious)
                row[1] += np.log(0.5 * (1.0 - spurious) + 0.5 * error)
                row[2] += np.log(error)
