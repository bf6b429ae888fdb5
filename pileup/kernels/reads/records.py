"""BAM records (SAM specification, section 4.2) from inflated bytes into the arrays of a window.

`scan_records` looks at each record once and lists those that are wanted; `unpack_records` fills
`ReadArrays` with the listed ones. Every length in a record is checked against the bytes there are.
"""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import EQUAL, UNKNOWN_BASE, A, C, G, T
from pileup.kernels.spans import copy_into
from pileup.sam import (
    CDEL,
    CDIFF,
    CEQUAL,
    CIGAR_MASK,
    CIGAR_SHIFT,
    CINS,
    CMATCH,
    CREF_SKIP,
    CSOFT_CLIP,
    FDUP,
    FQCFAIL,
    FSECONDARY,
    FSUPPLEMENTARY,
    FUNMAP,
)

# How a scan ended.
NEEDS_BYTES, DONE, TABLE_FULL, MALFORMED, UNSORTED = 0, 1, 2, 3, 4
# Entries of its state: byte of the next record, records listed, start of the record before, tile
# marks set, alignments that start in the own window, and the mapped ones of them.
POSITION, LISTED, BEFORE, MARKED, PLACED, MAPPED = 0, 1, 2, 3, 4, 5
STATE_SIZE = 6
# Why an alignment is left out (entries of `skipped`); the first reason that holds counts.
UNMAPPED, SECONDARY, SUPPLEMENTARY, QC_FAIL, DUPLICATE, OTHER_FLAG = 0, 1, 2, 3, 4, 5
LOW_MAPQ, NO_SEQUENCE, NOT_ALIGNED, OTHER_SAMPLE, BEYOND_CONTIG, OVER_DEPTH = 6, 7, 8, 9, 10, 11
N_REASONS = 12

_MAX_RECORD = 1 << 29  # bytes; a length beyond is no length
_MAX_POSITION = (1 << 31) - 1
# CRC-32 of one byte (polynomial of RFC 1952).
_CRC = np.zeros(256, np.uint32)
for _byte in range(256):
    _value = _byte
    for _ in range(8):
        _value = (_value >> 1) ^ (0xEDB88320 if _value & 1 else 0)
    _CRC[_byte] = _value
# The 4-bit bases "=ACMGRSVTWYHKDBN" as codes.
_BASE = np.full(16, UNKNOWN_BASE, np.uint8)
_BASE[0], _BASE[1], _BASE[2], _BASE[4], _BASE[8] = EQUAL, A, C, G, T


@part
def _uint32(data, at):
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    return low | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@part
def _int32(data, at):
    return np.int64(np.int32(_uint32(data, at)))


@part
def _uint16(data, at):
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8


@part
def _value_size(data, at, end):
    """Bytes of the tag value whose type stands at `at`, with the type; -1 where it is cut."""
    kind = data[at]
    size = 0
    if kind == ord("A") or kind == ord("c") or kind == ord("C"):
        size = 2
    elif kind == ord("s") or kind == ord("S"):
        size = 3
    elif kind == ord("i") or kind == ord("I") or kind == ord("f"):
        size = 5
    elif kind == ord("Z") or kind == ord("H"):
        size = 1
        while at + size < end and data[at + size] != 0:
            size += 1
        size += 1
    elif kind == ord("B") and at + 6 <= end:
        item = data[at + 1]
        width = 4
        if item == ord("c") or item == ord("C"):
            width = 1
        elif item == ord("s") or item == ord("S"):
            width = 2
        size = 6 + width * _uint32(data, at + 2)
    if size == 0 or at + size > end:
        return -1
    return size


@part
def _find_tag(data, at, end, first, second):
    """Byte of the type of the tag with these two letters, in [at, end); -1 where there is none."""
    while at + 4 <= end:
        size = _value_size(data, at + 2, end)
        if size < 0:
            return -1
        if data[at] == first and data[at + 1] == second:
            return at + 2
        at += 2 + size
    return -1


@part
def _is_of_groups(data, tags, end, groups):
    """Whether a record's RG is one of the wanted read groups."""
    at = _find_tag(data, tags, end, ord("R"), ord("G"))
    if at < 0 or data[at] != ord("Z"):
        return False
    length = _value_size(data, at, end) - 2
    for group in range(len(groups.offset) - 1):
        low = groups.offset[group]
        if groups.offset[group + 1] - low == length:
            same = True
            for index in range(length):
                same = same and data[at + 1 + index] == groups.names[low + index]
            if same:
                return True
    return False


@part
def _flag_reason(flag, exclude_flags):
    """Why the flags leave an alignment out; -1 where they do not. Unmapped ones always are."""
    excluded = flag & (exclude_flags | FUNMAP)
    if excluded == 0:
        return -1
    if excluded & FUNMAP:
        return UNMAPPED
    if excluded & FSECONDARY:
        return SECONDARY
    if excluded & FSUPPLEMENTARY:
        return SUPPLEMENTARY
    if excluded & FQCFAIL:
        return QC_FAIL
    if excluded & FDUP:
        return DUPLICATE
    return OTHER_FLAG


@kernel
def _name_hash(data, at, length):
    value = np.uint32(0xFFFFFFFF)
    for index in range(length):
        value = _CRC[(value ^ data[at + index]) & np.uint32(0xFF)] ^ (value >> np.uint32(8))
    return np.uint64(value ^ np.uint32(0xFFFFFFFF))


@kernel
def scan_records(data, filled, span, rules, groups, records, skipped, tile_marks, state):
    """List the wanted records that overlap a span; stop past it or where the bytes end.

    Parameters
    ----------
    data
        uint8; records from `state[POSITION]` to `filled`, the last one may be cut.
    span, rules, groups
        `RecordSpan`, `RecordRules` and `ReadGroupNames` of pileup.arrays.
    records
        `RecordArrays`, filled from `state[LISTED]` on.
    skipped
        int64 [N_REASONS]; counts the alignments left out that start in the own window.
    tile_marks
        int64; entry k becomes the byte of the first record that ends past `span.first + k *
        span.tile`.
    state
        int64 [STATE_SIZE], kept between the calls for one span.

    Returns
    -------
    int
        How it ended: NEEDS_BYTES, DONE, TABLE_FULL, MALFORMED or UNSORTED.
    """
    # No other window reads what is placed past the contig's end.
    is_to_the_end = span.last >= span.length
    while True:
        at = state[POSITION]
        if filled - at < 4:
            return NEEDS_BYTES
        size = _int32(data, at)
        if size < 32 or size > _MAX_RECORD:
            return MALFORMED
        stop = at + 4 + size
        if stop > filled:
            return NEEDS_BYTES
        start = _int32(data, at + 8)
        if _int32(data, at + 4) != span.contig or (start >= span.last and not is_to_the_end):
            return DONE
        if state[LISTED] == len(records.offset):
            return TABLE_FULL
        if start < state[BEFORE]:
            return UNSORTED
        mapq = data[at + 13]
        n_cigar = _uint16(data, at + 16)
        flag = _uint16(data, at + 18)
        n_bases = _int32(data, at + 20)
        cigar = at + 36 + data[at + 12]
        tags = cigar + 4 * n_cigar + (n_bases + 1) // 2 + n_bases
        if data[at + 12] == 0 or n_bases < 0 or tags > stop:
            return MALFORMED
        if n_cigar > 0 and _uint32(data, cigar) == (n_bases << CIGAR_SHIFT | CSOFT_CLIP):
            # More operations than the field can count stand in a tag (section 4.2.2).
            long_cigar = _find_tag(data, tags, stop, ord("C"), ord("G"))
            if long_cigar >= 0 and data[long_cigar] == ord("B"):
                count = _uint32(data, long_cigar + 2)
                if data[long_cigar + 1] | 32 == ord("i") and count >= n_cigar:
                    cigar = long_cigar + 6
                    n_cigar = count
        reference_length = 0
        query_length = 0
        is_aligned = False
        for index in range(n_cigar):
            operation = _uint32(data, cigar + 4 * index)
            op = operation & CIGAR_MASK
            if op == CMATCH or op == CEQUAL or op == CDIFF:
                is_aligned = True
                reference_length += operation >> CIGAR_SHIFT
                query_length += operation >> CIGAR_SHIFT
            elif op == CDEL or op == CREF_SKIP:
                reference_length += operation >> CIGAR_SHIFT
            elif op == CINS or op == CSOFT_CLIP:
                query_length += operation >> CIGAR_SHIFT
        is_mapped = flag & FUNMAP == 0
        end = start + (max(1, reference_length) if is_mapped else 1)
        if end > _MAX_POSITION or (is_mapped and n_bases > 0 and query_length != n_bases):
            return MALFORMED
        state[POSITION] = stop
        state[BEFORE] = start
        while state[MARKED] < len(tile_marks) and span.first + state[MARKED] * span.tile < end:
            tile_marks[state[MARKED]] = at
            state[MARKED] += 1
        is_own = span.own_start <= start and (start < span.own_end or span.own_end >= span.length)
        if is_own:
            state[PLACED] += 1
            state[MAPPED] += is_mapped
        if end <= span.first:
            continue
        reason = _flag_reason(flag, rules.exclude_flags)
        if reason < 0:
            if mapq < rules.min_mapq:
                reason = LOW_MAPQ
            elif n_bases == 0:
                reason = NO_SEQUENCE
            elif not is_aligned:
                reason = NOT_ALIGNED
            elif rules.by_group and not _is_of_groups(data, tags, stop, groups):
                reason = OTHER_SAMPLE
            elif start >= span.length:
                reason = BEYOND_CONTIG
        if reason >= 0:
            skipped[reason] += is_own
            continue
        listed = state[LISTED]
        records.offset[listed] = at
        records.start[listed] = start
        records.end[listed] = end
        records.name_hash[listed] = _name_hash(data, at + 36, np.int64(data[at + 12]) - 1)
        records.cigar[listed] = cigar - at
        records.n_cigar[listed] = n_cigar
        records.n_bases[listed] = n_bases
        state[LISTED] = listed + 1


@kernel
def unpack_records(data, records, missing_quality, slots, reads):
    """Fill `reads` (ReadArrays, its two offsets filled already) from listed records.

    `slots` (int32, a power of two of at least twice the reads, all -1) is room to find the reads
    of one name; `missing_quality` stands for qualities that are not stored (0xFF).

    Returns
    -------
    bool
        Whether there are bases that are spelled "=", which are EQUAL in `reads`.
    """
    mask = len(slots) - 1
    fragments = 0
    seen = np.uint8(0)
    for read in range(len(records.offset)):
        at = records.offset[read]
        name_length = np.int64(data[at + 12])
        reads.read_start[read] = records.start[read]
        reads.read_end[read] = records.end[read]
        reads.mapq[read] = data[at + 13]
        reads.flag[read] = _uint16(data, at + 18)
        reads.name_hash[read] = records.name_hash[read]
        reads.template_length[read] = _int32(data, at + 32)
        slot = np.int64(records.name_hash[read]) & mask
        while True:
            other = slots[slot]
            if other < 0:
                slots[slot] = read
                reads.fragment[read] = fragments
                fragments += 1
                break
            twin = records.offset[other]
            same = records.name_hash[other] == records.name_hash[read]
            same = same and data[twin + 12] == data[at + 12]
            for index in range(name_length if same else 0):
                same = same and data[twin + 36 + index] == data[at + 36 + index]
            if same:
                reads.fragment[read] = reads.fragment[other]
                break
            slot = (slot + 1) & mask
        cigar = at + records.cigar[read]
        low = reads.cigar_offset[read]
        for index in range(records.n_cigar[read]):
            operation = _uint32(data, cigar + 4 * index)
            reads.cigar_op[low + index] = operation & CIGAR_MASK
            reads.cigar_length[low + index] = operation >> CIGAR_SHIFT
        n_bases = np.int64(records.n_bases[read])
        sequence = at + 36 + name_length + 4 * _uint16(data, at + 16)
        quality = sequence + (n_bases + 1) // 2
        low = reads.base_offset[read]
        for index in range(n_bases // 2):
            pair = data[sequence + index]
            first, second = _BASE[pair >> 4], _BASE[pair & 15]
            reads.bases[low + 2 * index] = first
            reads.bases[low + 2 * index + 1] = second
            seen |= first | second
        if n_bases & 1:
            first = _BASE[data[sequence + n_bases // 2] >> 4]
            reads.bases[low + n_bases - 1] = first
            seen |= first
        if data[quality] == 0xFF:
            for filled in range(low, low + n_bases):
                reads.qualities[filled] = missing_quality
        else:
            copy_into(data[quality : quality + n_bases], reads.qualities[low:])
    return seen & EQUAL != 0


@kernel
def pack_records(data, records, count):
    """Move the first `count` listed records to the start of `data`; return the bytes they take."""
    filled = 0
    for record in range(count):
        at = records.offset[record]
        size = 4 + _int32(data, at)
        for index in range(size):
            data[filled + index] = data[at + index]
        records.offset[record] = filled
        filled += size
    return filled
