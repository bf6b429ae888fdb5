"""Which allele each read shows at each candidate site."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import INDEL, NOT_SPANNING, OTHER, REF, UNINFORMATIVE, UNKNOWN_BASE
from pileup.kernels.reads.walk import (
    DELETED,
    count_fragments,
    first_base_from,
    first_overlapping,
    longest_span,
    query_index,
)


@kernel
def count_overlaps(reads, sites, counts):
    """Fill `counts` (int64 [m]) with the number of reads that touch [start, repeat_end)."""
    longest = longest_span(reads)
    for site in range(len(sites.start)):
        start = sites.start[site]
        total = 0
        for read in range(first_overlapping(reads, longest, start), len(reads.read_start)):
            if reads.read_start[read] >= sites.repeat_end[site]:
                break
            if reads.read_end[read] > start:
                total += 1
        counts[site] = total


@part
def _substitution_allele(read, site, reads, reference, sites, min_base_quality):
    """Return (allele, quality) of a read at an SNV or MNV."""
    start = sites.start[site]
    first_alt = sites.alt_offset[site]
    last_alt = sites.alt_offset[site + 1]
    matches_ref = True
    matching_alts = (1 << (last_alt - first_alt)) - 1
    lowest = 255
    for step in range(sites.ref_length[site]):
        query = query_index(read, start + step, reads)
        if query == DELETED:
            return OTHER, 0
        if query < 0:
            return UNINFORMATIVE, 0
        lowest = min(lowest, reads.qualities[query])
        base = reads.bases[query]
        if base >= UNKNOWN_BASE:
            return UNINFORMATIVE, 0
        if base != reference.codes[start + step - reference.start]:
            matches_ref = False
        for alt in range(first_alt, last_alt):
            if sites.alt_bases[sites.alt_base_offset[alt] + step] != base:
                matching_alts &= ~(1 << (alt - first_alt))
    if lowest < min_base_quality:
        return UNINFORMATIVE, lowest
    if matches_ref:
        return REF, lowest
    for alt in range(last_alt - first_alt):
        if matching_alts >> alt & 1:
            return alt + 1, lowest
    return OTHER, lowest


@part
def _indel_allele(read, site, reads, events, sites):
    """Return (allele, quality, delta): delta is the read's net length change over the repeat.

    A read spans the repeat where it has a base at the anchor and one beyond the repeat: just beyond
    it, or past the deletion that took that one.
    """
    start = sites.start[site]
    repeat_end = sites.repeat_end[site]
    first_alt = sites.alt_offset[site]
    allele = UNINFORMATIVE
    quality = 0
    touched = False
    for event in range(events.offset[read], events.offset[read + 1]):
        anchor = events.anchor[event]
        if anchor == start:
            for alt in range(first_alt, sites.alt_offset[site + 1]):
                if (
                    events.deleted[event] == sites.alt_deleted[alt]
                    and events.inserted[event] == sites.alt_inserted[alt]
                    and events.hash[event] == sites.alt_hash[alt]
                ):
                    allele = alt - first_alt + 1
                    quality = events.quality[event]
        # The reach of a deletion matters too: one that began before the site may swallow it.
        if anchor < repeat_end and anchor + 1 + events.deleted[event] > start:
            touched = True
    before = query_index(read, start, reads)
    after, reached = first_base_from(read, repeat_end, reads)
    if before < 0 or after < 0:
        if allele == UNINFORMATIVE and touched:
            allele = OTHER
        return allele, quality, NOT_SPANNING
    change = (after - before) - (reached - start)
    if allele == UNINFORMATIVE:
        # An indel too doubtful to be an event still makes the read no REF read.
        allele = OTHER if touched or change != 0 else REF
        quality = min(reads.qualities[before], reads.qualities[after])
    return allele, quality, change


@part
def _replaced_allele(read, site, reads, reference, sites, min_base_quality):
    """Return (allele, quality, delta) where the site's ALT puts bases in the place of others.

    Mappers write such an allele in several ways. So it is known by its bases, between the anchor
    and the first one beyond the site, not by its CIGAR.
    """
    start = sites.start[site]
    before = query_index(read, start, reads)
    after, reached = first_base_from(read, sites.repeat_end[site], reads)
    if before < 0 or after < 0:
        return UNINFORMATIVE, 0, NOT_SPANNING
    change = (after - before) - (reached - start)
    first_base = sites.alt_base_offset[sites.alt_offset[site]]
    put = after - before - 1
    is_alt = put == sites.alt_inserted[sites.alt_offset[site]] and reached == sites.repeat_end[site]
    is_ref = change == 0
    lowest = min(reads.qualities[before], reads.qualities[after])
    for step in range(put):
        base = reads.bases[before + 1 + step]
        lowest = min(lowest, reads.qualities[before + 1 + step])
        if base >= UNKNOWN_BASE:
            return UNINFORMATIVE, 0, change
        if is_alt and base != sites.alt_bases[first_base + step]:
            is_alt = False
        if is_ref and base != reference.codes[start + 1 + step - reference.start]:
            is_ref = False
    if lowest < min_base_quality:
        return UNINFORMATIVE, lowest, change
    if is_alt:
        return 1, lowest, change
    return REF if is_ref else OTHER, lowest, change


@kernel
def observe_sites(reads, events, reference, sites, min_base_quality, shown):
    """Fill one observation per read and site it touches.

    `shown.offset` comes from `count_overlaps`; the rest of `shown` is filled. `shown.counts` is
    false for all but one of the observations of a fragment: where mates overlap only the
    informative and better one is counted (samtools mpileup does likewise).
    """
    longest = longest_span(reads)
    seen = np.full(count_fragments(reads), -1, np.int64)
    for site in range(len(sites.start)):
        start = sites.start[site]
        at = shown.offset[site]
        first_alt = sites.alt_offset[site]
        is_indel = sites.kind[site] == INDEL
        replaces = (
            is_indel and sites.alt_deleted[first_alt] > 0 and sites.alt_inserted[first_alt] > 0
        )
        for read in range(first_overlapping(reads, longest, start), len(reads.read_start)):
            if reads.read_start[read] >= sites.repeat_end[site]:
                break
            if reads.read_end[read] <= start:
                continue
            delta = NOT_SPANNING
            if not is_indel:
                allele, quality = _substitution_allele(
                    read, site, reads, reference, sites, min_base_quality
                )
            elif replaces:
                allele, quality, delta = _replaced_allele(
                    read, site, reads, reference, sites, min_base_quality
                )
            else:
                allele, quality, delta = _indel_allele(read, site, reads, events, sites)
            shown.read[at] = read
            shown.allele[at] = allele
            shown.quality[at] = quality
            shown.delta[at] = delta
            shown.counts[at] = True
            fragment = reads.fragment[read]
            earlier = seen[fragment]
            if earlier >= 0:
                known = shown.allele[earlier] != UNINFORMATIVE
                better = quality > shown.quality[earlier]
                if allele == UNINFORMATIVE or (known and not better):
                    shown.counts[at] = False
                else:
                    shown.counts[earlier] = False
                    seen[fragment] = at
            else:
                seen[fragment] = at
            at += 1
        for index in range(shown.offset[site], at):
            seen[reads.fragment[shown.read[index]]] = -1
