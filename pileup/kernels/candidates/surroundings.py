"""What lies around a candidate: other candidates, and the reference's composition."""

from pileup.accelerate import kernel
from pileup.codes import INDEL, REF, UNINFORMATIVE, UNKNOWN_BASE, C, G

# How far neighbouring candidates are looked for, in bases.
NEAR, FAR = 25, 100
_GC_REACH = 50
# Columns of `neighbours`.
NEAR_FRACTION, FAR_FRACTION, NEIGHBOURS, NEAREST, NEAR_INDEL, N_NEIGHBOUR_VALUES = range(6)


@kernel
def site_fractions(shown, fractions):
    """Fill `fractions` (float32 [m]): the share of informative fragments that do not show REF."""
    for site in range(len(fractions)):
        informative = 0
        different = 0
        for index in range(shown.offset[site], shown.offset[site + 1]):
            if shown.counts[index] and shown.allele[index] != UNINFORMATIVE:
                informative += 1
                different += shown.allele[index] != REF
        fractions[site] = different / informative if informative > 0 else 0.0


@kernel
def look_around(questions, sites, fractions, neighbours):
    """Fill `neighbours` (float64 [q, 5], zeroed) from the other sites nearby that reads suggest.

    The largest of their `fractions` within NEAR and within FAR bases, how many lie within FAR,
    the distance of the nearest (FAR where there is none), and the largest fraction of an indel
    within NEAR.
    """
    start = sites.start
    for question in range(len(questions.site)):
        site = questions.site[question]
        row = neighbours[question]
        row[NEAREST] = FAR
        for step in (-1, 1):
            other = site + step
            while 0 <= other < len(start) and abs(start[other] - start[site]) <= FAR:
                if not sites.is_shown[other]:
                    other += step
                    continue
                distance = abs(start[other] - start[site])
                row[NEIGHBOURS] += 1
                row[NEAREST] = min(row[NEAREST], distance)
                row[FAR_FRACTION] = max(row[FAR_FRACTION], fractions[other])
                if distance <= NEAR:
                    row[NEAR_FRACTION] = max(row[NEAR_FRACTION], fractions[other])
                    if sites.kind[other] == INDEL:
                        row[NEAR_INDEL] = max(row[NEAR_INDEL], fractions[other])
                other += step


@kernel
def run_length(codes, column):
    """Return the longest homopolymer run that holds `column` or the base after it."""
    longest = 1
    for origin in range(max(0, column), min(column + 2, len(codes))):
        if codes[origin] >= UNKNOWN_BASE:
            continue
        low = origin
        while low > 0 and codes[low - 1] == codes[origin]:
            low -= 1
        high = origin + 1
        while high < len(codes) and codes[high] == codes[origin]:
            high += 1
        longest = max(longest, high - low)
    return longest


@kernel
def describe_reference(questions, reference, sites, gc_share, run):
    """Fill `gc_share` (float64 [q], of 101 bases) and `run` (float64 [q], see `run_length`)."""
    codes = reference.codes
    for question in range(len(questions.site)):
        column = sites.start[questions.site[question]] - reference.start
        known = 0
        gc = 0
        for at in range(max(0, column - _GC_REACH), min(len(codes), column + _GC_REACH + 1)):
            known += codes[at] < UNKNOWN_BASE
            gc += codes[at] == C or codes[at] == G
        gc_share[question] = gc / known if known > 0 else 0.5
        run[question] = run_length(codes, column)
