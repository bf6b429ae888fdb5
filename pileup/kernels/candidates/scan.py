"""Walk every CIGAR once: base counts by position, and left-aligned indel events."""

import numpy as np

from pileup.accelerate import kernel, view_part
from pileup.codes import UNKNOWN_BASE
from pileup.sam import CDEL, CDIFF, CEQUAL, CINS, CMATCH, CREF_SKIP, CSOFT_CLIP

# An indel is shifted left at most this far; the reference passed in reaches that far beyond reads.
MAX_SHIFT = 400
# Bases compared at once: what one instruction of the CPU holds, and a word where that differs.
_CHUNK = 32
_WORD = 8
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


@view_part
def _is_alike(reads, at, codes, column, size, min_base_quality):
    """Tell whether `size` bases are surely those of the reference: known, the same and good."""
    bases = reads.bases[at : at + size]
    qualities = reads.qualities[at : at + size]
    wanted = codes[column : column + size]
    other = False  # of any integer LLVM would make 64 bits, and compare four at once
    for index in range(size):
        other |= bases[index] != wanted[index]
        other |= wanted[index] >= UNKNOWN_BASE
        other |= qualities[index] < min_base_quality
    return not other


@view_part
def _count_alike(reads, at, codes, column, size, min_base_quality):
    """Return how many of the next `size` bases, and no more, are seen to be the reference's.

    What is left behind whole chunks is compared together with bases before it.
    """
    alike = 0
    while alike < size and size >= _CHUNK:
        step = min(alike, size - _CHUNK)
        if not _is_alike(reads, at + step, codes, column + step, _CHUNK, min_base_quality):
            break
        alike = step + _CHUNK
    while alike < size and size >= _WORD:
        step = min(alike, size - _WORD)
        if not _is_alike(reads, at + step, codes, column + step, _WORD, min_base_quality):
            break
        alike = step + _WORD
    return alike


@kernel
def scan_reads(reads, reference, min_base_quality, max_allele, counts, events, unlike):
    """Count what the reads show; list their indels of at most `max_allele` bases, and other bases.

    Parameters
    ----------
    reference
        Wide enough for every read; what lies outside is left out.
    min_base_quality
        uint8, of the bases that are counted, and of the mean over an insertion.
    counts
        Zeroed; filled.
    events
        With room for `count_indels` events; filled.
    unlike
        With room for all bases; filled.
    """
    codes = reference.codes
    length = len(codes)
    # Reads that show the reference at each position, as the change from the one before.
    alike = np.zeros(length + 1, np.int32)
    found = listed = 0
    for read in range(len(reads.read_start)):
        events.offset[read] = found
        unlike.offset[read] = listed
        position = np.int64(reads.read_start[read])
        query = reads.base_offset[read]
        first_op = reads.cigar_offset[read]
        last_op = reads.cigar_offset[read + 1]
        aligned_before = False
        for index in range(first_op, last_op):
            op = reads.cigar_op[index]
            size = np.int64(reads.cigar_length[index])
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                column = position - reference.start
                step = max(0, -column)
                last = min(size, length - column)
                while step < last:
                    same = _count_alike(
                        reads, query + step, codes, column + step, last - step, min_base_quality
                    )
                    alike[column + step] += 1
                    step += same
                    alike[column + step] -= 1
                    for other in range(step, min(step + _WORD, last)):
                        base, code = reads.bases[query + other], codes[column + other]
                        quality = np.int16(reads.qualities[query + other])
                        is_good = quality >= min_base_quality and base < UNKNOWN_BASE
                        if not is_good or base != code:
                            unlike.base[listed] = query + other - reads.base_offset[read]
                            unlike.quality[listed] = quality if is_good else -1
                            listed += 1
                        if not is_good:
                            continue
                        counts.base_counts[column + other, base] += 1
                        counts.depth[column + other] += 1
                        if code < UNKNOWN_BASE and base != code:
                            counts.mismatches[read] += 1
                    step += _WORD
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
    unlike.offset[len(reads.read_start)] = listed
    showing = 0
    for column in range(length):
        showing += alike[column]
        if showing > 0:
            counts.base_counts[column, codes[column]] += showing
            counts.depth[column] += showing
