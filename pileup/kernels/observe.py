"""Which allele each read shows at each candidate site."""

import numpy as np

from pileup.accelerate import kernel
from pileup.kernels.adjacent import longest_span
from pileup.kernels.walk import DELETED, first_overlapping, query_index

# Alleles an observation may carry besides 0 (REF) and 1, 2, ... (the site's ALTs).
OTHER = -1
UNINFORMATIVE = -2
# `delta` of a read that does not span the site's repeat.
NOT_SPANNING = -32768


@kernel
def count_overlaps(read_start, read_end, start, repeat_end, counts):
    """Fill `counts` (int64 [m]) with the number of reads that touch [start, repeat_end)."""
    longest = longest_span(read_start, read_end)
    for site in range(len(start)):
        total = 0
        for read in range(first_overlapping(read_start, longest, start[site]), len(read_start)):
            if read_start[read] >= repeat_end[site]:
                break
            if read_end[read] > start[site]:
                total += 1
        counts[site] = total


@kernel
def _substitution_allele(
    read,
    site_start,
    length,
    first_alt,
    last_alt,
    reference,
    reference_start,
    alt_base_offset,
    alt_bases,
    read_start,
    base_offset,
    bases,
    qualities,
    cigar_offset,
    cigar_op,
    cigar_length,
    min_base_quality,
):
    """Return (allele, quality) of a read at an SNV or MNV."""
    matches_ref = True
    matching_alts = (1 << (last_alt - first_alt)) - 1
    lowest = 255
    for step in range(length):
        query = query_index(
            read, site_start + step, read_start, base_offset, cigar_offset, cigar_op, cigar_length
        )
        if query == DELETED:
            return OTHER, 0
        if query < 0:
            return UNINFORMATIVE, 0
        lowest = min(lowest, qualities[query])
        base = bases[query]
        if base > 3:
            return UNINFORMATIVE, 0
        if base != reference[site_start + step - reference_start]:
            matches_ref = False
        for alt in range(first_alt, last_alt):
            if alt_bases[alt_base_offset[alt] + step] != base:
                matching_alts &= ~(1 << (alt - first_alt))
    if lowest < min_base_quality:
        return UNINFORMATIVE, lowest
    if matches_ref:
        return 0, lowest
    for alt in range(last_alt - first_alt):
        if matching_alts >> alt & 1:
            return alt + 1, lowest
    return OTHER, lowest


@kernel
def _indel_allele(
    read,
    site_start,
    repeat_end,
    first_alt,
    last_alt,
    alt_deleted,
    alt_inserted,
    alt_hash,
    read_start,
    base_offset,
    qualities,
    cigar_offset,
    cigar_op,
    cigar_length,
    event_offset,
    event_anchor,
    event_deleted,
    event_inserted,
    event_hash,
    event_quality,
):
    """Return (allele, quality, delta): delta is the read's net length change over the repeat.

    A read spans the repeat where it has a base at the anchor and one just beyond the repeat.
    """
    allele = UNINFORMATIVE
    quality = 0
    touched = False
    for event in range(event_offset[read], event_offset[read + 1]):
        anchor = event_anchor[event]
        if anchor == site_start:
            for alt in range(first_alt, last_alt):
                if (
                    event_deleted[event] == alt_deleted[alt]
                    and event_inserted[event] == alt_inserted[alt]
                    and event_hash[event] == alt_hash[alt]
                ):
                    allele = alt - first_alt + 1
                    quality = event_quality[event]
        # The reach of a deletion matters too: one that began before the site may swallow it.
        if anchor < repeat_end and anchor + 1 + event_deleted[event] > site_start:
            touched = True
    before = query_index(
        read, site_start, read_start, base_offset, cigar_offset, cigar_op, cigar_length
    )
    after = query_index(
        read, repeat_end, read_start, base_offset, cigar_offset, cigar_op, cigar_length
    )
    if before < 0 or after < 0:
        if allele == UNINFORMATIVE and touched:
            allele = OTHER
        return allele, quality, NOT_SPANNING
    change = (after - before) - (repeat_end - site_start)
    if allele == UNINFORMATIVE:
        # An indel too doubtful to be an event still makes the read no REF read.
        allele = OTHER if touched or change != 0 else 0
        quality = min(qualities[before], qualities[after])
    return allele, quality, change


@kernel
def observe_sites(
    read_start,
    read_end,
    fragment,
    base_offset,
    bases,
    qualities,
    cigar_offset,
    cigar_op,
    cigar_length,
    event_offset,
    event_anchor,
    event_deleted,
    event_inserted,
    event_hash,
    event_quality,
    reference,
    reference_start,
    start,
    kind,
    ref_length,
    repeat_end,
    alt_offset,
    alt_deleted,
    alt_inserted,
    alt_hash,
    alt_base_offset,
    alt_bases,
    min_base_quality,
    observation_offset,
    observation_read,
    observation_allele,
    observation_quality,
    observation_delta,
    observation_counts,
):
    """Fill one observation per read and site it touches.

    `observation_offset` (int64 [m + 1]) comes from `count_overlaps`. `observation_counts` (bool)
    is false for all but one of the observations of a fragment: where mates overlap they are one
    witness, the informative and better one (samtools mpileup does likewise).
    """
    longest = longest_span(read_start, read_end)
    fragments = 0
    for read in range(len(fragment)):
        fragments = max(fragments, fragment[read] + 1)
    seen = np.full(fragments, -1, np.int64)
    for site in range(len(start)):
        at = observation_offset[site]
        for read in range(first_overlapping(read_start, longest, start[site]), len(read_start)):
            if read_start[read] >= repeat_end[site]:
                break
            if read_end[read] <= start[site]:
                continue
            delta = NOT_SPANNING
            if kind[site] == 0:
                allele, quality = _substitution_allele(
                    read,
                    start[site],
                    ref_length[site],
                    alt_offset[site],
                    alt_offset[site + 1],
                    reference,
                    reference_start,
                    alt_base_offset,
                    alt_bases,
                    read_start,
                    base_offset,
                    bases,
                    qualities,
                    cigar_offset,
                    cigar_op,
                    cigar_length,
                    min_base_quality,
                )
            else:
                allele, quality, delta = _indel_allele(
                    read,
                    start[site],
                    repeat_end[site],
                    alt_offset[site],
                    alt_offset[site + 1],
                    alt_deleted,
                    alt_inserted,
                    alt_hash,
                    read_start,
                    base_offset,
                    qualities,
                    cigar_offset,
                    cigar_op,
                    cigar_length,
                    event_offset,
                    event_anchor,
                    event_deleted,
                    event_inserted,
                    event_hash,
                    event_quality,
                )
            observation_read[at] = read
            observation_allele[at] = allele
            observation_quality[at] = quality
            observation_delta[at] = delta
            observation_counts[at] = True
            earlier = seen[fragment[read]]
            if earlier >= 0:
                known = observation_allele[earlier] != UNINFORMATIVE
                better = quality > observation_quality[earlier]
                if allele == UNINFORMATIVE or (known and not better):
                    observation_counts[at] = False
                else:
                    observation_counts[earlier] = False
                    seen[fragment[read]] = at
            else:
                seen[fragment[read]] = at
            at += 1
        for index in range(observation_offset[site], at):
            seen[fragment[observation_read[index]]] = -1
