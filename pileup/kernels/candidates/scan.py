"""Walk every CIGAR once: base counts by position and strand, and left-aligned indel events."""

import numpy as np

from pileup.accelerate import kernel
from pileup.codes import UNKNOWN_BASE
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP

# An indel is shifted left at most this far; the reference passed in reaches that far beyond reads.
MAX_SHIFT = 400
# 64-bit FNV-1a offset and prime.
_FNV_OFFSET = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)


@kernel
def hash_sequence(bases, offset, length, rotation):
    """Hash `length` codes from `offset`, rotated right by `rotation` (FNV-1a, 64 bits)."""
    value = _FNV_OFFSET
    for index in range(length):
        source = offset + (index - rotation) % length
        value = (value ^ np.uint64(bases[source] + 1)) * _FNV_PRIME
    return value


@kernel
def shift_deletion(reference, start, length):
    """Return how far left a deletion of `length` at `start` can move (0-based contig position)."""
    shift = 0
    codes = reference.codes
    position = start - reference.start
    while shift < MAX_SHIFT and position - shift - 1 >= 0:
        left = codes[position - shift - 1]
        if left >= UNKNOWN_BASE or left != codes[position - shift - 1 + length]:
            break
        shift += 1
    return shift


@kernel
def shift_insertion(reference, start, bases, offset, length):
    """Return how far left an insertion before `start` can move; its sequence rotates with it."""
    shift = 0
    codes = reference.codes
    position = start - reference.start
    while shift < MAX_SHIFT and position - shift - 1 >= 0:
        left = codes[position - shift - 1]
        last = bases[offset + (length - 1 - shift % length)]
        if left >= UNKNOWN_BASE or left != last:
            break
        shift += 1
    return shift


@kernel
def count_indels(cigar_op):
    """Count insertions and deletions, to size the event arrays."""
    total = 0
    for op in cigar_op:
        if op == CINS or op == CDEL:
            total += 1
    return total


@kernel
def scan_reads(reads, reference, min_base_quality, max_allele, counts, events):
    """Count what the reads show, and list their indels of at most `max_allele` bases.

    Parameters
    ----------
    reference
        Wide enough for every read; what lies outside is left out.
    min_base_quality
        Of the bases that are counted, and of the mean over an insertion.
    counts
        Zeroed; filled.
    events
        With room for `count_indels` events; filled.
    """
    codes = reference.codes
    length = len(codes)
    found = 0
    for read in range(len(reads.read_start)):
        events.offset[read] = found
        position = np.int64(reads.read_start[read])
        query = reads.base_offset[read]
        first_op = reads.cigar_offset[read]
        last_op = reads.cigar_offset[read + 1]
        aligned_before = False
        for index in range(first_op, last_op):
            op = reads.cigar_op[index]
            size = np.int64(reads.cigar_length[index])
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                for step in range(size):
                    column = position + step - reference.start
                    if column < 0 or column >= length:
                        continue
                    base = reads.bases[query + step]
                    if reads.qualities[query + step] < min_base_quality or base >= UNKNOWN_BASE:
                        continue
                    counts.base_counts[column, base] += 1
                    counts.depth[column] += 1
                    if codes[column] < UNKNOWN_BASE and base != codes[column]:
                        counts.mismatches[read] += 1
                position += size
                query += size
                aligned_before = True
            elif op == CINS or op == CDEL:
                counts.mismatches[read] += 1
                aligned_after = False
                for later in range(index + 1, last_op):
                    later_op = reads.cigar_op[later]
                    if later_op == CMATCH or later_op == CEQUAL or later_op == CDIFF:
                        aligned_after = True
                usable = aligned_before and aligned_after and size <= max_allele
                column = position - reference.start
                if column < 1 or column + (size if op == CDEL else 0) >= length:
                    usable = False
                if op == CINS:
                    total = 0
                    for step in range(size):
                        total += np.int64(reads.qualities[query + step])
                        if reads.bases[query + step] >= UNKNOWN_BASE:
                            usable = False
                    mean = total // size if size > 0 else 0
                    if mean < min_base_quality:
                        usable = False
                    if usable:
                        shift = shift_insertion(reference, position, reads.bases, query, size)
                        events.anchor[found] = position - shift - 1
                        events.deleted[found] = 0
                        events.inserted[found] = size
                        events.source[found] = query
                        events.rotation[found] = shift % size
                        events.hash[found] = hash_sequence(reads.bases, query, size, shift % size)
                        events.quality[found] = mean
                        found += 1
                    query += size
                else:
                    for step in range(size):
                        if 0 <= column + step < length:
                            counts.depth[column + step] += 1
                    if usable:
                        shift = shift_deletion(reference, position, size)
                        events.anchor[found] = position - shift - 1
                        events.deleted[found] = size
                        events.inserted[found] = 0
                        events.source[found] = query
                        events.rotation[found] = 0
                        events.hash[found] = 0
                        events.quality[found] = min(
                            reads.qualities[query - 1], reads.qualities[query]
                        )
                        found += 1
                    position += size
            elif op == CREF_SKIP:
                position += size
            elif op == CSOFT_CLIP:
                counts.clipped[read] += size
                query += size
    events.offset[len(reads.read_start)] = found
