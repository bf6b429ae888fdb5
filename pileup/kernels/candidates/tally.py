"""Sum up the fragments of each question by what they show."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import INDEL, PUTATIVE, REF, REF_LEVEL
from pileup.kernels.image.draw import support_level
from pileup.sam import (
    CHARD_CLIP,
    CSOFT_CLIP,
    FPAIRED,
    FPROPER_PAIR,
    FREVERSE,
    UNKNOWN_MAPQ,
    UNKNOWN_QUALITY,
)

# FPROPER_PAIR has no meaning without FPAIRED (SAM 1.4.2): its absence there says nothing.
_PAIRING_FLAGS, _IMPROPER_PAIR = FPAIRED | FPROPER_PAIR, FPAIRED
# A MAPQ below this share of what the mapper gives when it is sure is low (20 of 60).
_LOW_MAPQ_SHARE = 1 / 3
_QUALITY_CAP = 60
NEAR_END_BASES = 6
_CLIP_REACH = 10
_FEW = 64
_MOST_ALLELES = 9  # REF, and as many ALTs as a mask of `QuestionArrays.alleles` has bits
# A read counts with at most so many mismatches: some, and a multiple of what is usual.
_MISMATCH_CAP, _MISMATCH_FACTOR = 10.0, 5.0

# Columns of `sums`.
(
    COUNT, FORWARD, KNOWN_QUALITY, QUALITY, MAPQ, LOW_MAPQ, LENGTH, TO_END, MISMATCHES, CLIPPED,
    PAIRED, IMPROPER, N_SUMS,
) = range(13)  # fmt: skip
# Columns of `stacks`, of the putative and of the REF reads.
DISTINCT_STARTS, STACK, N_STACKS = range(3)
# Columns of `extras`: about the putative reads, about reads of the site's other ALTs, about all.
(
    NEAR_END, EXPECTED_NEAR_END, BEST_QUALITY, OTHER_ALTS, COMMONEST_ALT, CLIPPED_HERE, N_EXTRAS,
) = range(7)  # fmt: skip


@kernel
def tally_witnesses(
    questions, reads, counts, sites, shown, sure_mapq, mismatch_rate, sums, stacks, extras
):
    """Sum up the fragments of each question.

    Parameters
    ----------
    sure_mapq
        What the mapper gives to a read that it is sure of.
    mismatch_rate
        Mismatches that are usual for an aligned base of this library.
    sums
        float64 [q, N_LEVELS, N_SUMS], zeroed; over fragments, by what they show: count, forward
        strand, known base quality, base quality (at most 60), MAPQ as a share of `sure_mapq` (at
        most 1, and 1 where it is unknown), MAPQ below a third of it, aligned length, distance of
        the site to the nearer end of the read as a share of that length, mismatches beyond the
        allele itself, soft clips, of a pair, of an improper pair.
    stacks
        float64 [q, 2, N_STACKS], zeroed; of the putative and the REF reads: different starts, and
        most reads that start, or end, at one base.
    extras
        float64 [q, N_EXTRAS], zeroed; of the putative reads: within `NEAR_END_BASES` of an end, how
        many would be if they lay anywhere, their best base quality; reads of ALTs that are not
        asked about, and of the site's commonest ALT; reads clipped within 10 bases of the site.
    """
    most_reads = 0
    for site in range(len(sites.start)):
        most_reads = max(most_reads, shown.offset[site + 1] - shown.offset[site])
    places = np.empty((2, 2, most_reads), np.int64)
    found = np.empty(2, np.int64)
    by_allele = np.empty(_MOST_ALLELES, np.int64)
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        start = sites.start[site]
        first, last = shown.offset[site], shown.offset[site + 1]
        by_allele[:] = 0
        found[:] = 0
        extra = extras[question]
        for index in range(first, last):
            if not shown.counts[index]:
                continue
            read = shown.read[index]
            allele = shown.allele[index]
            level = support_level(allele, mask)
            row = sums[question, level]
            row[COUNT] += 1
            row[FORWARD] += reads.flag[read] & FREVERSE == 0
            quality = shown.quality[index]
            if quality != UNKNOWN_QUALITY:
                row[KNOWN_QUALITY] += 1
                row[QUALITY] += min(quality, _QUALITY_CAP)
            sureness = 1.0
            if reads.mapq[read] != UNKNOWN_MAPQ:
                sureness = min(1.0, reads.mapq[read] / sure_mapq)
            row[MAPQ] += sureness
            row[LOW_MAPQ] += sureness < _LOW_MAPQ_SHARE
            length = reads.read_end[read] - reads.read_start[read]
            row[LENGTH] += length
            to_end = max(0, min(start - reads.read_start[read], reads.read_end[read] - start - 1))
            row[TO_END] += to_end / max(length, 1)
            own = 0
            if allele > REF:
                own = 1 if sites.kind[site] == INDEL else sites.ref_length[site]
                by_allele[allele] += 1
                extra[OTHER_ALTS] += level != PUTATIVE
            most = _MISMATCH_CAP + _MISMATCH_FACTOR * mismatch_rate * length
            row[MISMATCHES] += min(max(counts.mismatches[read] - own, 0), most)
            if counts.clipped[read] > 0:
                row[CLIPPED] += 1
                extra[CLIPPED_HERE] += _is_clipped_near(read, start, sites.repeat_end[site], reads)
            row[PAIRED] += reads.flag[read] & FPAIRED > 0
            row[IMPROPER] += reads.flag[read] & _PAIRING_FLAGS == _IMPROPER_PAIR
            if level == PUTATIVE:
                extra[NEAR_END] += to_end < NEAR_END_BASES
                extra[EXPECTED_NEAR_END] += min(1.0, 2 * NEAR_END_BASES / max(length, 1))
                if quality != UNKNOWN_QUALITY:
                    extra[BEST_QUALITY] = max(extra[BEST_QUALITY], min(quality, _QUALITY_CAP))
            if level == PUTATIVE or level == REF_LEVEL:
                who = 0 if level == PUTATIVE else 1
                places[who, 0, found[who]] = reads.read_start[read]
                places[who, 1, found[who]] = reads.read_end[read]
                found[who] += 1
        extra[COMMONEST_ALT] = by_allele.max()
        for who in range(2):
            distinct, stack = _stacks(places[who, 0, : found[who]])
            # Reads come sorted by start, not by end.
            _sort(places[who, 1, : found[who]])
            _, ending = _stacks(places[who, 1, : found[who]])
            stacks[question, who, DISTINCT_STARTS] = distinct
            stacks[question, who, STACK] = max(stack, ending)


@part
def _sort(places):
    """Sort in place; quickly what is nearly sorted, as the ends of short reads are."""
    if len(places) > _FEW:
        places.sort()
        return
    for index in range(1, len(places)):
        value = places[index]
        at = index
        while at > 0 and places[at - 1] > value:
            places[at] = places[at - 1]
            at -= 1
        places[at] = value


@part
def _stacks(places):
    """Return how many different numbers there are, and how often the commonest; sorted ones."""
    distinct = 0
    most = 0
    same = 0
    for index in range(len(places)):
        if index == 0 or places[index] != places[index - 1]:
            distinct += 1
            same = 0
        same += 1
        most = max(most, same)
    return distinct, most


@part
def _is_clipped_near(read, start, end, reads):
    """Whether a soft clip of the read begins within 10 bases of [start, end)."""
    first, last = reads.cigar_offset[read], reads.cigar_offset[read + 1] - 1
    if last < first:
        return False
    if reads.cigar_op[first] == CHARD_CLIP and first < last:
        first += 1
    if reads.cigar_op[last] == CHARD_CLIP and first < last:
        last -= 1
    low, high = start - _CLIP_REACH, end + _CLIP_REACH
    if reads.cigar_op[first] == CSOFT_CLIP and low <= reads.read_start[read] <= high:
        return True
    return reads.cigar_op[last] == CSOFT_CLIP and low <= reads.read_end[read] <= high
