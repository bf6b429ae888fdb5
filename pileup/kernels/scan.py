"""Walk every CIGAR once: base counts by position and strand, and left-aligned indel events."""

import numpy as np

from pileup.accelerate import kernel

# BAM CIGAR codes (SAM 1.4.6): M 0, I 1, D 2, N 3, S 4, H 5, P 6, = 7, X 8.
_M, _I, _D, _N, _S, _EQ, _X = 0, 1, 2, 3, 4, 7, 8
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
def shift_deletion(reference, reference_start, start, length):
    """Return how far left a deletion of `length` at `start` can move (0-based contig position)."""
    shift = 0
    position = start - reference_start
    while shift < MAX_SHIFT and position - shift - 1 >= 0:
        left = reference[position - shift - 1]
        if left > 3 or left != reference[position - shift - 1 + length]:
            break
        shift += 1
    return shift


@kernel
def shift_insertion(reference, reference_start, start, bases, offset, length):
    """Return how far left an insertion before `start` can move; its sequence rotates with it."""
    shift = 0
    position = start - reference_start
    while shift < MAX_SHIFT and position - shift - 1 >= 0:
        left = reference[position - shift - 1]
        last = bases[offset + (length - 1 - shift % length)]
        if left > 3 or left != last:
            break
        shift += 1
    return shift


@kernel
def count_indels(cigar_op):
    """Count insertions and deletions, to size the event arrays."""
    total = 0
    for op in cigar_op:
        if op == _I or op == _D:
            total += 1
    return total


@kernel
def scan_reads(
    read_start,
    base_offset,
    bases,
    qualities,
    cigar_offset,
    cigar_op,
    cigar_length,
    reference,
    reference_start,
    min_base_quality,
    max_allele,
    base_counts,
    depth,
    mismatches,
    clipped,
    event_offset,
    event_anchor,
    event_deleted,
    event_inserted,
    event_source,
    event_rotation,
    event_hash,
    event_quality,
):
    """Fill the counts of a window and the list of its indel events; return how many events.

    Parameters
    ----------
    reference, reference_start
        uint8 codes of the contig from `reference_start` on; wide enough for every read.
    base_counts
        int32 [length, 4], zeroed: bases of quality >= `min_base_quality`.
    depth
        int32 [length], zeroed: reads with such a base, or a deletion, at the position.
    mismatches, clipped
        int32 [n], zeroed: mismatching good bases plus indels, and soft-clipped bases, by read.
    event_*
        One entry per indel, in read order: anchor (the reference base before it, left-aligned),
        deleted and inserted length, where its bases lie in `bases` and how far they are rotated,
        the hash of the rotated bases, and the mean base quality. `event_offset` int64 [n + 1].
    """
    length = len(depth)
    events = 0
    for read in range(len(read_start)):
        event_offset[read] = events
        position = np.int64(read_start[read])
        query = base_offset[read]
        first_op = cigar_offset[read]
        last_op = cigar_offset[read + 1]
        aligned_before = False
        for index in range(first_op, last_op):
            op = cigar_op[index]
            size = np.int64(cigar_length[index])
            if op == _M or op == _EQ or op == _X:
                for step in range(size):
                    column = position + step - reference_start
                    if column < 0 or column >= length:
                        continue
                    base = bases[query + step]
                    if qualities[query + step] < min_base_quality or base > 3:
                        continue
                    base_counts[column, base] += 1
                    depth[column] += 1
                    if reference[column] <= 3 and base != reference[column]:
                        mismatches[read] += 1
                position += size
                query += size
                aligned_before = True
            elif op == _I or op == _D:
                mismatches[read] += 1
                aligned_after = False
                for later in range(index + 1, last_op):
                    later_op = cigar_op[later]
                    if later_op == _M or later_op == _EQ or later_op == _X:
                        aligned_after = True
                usable = aligned_before and aligned_after and size <= max_allele
                column = position - reference_start
                if column < 1 or column + (size if op == _D else 0) >= length:
                    usable = False
                if op == _I:
                    total = 0
                    for step in range(size):
                        total += np.int64(qualities[query + step])
                        if bases[query + step] > 3:
                            usable = False
                    mean = total // size if size > 0 else 0
                    if mean < min_base_quality:
                        usable = False
                    if usable:
                        shift = shift_insertion(
                            reference, reference_start, position, bases, query, size
                        )
                        event_anchor[events] = position - shift - 1
                        event_deleted[events] = 0
                        event_inserted[events] = size
                        event_source[events] = query
                        event_rotation[events] = shift % size
                        event_hash[events] = hash_sequence(bases, query, size, shift % size)
                        event_quality[events] = mean
                        events += 1
                    query += size
                else:
                    for step in range(size):
                        if 0 <= column + step < length:
                            depth[column + step] += 1
                    if usable:
                        shift = shift_deletion(reference, reference_start, position, size)
                        event_anchor[events] = position - shift - 1
                        event_deleted[events] = size
                        event_inserted[events] = 0
                        event_source[events] = query
                        event_rotation[events] = 0
                        event_hash[events] = 0
                        event_quality[events] = min(qualities[query - 1], qualities[query])
                        events += 1
                    position += size
            elif op == _N:
                position += size
            elif op == _S:
                clipped[read] += size
                query += size
    event_offset[len(read_start)] = events
    return events
