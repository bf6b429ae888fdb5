"""Positions that look heterozygous beyond doubt, and the base that each fragment shows there."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.kernels.reads.walk import count_fragments
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP, FREVERSE

# A base next to so many that equal those one, two or three before them is in or at a repeat: a run
# of five, four copies of a unit of two or three.
_REPEATED = (4, 6, 9)
_CHECKED = 12
# Reads of either strand from which on both bases must show on both strands.
_BOTH_STRANDS = 4
# A MAPQ of 255 is not known; this one counts as neither good nor bad.
_ABSENT_MAPQ, _NEUTRAL_MAPQ = 255, 40
_NO_VOTE = 2


@kernel
def is_near_repeat(codes, column):
    """Return whether a repeat of a unit of one to three bases ends or begins beside a column."""
    for unit in range(1, len(_REPEATED) + 1):
        for step in (-1, 1):
            same = 0
            for distance in range(1, _CHECKED - unit + 1):
                one = column + step * distance
                other = column + step * (distance + unit)
                if min(one, other) < 0 or max(one, other) >= len(codes):
                    break
                if codes[one] != codes[other]:
                    break
                same += 1
            if same >= _REPEATED[unit - 1]:
                return True
    return False


@kernel
def find_hets(reference, counts, first, last, rules, columns, bases):
    """Find columns in [first, last) of the reference that look heterozygous; return their number.

    `columns` (int64) and `bases` (uint8 [., 2], the smaller first) have room for all.
    """
    found = 0
    for column in range(first, last):
        ref = reference.codes[column]
        depth = counts.depth[column]
        if ref >= UNKNOWN_BASE or depth < 2 * rules.min_fragments:
            continue
        alt = -1
        for base in range(N_BASES):
            if base != ref and (
                alt < 0 or counts.base_counts[column, base] > counts.base_counts[column, alt]
            ):
                alt = base
        n_ref = np.int64(counts.base_counts[column, ref])
        n_alt = np.int64(counts.base_counts[column, alt])
        rarer = min(n_ref, n_alt)
        if rarer < rules.min_fragments or 100 * rarer < rules.min_percent * (n_ref + n_alt):
            continue
        if 100 * (depth - n_ref - n_alt) > rules.max_other_percent * depth:
            continue
        if is_near_repeat(reference.codes, column):
            continue
        columns[found] = column
        bases[found, 0] = min(ref, alt)
        bases[found, 1] = max(ref, alt)
        found += 1
    return found


@part
def first_from(positions, position):
    """Return the index of the first of sorted positions that is not below one."""
    low = 0
    high = len(positions)
    while low < high:
        middle = (low + high) // 2
        if positions[middle] < position:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def count_votes(reads, positions, room):
    """Fill `room` (int64 [h]) with the number of reads over each position."""
    for read in range(len(reads.read_start)):
        het = first_from(positions, reads.read_start[read])
        while het < len(positions) and positions[het] < reads.read_end[read]:
            room[het] += 1
            het += 1


@kernel
def collect_votes(reads, positions, bases, min_base_quality, offset, filled, voters, alleles):
    """Write what each read shows at each position: reads (int32) and alleles (uint8).

    Those of position h begin at `offset[h]`; `filled` (int64 [h], zeroed) counts them.
    """
    for read in range(len(reads.read_start)):
        het = first_from(positions, reads.read_start[read])
        at = np.int64(reads.read_start[read])
        query = reads.base_offset[read]
        for index in range(reads.cigar_offset[read], reads.cigar_offset[read + 1]):
            if het >= len(positions) or positions[het] >= reads.read_end[read]:
                break
            op = reads.cigar_op[index]
            size = np.int64(reads.cigar_length[index])
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                while het < len(positions) and positions[het] < at + size:
                    source = query + positions[het] - at
                    base = reads.bases[source]
                    is_one = base == bases[het, 0] or base == bases[het, 1]
                    if is_one and reads.qualities[source] >= min_base_quality:
                        place = offset[het] + filled[het]
                        voters[place] = read
                        alleles[place] = base == bases[het, 1]
                        filled[het] += 1
                    het += 1
                at += size
                query += size
            elif op == CDEL or op == CREF_SKIP:
                at += size
                while het < len(positions) and positions[het] < at:
                    het += 1
            elif op == CINS or op == CSOFT_CLIP:
                query += size


@part
def _is_confirmed(reads, voters, alleles, rules):
    """Return whether the reads of one position still say that it is heterozygous."""
    fragments = np.zeros(2, np.int64)
    strands = np.zeros((2, 2), np.int64)
    mapq = np.zeros(2, np.int64)
    for index in range(len(voters)):
        allele = alleles[index]
        if allele != _NO_VOTE:
            read = voters[index]
            value = np.int64(reads.mapq[read])
            mapq[allele] += _NEUTRAL_MAPQ if value == _ABSENT_MAPQ else value
            fragments[allele] += 1
            strands[allele, 1 if reads.flag[read] & FREVERSE else 0] += 1
    rarer = min(fragments[0], fragments[1])
    both = fragments[0] + fragments[1]
    if rarer < rules.min_fragments or 100 * rarer < rules.min_percent * both:
        return False
    for allele in range(2):
        if mapq[allele] < rules.min_mapq * fragments[allele]:
            return False
    for strand in range(2):
        other = strands[0, 1 - strand] + strands[1, 1 - strand]
        shown = strands[0, strand] + strands[1, strand]
        if min(shown, other) >= _BOTH_STRANDS and min(strands[0, strand], strands[1, strand]) == 0:
            return False
    return True


@kernel
def settle_votes(reads, rules, offset, filled, voters, alleles, confirmed):
    """Give each fragment one vote a position, and mark (bool [h]) positions that stay.

    Of two mates that show different bases neither votes, of two that agree the first.
    """
    seen = np.full(count_fragments(reads), -1, np.int64)
    for het in range(len(filled)):
        last = offset[het] + filled[het]
        for index in range(offset[het], last):
            fragment = reads.fragment[voters[index]]
            earlier = seen[fragment]
            if earlier < 0:
                seen[fragment] = index
                continue
            if alleles[index] != alleles[earlier]:
                alleles[earlier] = _NO_VOTE
            alleles[index] = _NO_VOTE
        for index in range(offset[het], last):
            seen[reads.fragment[voters[index]]] = -1
        ones = voters[offset[het] : last], alleles[offset[het] : last]
        confirmed[het] = _is_confirmed(reads, ones[0], ones[1], rules)


@kernel
def keep_votes(reads, offset, filled, voters, alleles, confirmed, kept_offset, fragment, allele):
    """Copy the votes of the positions that stay, in order; `kept_offset` is theirs."""
    kept = 0
    at = 0
    for het in range(len(filled)):
        if not confirmed[het]:
            continue
        for index in range(offset[het], offset[het] + filled[het]):
            if alleles[index] != _NO_VOTE:
                fragment[at] = reads.fragment[voters[index]]
                allele[at] = alleles[index]
                at += 1
        kept += 1
        kept_offset[kept] = at
