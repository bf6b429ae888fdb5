"""Phase the heterozygous SNVs around each site, and tag the reads there by them."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import PUTATIVE, UNKNOWN_LEVEL
from pileup.kernels.image.draw import support_level
from pileup.kernels.phasing.hets import first_from
from pileup.kernels.reads.walk import count_fragments

# Hets nearer to the site's own alleles may come of the same misalignment as they.
APART = 10
# Of the hets within reach, at most the nearest so many.
MAX_HETS = 16
# Fragments that must link a het to others before they say anything of it.
MIN_LINKS = 3


@part
def _nearby(site, reach, sites, hets, chosen):
    """Fill `chosen` with the nearest hets beside a site, by position; return their number."""
    start = sites.start[site]
    right = first_from(
        hets.position, max(sites.repeat_end[site], start + sites.ref_length[site]) + APART
    )
    left = first_from(hets.position, start - APART)
    first, last = left, right
    while (left - first) + (last - right) < MAX_HETS:
        before = start - hets.position[first - 1] if first > 0 else reach + 1
        after = hets.position[last] - start if last < len(hets.position) else reach + 1
        if min(before, after) > reach:
            break
        if before <= after:
            first -= 1
        else:
            last += 1
    found = 0
    for het in range(first, left):
        chosen[found] = het
        found += 1
    for het in range(right, last):
        chosen[found] = het
        found += 1
    return found


@part
def _gather(chosen, count, hets, masks, touched):
    """Set a bit of `masks` (uint32 [fragments, 2]) for each vote; return how many voted."""
    voters = 0
    for index in range(count):
        het = chosen[index]
        bit = np.uint32(1 << index)
        for vote in range(hets.offset[het], hets.offset[het + 1]):
            fragment = hets.fragment[vote]
            if masks[fragment, 0] | masks[fragment, 1] == 0:
                touched[voters] = fragment
                voters += 1
            masks[fragment, hets.allele[vote]] |= bit
    return voters


@part
def _compare(count, masks, touched, voters, links, same):
    """Count fragments over each two hets, and those that show the same of two alleles in both."""
    for one in range(count):
        for other in range(count):
            links[one, other] = 0
            same[one, other] = 0
    for index in range(voters):
        first = np.int64(masks[touched[index], 0])
        second = np.int64(masks[touched[index], 1])
        both = first | second
        for one in range(count):
            if not both >> one & 1:
                continue
            for other in range(one):
                if both >> other & 1:
                    links[one, other] += 1
                    same[one, other] += (second >> one & 1) == (second >> other & 1)


@part
def is_contradicted(het, count, links, same):
    """Return whether more of the other hets contradict a het than agree with it.

    Two agree where three of four fragments over both, or more, pair their alleles alike.
    """
    balance = 0
    for other in range(count):
        if other == het:
            continue
        total = links[max(het, other), min(het, other)]
        if total < MIN_LINKS:
            continue
        lead = abs(2 * same[max(het, other), min(het, other)] - total)
        balance += 1 if 2 * lead >= total else -1
    return balance < 0


@part
def _tag(site, reads, shown, score, votes, best):
    """Tag the site's reads by the scores of a block where that tags more than `best`."""
    tagged = 0
    for index in range(shown.offset[site], shown.offset[site + 1]):
        fragment = reads.fragment[shown.read[index]]
        if shown.counts[index]:
            tagged += score[fragment] != 0 and 2 * abs(score[fragment]) >= votes[fragment]
    if tagged <= best:
        return best
    for index in range(shown.offset[site], shown.offset[site + 1]):
        fragment = reads.fragment[shown.read[index]]
        shown.haplotype[index] = 0
        if score[fragment] != 0 and 2 * abs(score[fragment]) >= votes[fragment]:
            shown.haplotype[index] = 1 if score[fragment] < 0 else 2
    return tagged


@part
def _lead(het, hets, score):
    """Return how many fragments link a het to a block, and by how many its larger allele leads."""
    total = 0
    lead = 0
    for vote in range(hets.offset[het], hets.offset[het + 1]):
        known = score[hets.fragment[vote]]
        if known != 0:
            total += 1
            lead += 1 if (known > 0) == (hets.allele[vote] == 1) else -1
    return total, lead


@kernel
def tag_reads(reads, sites, hets, reach, shown):
    """Fill `shown.haplotype` (zeroed): the haplotype of each read at each site, 0 where not known.

    At each site the hets within `reach` are phased from left to right. A het joins the block before
    it where three of four fragments that link it say so; one that is linked and not clear is left
    out, one that is not linked begins a block. Haplotype 1 has the smaller allele at the block's
    first het. Of several blocks the one that tags most fragments counts.
    """
    fragments = max(1, count_fragments(reads))
    masks = np.zeros((fragments, 2), np.uint32)
    touched = np.empty(fragments, np.int32)
    score = np.zeros(fragments, np.int32)
    votes = np.zeros(fragments, np.int32)
    chosen = np.empty(MAX_HETS, np.int64)
    links = np.zeros((MAX_HETS, MAX_HETS), np.int64)
    same = np.zeros((MAX_HETS, MAX_HETS), np.int64)
    for site in range(len(sites.start)):
        count = _nearby(site, reach, sites, hets, chosen)
        if count == 0:
            continue
        voters = _gather(chosen, count, hets, masks, touched)
        _compare(count, masks, touched, voters, links, same)
        best = 0
        for index in range(count):
            if is_contradicted(index, count, links, same):
                continue
            het = chosen[index]
            total, lead = _lead(het, hets, score)
            if total >= MIN_LINKS and 2 * abs(lead) < total:
                continue
            if total < MIN_LINKS:
                best = _tag(site, reads, shown, score, votes, best)
                for voter in range(voters):
                    score[touched[voter]] = 0
                    votes[touched[voter]] = 0
            turn = -1 if total >= MIN_LINKS and lead < 0 else 1
            for vote in range(hets.offset[het], hets.offset[het + 1]):
                score[hets.fragment[vote]] += turn if hets.allele[vote] == 1 else -turn
                votes[hets.fragment[vote]] += 1
        _tag(site, reads, shown, score, votes, best)
        for voter in range(voters):
            masks[touched[voter], 0] = 0
            masks[touched[voter], 1] = 0
            score[touched[voter]] = 0
            votes[touched[voter]] = 0


@kernel
def tally_haplotypes(questions, shown, tally):
    """Fill `tally` (float64 [q, 2, 2], zeroed): fragments by haplotype, without and with an ALT.

    Those that are informative and tagged count; the ALT is a putative one of the question.
    """
    for question in range(len(questions.site)):
        site = questions.site[question]
        mask = np.int64(questions.alleles[question])
        for index in range(shown.offset[site], shown.offset[site + 1]):
            haplotype = shown.haplotype[index]
            level = support_level(shown.allele[index], mask)
            if shown.counts[index] and haplotype > 0 and level != UNKNOWN_LEVEL:
                tally[question, haplotype - 1, 1 if level == PUTATIVE else 0] += 1
