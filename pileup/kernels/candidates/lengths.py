"""Repeat lengths: what the reads that span an indel's repeat say of it."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import INDEL, NOT_SPANNING

# A stutter step changes the length by one more unit with this probability.
_STEP = 0.2
_LEAST_PROBABILITY = 1e-5
# Columns of `spans`.
SPANNING, SPAN_REF, SPAN_PUTATIVE, SPAN_NEXT, N_SPANS = range(5)


@part
def unit_length(bases, offset, length):
    """Return the shortest period of the sequence, or its length."""
    for period in range(1, length):
        if length % period:
            continue
        repeats = True
        for index in range(period, length):
            if bases[offset + index] != bases[offset + index - period]:
                repeats = False
                break
        if repeats:
            return period
    return max(length, 1)


@kernel
def describe_alleles(questions, reference, sites, asked, delta, unit):
    """Fill, by question, its first and last asked ALT and what they do to the length.

    Parameters
    ----------
    asked
        int64 [q, 2], indices into the arrays over ALTs (equal for a single ALT).
    delta
        int64 [q, 2], length change of each.
    unit
        int64 [q], repeat unit of the first asked indel; 0 for a substitution.
    """
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        first_alt = sites.alt_offset[site]
        found = 0
        for alt in range(first_alt, sites.alt_offset[site + 1]):
            if not mask >> (alt - first_alt) & 1:
                continue
            for side in range(found, 2):
                asked[question, side] = alt
                delta[question, side] = sites.alt_inserted[alt] - sites.alt_deleted[alt]
            found = 1
        if sites.kind[site] == INDEL:
            first = asked[question, 0]
            inserted = sites.alt_inserted[first]
            if inserted > 0:
                offset = sites.alt_base_offset[first]
                unit[question] = unit_length(sites.alt_bases, offset, inserted)
            else:
                column = sites.start[site] + 1 - reference.start
                unit[question] = unit_length(reference.codes, column, sites.alt_deleted[first])


@part
def stutter_probability(delta, allele_delta, unit, slip):
    """Return P(read's length change | allele's): off by a unit with `slip`, by more is rarer."""
    distance = abs(delta - allele_delta)
    if distance == 0:
        return 1.0 - slip
    steps = (distance + unit - 1) // unit
    probability = 0.5 * slip * (1.0 - _STEP) * _STEP ** (steps - 1)
    if distance % unit:
        probability *= 0.1
    return max(probability, _LEAST_PROBABILITY)


@kernel
def tally_lengths(questions, shown, delta, unit, slip, spans, likelihood):
    """Count the spanning reads of indel questions by length, and what 0, 1, 2 copies explain.

    Parameters
    ----------
    delta, unit
        From `describe_alleles`.
    slip
        float64 [q], the share of reads expected to slip.
    spans
        float64 [q, N_SPANS], zeroed: spanning reads, of REF's length, of a putative ALT's, and
        one unit off a putative ALT.
    likelihood
        float64 [q, 3], zeroed: log P(lengths | 0, 1, 2 copies), the other allele being REF.
    """
    for question in range(len(questions.site)):
        if unit[question] == 0:
            continue
        site = questions.site[question]
        first, second = delta[question, 0], delta[question, 1]
        for index in range(shown.offset[site], shown.offset[site + 1]):
            if not shown.counts[index] or shown.delta[index] == NOT_SPANNING:
                continue
            change = np.int64(shown.delta[index])
            spans[question, SPANNING] += 1
            if change == first or change == second:
                spans[question, SPAN_PUTATIVE] += 1
            elif change == 0:
                spans[question, SPAN_REF] += 1
            elif min(abs(change - first), abs(change - second)) == unit[question]:
                spans[question, SPAN_NEXT] += 1
            from_ref = stutter_probability(change, 0, unit[question], slip[question])
            from_first = stutter_probability(change, first, unit[question], slip[question])
            from_second = stutter_probability(change, second, unit[question], slip[question])
            likelihood[question, 0] += np.log(from_ref)
            likelihood[question, 1] += np.log(0.5 * from_ref + 0.5 * max(from_first, from_second))
            likelihood[question, 2] += np.log(0.5 * from_first + 0.5 * from_second)
