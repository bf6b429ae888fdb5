"""Numba kernels of one path of the haplotype search: its state, and how it walks.

A *path* is a choice, so far, of the records of both sides (0 = query, 1 = truth) and of their
orientation on the haplotypes. It is one int32 row, so that copying it is one array copy:

``[side 0][side 1][sync_node, last_sync, truth_allele]`` with a side being
``[record, added_end, included_end, since_sync, included, included_node, excluded_node]`` and, for
each haplotype, ``[position, in_allele, last_allele_end, finished, queued, queue...]``.
The queue holds ranks of alleles; its first is the one that is played or comes next. ``in_allele``
is -1 while the haplotype is on the reference.

``shape`` is (ploidy, fields of a haplotype, fields of a side); ``alleles`` is (start, end, length,
offset into the bases, bases) of all alleles by rank.
"""

import numpy as np

from pileup.accelerate import inlined_part

RECORD, ADDED_END, INCLUDED_END, SINCE_SYNC, INCLUDED, INCLUDED_NODE, EXCLUDED_NODE = range(7)
SIDE_FIELDS = 7
POSITION, IN_ALLELE, LAST_END, FINISHED, QUEUED = range(5)
HAP_FIELDS = 5
SYNC_NODE, LAST_SYNC, TRUTH_ALLELE = range(3)
PATH_FIELDS = 3
NO_SYNC = -9  # a sync point may be -1, before the first base


@inlined_part
def copy_row(target, source):
    """Copy a path; Numba's own copy of an array asks first whether the two overlap."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@inlined_part
def is_same_row(a, b):
    """True when all fields of two paths are equal."""
    for i in range(a.shape[0]):
        if a[i] != b[i]:
            return False
    return True


@inlined_part
def set_start(row, shape):
    """Put a path before the first base."""
    ploidy, hap_size, side_size = shape
    row[:] = 0
    for s in range(2):
        side = s * side_size
        row[side + RECORD] = -1
        row[side + INCLUDED_NODE] = -1
        row[side + EXCLUDED_NODE] = -1
        for h in range(ploidy):
            hap = side + SIDE_FIELDS + h * hap_size
            row[hap + POSITION] = -1
            row[hap + IN_ALLELE] = -1
            row[hap + LAST_END] = -1
    row[2 * side_size + SYNC_NODE] = -1
    row[2 * side_size + LAST_SYNC] = NO_SYNC


@inlined_part
def _next_base(row, hap, alleles):
    """Move one haplotype to its next base; alleles may follow each other directly."""
    starts, ends, lengths, _, _ = alleles
    if row[hap + IN_ALLELE] < 0:
        row[hap + POSITION] += 1
        if row[hap + QUEUED] > 0 and starts[row[hap + HAP_FIELDS]] == row[hap + POSITION]:
            row[hap + IN_ALLELE] = 0
    else:
        row[hap + IN_ALLELE] += 1
    while row[hap + QUEUED] > 0:
        allele = row[hap + HAP_FIELDS]
        if row[hap + IN_ALLELE] != lengths[allele]:
            break
        row[hap + POSITION] = ends[allele]
        row[hap + IN_ALLELE] = -1
        queued = row[hap + QUEUED] - 1
        row[hap + QUEUED] = queued
        for i in range(queued):
            row[hap + HAP_FIELDS + i] = row[hap + HAP_FIELDS + i + 1]
        if queued == 0 or row[hap + POSITION] < starts[row[hap + HAP_FIELDS]]:
            break
        row[hap + IN_ALLELE] = 0


@inlined_part
def _base(row, hap, template, alleles):
    inside = row[hap + IN_ALLELE]
    if inside < 0:
        position = row[hap + POSITION]
        if 0 <= position < template.shape[0]:
            return template[position]
        return np.uint8(0)
    return alleles[4][alleles[3][row[hap + HAP_FIELDS]] + inside]


@inlined_part
def _trailing(row, side, shape):
    """Index of the haplotype that is behind, or -1 when all stand at one position."""
    ploidy, hap_size, _ = shape
    first = row[side + SIDE_FIELDS + POSITION]
    lowest, highest, which = first, first, 0
    for h in range(1, ploidy):
        position = row[side + SIDE_FIELDS + h * hap_size + POSITION]
        if position < lowest:
            lowest = position
            which = h
        elif position > lowest:
            highest = position
    return -1 if lowest == highest else which


@inlined_part
def position_of(row, side, shape):
    """Furthest position of the haplotypes of a side."""
    ploidy, hap_size, _ = shape
    position = row[side + SIDE_FIELDS + POSITION]
    for h in range(1, ploidy):
        position = max(position, row[side + SIDE_FIELDS + h * hap_size + POSITION])
    return position


@inlined_part
def is_in_sync(row, shape):
    """True when all haplotypes stand on one reference base with nothing half played."""
    ploidy, hap_size, side_size = shape
    if _trailing(row, 0, shape) != -1 or _trailing(row, side_size, shape) != -1:
        return False
    position = position_of(row, 0, shape)
    if position != position_of(row, side_size, shape):
        return False
    if position < row[INCLUDED_END] or position < row[side_size + INCLUDED_END]:
        return False
    for s in range(2):
        for h in range(ploidy):
            if row[s * side_size + SIDE_FIELDS + h * hap_size + IN_ALLELE] >= 0:
                return False
    return True


@inlined_part
def cancels_out(row, shape):
    """True when, since the last sync point, one side has records and the other has none."""
    return (row[SINCE_SYNC] == 0) != (row[shape[2] + SINCE_SYNC] == 0)


@inlined_part
def is_finished(row, shape):
    """True when all haplotypes have reached the end of the contig."""
    ploidy, hap_size, side_size = shape
    for s in range(2):
        for h in range(ploidy):
            if row[s * side_size + SIDE_FIELDS + h * hap_size + FINISHED] == 0:
                return False
    return True


@inlined_part
def set_finished(row, shape):
    """End a path that cannot go on."""
    ploidy, hap_size, side_size = shape
    for s in range(2):
        for h in range(ploidy):
            row[s * side_size + SIDE_FIELDS + h * hap_size + FINISHED] = 1


@inlined_part
def sides_match(row, shape, template, alleles):
    """True when both sides spell the same base on each haplotype."""
    ploidy, hap_size, side_size = shape
    for h in range(ploidy):
        query = SIDE_FIELDS + h * hap_size
        truth = side_size + query
        if row[query + FINISHED] or row[truth + FINISHED]:
            continue
        if _base(row, query, template, alleles) != _base(row, truth, template, alleles):
            return False
    return True


@inlined_part
def step(row, shape, template_length, alleles):
    """Move the trailing haplotype of the query (and the same one of the truth), or all."""
    ploidy, hap_size, side_size = shape
    trailing = _trailing(row, 0, shape)
    for s in range(2):
        for h in range(ploidy):
            if trailing not in (-1, h):
                continue
            hap = s * side_size + SIDE_FIELDS + h * hap_size
            if row[hap + POSITION] < template_length - 1:
                _next_base(row, hap, alleles)
            else:
                row[hap + FINISHED] = 1


@inlined_part
def move_to(row, side, shape, position, alleles):
    """Put a side on a position without looking at what lies between."""
    ploidy, hap_size, _ = shape
    for h in range(ploidy):
        hap = side + SIDE_FIELDS + h * hap_size
        if row[hap + IN_ALLELE] >= 0:  # only after a region was given up within an allele
            row[hap + IN_ALLELE] = -1
            row[hap + QUEUED] = 0
        row[hap + POSITION] = position - 1
        _next_base(row, hap, alleles)


@inlined_part
def _wants_bases(row, side, shape, lengths):
    """True when some haplotype has no further base waiting behind its current allele."""
    ploidy, hap_size, _ = shape
    for h in range(ploidy):
        hap = side + SIDE_FIELDS + h * hap_size
        queued = row[hap + QUEUED]
        if queued == 0:
            return True
        inside = row[hap + IN_ALLELE]
        if inside >= 0 and inside < lengths[row[hap + HAP_FIELDS]] - 1:
            continue
        waiting = False
        for i in range(1, queued):
            waiting = waiting or lengths[row[hap + HAP_FIELDS + i]] > 0
        if not waiting:
            return True
    return False


@inlined_part
def next_record(row, side, shape, starts, lengths):
    """Index of the record that has to be decided on now, or -1."""
    record = row[side + RECORD] + 1
    if record >= starts.shape[0]:
        return -1
    if starts[record] <= position_of(row, side, shape) + 1:
        return record
    if starts[record] <= row[side + ADDED_END] and _wants_bases(row, side, shape, lengths):
        return record
    return -1


@inlined_part
def fits(row, side, shape, start, choice, starts):
    """True when an oriented record does not overlap what its haplotypes already carry."""
    if start >= row[side + INCLUDED_END]:
        return True
    for h in range(shape[0]):
        last_end = row[side + SIDE_FIELDS + h * shape[1] + LAST_END]
        if choice[h] >= 0 and starts[choice[h]] < last_end:
            return False
    return True


@inlined_part
def include(row, side, shape, choice, alleles):
    """Queue the alleles of an oriented record; False when a queue overflows."""
    starts, ends, lengths, _, _ = alleles
    for h in range(shape[0]):
        allele = choice[h]
        if allele < 0 or (starts[allele] == ends[allele] and lengths[allele] == 0):
            continue
        hap = side + SIDE_FIELDS + h * shape[1]
        queued = row[hap + QUEUED]
        if queued >= shape[1] - HAP_FIELDS:
            return False
        row[hap + LAST_END] = ends[allele]
        row[hap + HAP_FIELDS + queued] = allele
        row[hap + QUEUED] = queued + 1
    return True


@inlined_part
def compare(a, b, shape):
    """Order of two paths by what each haplotype still has to play; 0 is the same state."""
    ploidy, hap_size, side_size = shape
    for s in range(2):
        for h in range(ploidy):
            hap = s * side_size + SIDE_FIELDS + h * hap_size
            d = a[hap + POSITION] - b[hap + POSITION]
            if d != 0:
                return d
            n_a, n_b = a[hap + QUEUED], b[hap + QUEUED]
            if n_a == 0 or n_b == 0:
                if n_a != n_b:
                    return n_a - n_b
                continue
            d = a[hap + HAP_FIELDS] - b[hap + HAP_FIELDS]
            if d != 0:
                return d
            d = a[hap + IN_ALLELE] - b[hap + IN_ALLELE]
            if d != 0:
                return d
            for i in range(1, min(n_a, n_b)):
                d = a[hap + HAP_FIELDS + i] - b[hap + HAP_FIELDS + i]
                if d != 0:
                    return d
            if n_a != n_b:
                return n_a - n_b
    return 0


@inlined_part
def state_hash(row, shape, mask):
    """Hash of what ``compare`` looks at (FNV-1a)."""
    ploidy, hap_size, side_size = shape
    value = np.uint64(14695981039346656037)
    prime = np.uint64(1099511628211)
    for s in range(2):
        for h in range(ploidy):
            hap = s * side_size + SIDE_FIELDS + h * hap_size
            value = (value ^ np.uint64(row[hap + POSITION] + 1)) * prime
            queued = row[hap + QUEUED]
            value = (value ^ np.uint64(queued)) * prime
            if queued > 0:
                value = (value ^ np.uint64(row[hap + IN_ALLELE] + 1)) * prime
                for i in range(queued):
                    value = (value ^ np.uint64(row[hap + HAP_FIELDS + i])) * prime
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(mask))


@inlined_part
def is_better(a, b, shape):
    """True when path a is to be kept rather than b in the same state (ties keep b).

    More records; then fewer surplus records of one side since the last sync point, a later sync
    point, a lower allele of the last truth record.
    """
    side_size = shape[2]
    g = 2 * side_size
    size_a = a[INCLUDED] + a[side_size + INCLUDED]
    size_b = b[INCLUDED] + b[side_size + INCLUDED]
    if size_a != size_b:
        return size_a > size_b
    if a[side_size + INCLUDED] == 0 or b[side_size + INCLUDED] == 0:
        return False
    surplus_a = abs(a[side_size + SINCE_SYNC] - a[SINCE_SYNC])
    surplus_b = abs(b[side_size + SINCE_SYNC] - b[SINCE_SYNC])
    if surplus_a != surplus_b:
        return surplus_a < surplus_b
    sync_a = 0 if a[g + LAST_SYNC] == NO_SYNC else a[g + LAST_SYNC]
    sync_b = 0 if b[g + LAST_SYNC] == NO_SYNC else b[g + LAST_SYNC]
    if sync_a != sync_b:
        return sync_a > sync_b
    return a[g + TRUTH_ALLELE] < b[g + TRUTH_ALLELE]
