"""Numba kernels of the haplotype path search (Cleary et al. 2015, bioRxiv 023754).

A *path* is a choice, so far, of the records of both sides (0 = query, 1 = truth) and of their
orientation on the haplotypes. All paths walk along the reference together, the one that is furthest
behind first; a path dies where its two sides spell different bases, and of two paths in the same state only
the better one lives on. A path is one int32 row of a pool, so that copying it is one array copy:

``[side 0][side 1][sync_node, last_sync, last_truth_allele]`` with a side being
``[record, added_end, included_end, since_sync, included, included_node, excluded_node]`` and, for each haplotype,
``[position, in_allele, last_allele_end, finished, queued, queue...]``. The queue holds allele ranks; its first entry is the
allele that is being played or comes next. ``in_allele`` is -1 while the haplotype is on the reference.
"""

import numpy as np
from numba import njit

RECORD, ADDED_END, INCLUDED_END, SINCE_SYNC, INCLUDED, INCLUDED_NODE, EXCLUDED_NODE = range(7)
SIDE_FIELDS = 7
POSITION, IN_ALLELE, LAST_END, FINISHED, QUEUED = range(5)
HAP_FIELDS = 5
SYNC_NODE, LAST_SYNC, TRUTH_ALLELE = range(3)

NO_SYNC = -9
EXCLUDED = -2
SKIPPED = -3

OK = 0
QUEUE_FULL = 1


@njit(cache=True)
def _next_base(row, hap, template_length, a_start, a_end, a_length):
    """Move one haplotype to its next base; alleles may follow each other without a reference base."""
    if row[hap + IN_ALLELE] < 0:
        row[hap + POSITION] += 1
        if row[hap + QUEUED] > 0 and a_start[row[hap + HAP_FIELDS]] == row[hap + POSITION]:
            row[hap + IN_ALLELE] = 0
    else:
        row[hap + IN_ALLELE] += 1
    while row[hap + QUEUED] > 0:
        allele = row[hap + HAP_FIELDS]
        if row[hap + IN_ALLELE] != a_length[allele]:
            break
        row[hap + POSITION] = a_end[allele]
        row[hap + IN_ALLELE] = -1
        queued = row[hap + QUEUED] - 1
        row[hap + QUEUED] = queued
        for i in range(queued):
            row[hap + HAP_FIELDS + i] = row[hap + HAP_FIELDS + i + 1]
        if queued == 0 or row[hap + POSITION] < a_start[row[hap + HAP_FIELDS]]:
            break
        row[hap + IN_ALLELE] = 0


@njit(cache=True)
def _step_haplotype(row, hap, template_length, a_start, a_end, a_length):
    if row[hap + POSITION] < template_length - 1:
        _next_base(row, hap, template_length, a_start, a_end, a_length)
    else:
        row[hap + FINISHED] = 1


@njit(cache=True)
def _base(row, hap, template, a_offset, bases):
    inside = row[hap + IN_ALLELE]
    if inside < 0:
        position = row[hap + POSITION]
        if 0 <= position < template.shape[0]:
            return template[position]
        return np.uint8(0)
    return bases[a_offset[row[hap + HAP_FIELDS]] + inside]


@njit(cache=True)
def _trailing(row, side, ploidy, hap_size):
    """Index of the haplotype that is behind, or -1 when all stand at one position."""
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


@njit(cache=True)
def _position(row, side, ploidy, hap_size):
    position = row[side + SIDE_FIELDS + POSITION]
    for h in range(1, ploidy):
        position = max(position, row[side + SIDE_FIELDS + h * hap_size + POSITION])
    return position


@njit(cache=True)
def _in_sync(row, side_size, ploidy, hap_size):
    """True when all haplotypes of both sides stand on one reference base with nothing half played."""
    if (
        _trailing(row, 0, ploidy, hap_size) != -1
        or _trailing(row, side_size, ploidy, hap_size) != -1
    ):
        return False
    position = _position(row, 0, ploidy, hap_size)
    if position != _position(row, side_size, ploidy, hap_size):
        return False
    if position < row[INCLUDED_END] or position < row[side_size + INCLUDED_END]:
        return False
    for s in range(2):
        for h in range(ploidy):
            if row[s * side_size + SIDE_FIELDS + h * hap_size + IN_ALLELE] >= 0:
                return False
    return True


@njit(cache=True)
def _finished(row, side_size, ploidy, hap_size):
    for s in range(2):
        for h in range(ploidy):
            if row[s * side_size + SIDE_FIELDS + h * hap_size + FINISHED] == 0:
                return False
    return True


@njit(cache=True)
def _finish(row, side_size, ploidy, hap_size):
    for s in range(2):
        for h in range(ploidy):
            row[s * side_size + SIDE_FIELDS + h * hap_size + FINISHED] = 1


@njit(cache=True)
def _matches(row, side_size, ploidy, hap_size, template, a_offset, bases):
    for h in range(ploidy):
        query = SIDE_FIELDS + h * hap_size
        truth = side_size + query
        if row[query + FINISHED] or row[truth + FINISHED]:
            continue
        if _base(row, query, template, a_offset, bases) != _base(
            row, truth, template, a_offset, bases
        ):
            return False
    return True


@njit(cache=True)
def _step(row, side_size, ploidy, hap_size, template_length, a_start, a_end, a_length):
    """Move the trailing haplotype of the query (and the same one of the truth), or all of them."""
    trailing = _trailing(row, 0, ploidy, hap_size)
    for s in range(2):
        for h in range(ploidy):
            if trailing == -1 or trailing == h:
                hap = s * side_size + SIDE_FIELDS + h * hap_size
                _step_haplotype(row, hap, template_length, a_start, a_end, a_length)


@njit(cache=True)
def _wants_bases(row, side, ploidy, hap_size, a_length):
    """True when some haplotype has no further base waiting behind its current allele."""
    for h in range(ploidy):
        hap = side + SIDE_FIELDS + h * hap_size
        queued = row[hap + QUEUED]
        if queued == 0:
            return True
        inside = row[hap + IN_ALLELE]
        if inside >= 0 and inside < a_length[row[hap + HAP_FIELDS]] - 1:
            continue
        waiting = False
        for i in range(1, queued):
            if a_length[row[hap + HAP_FIELDS + i]] > 0:
                waiting = True
                break
        if not waiting:
            return True
    return False


@njit(cache=True)
def _next_record(row, side, ploidy, hap_size, v_start, a_length):
    """Index of the record that has to be decided on now, or -1."""
    record = row[side + RECORD] + 1
    if record >= v_start.shape[0]:
        return -1
    if v_start[record] <= _position(row, side, ploidy, hap_size) + 1:
        return record
    if v_start[record] <= row[side + ADDED_END] and _wants_bases(
        row, side, ploidy, hap_size, a_length
    ):
        return record
    return -1


@njit(cache=True)
def _compare(pool, x, y, side_size, ploidy, hap_size):
    """Order of two paths: by what each haplotype still has to play. 0 means the same state."""
    for s in range(2):
        for h in range(ploidy):
            hap = s * side_size + SIDE_FIELDS + h * hap_size
            d = pool[x, hap + POSITION] - pool[y, hap + POSITION]
            if d != 0:
                return d
            nx, ny = pool[x, hap + QUEUED], pool[y, hap + QUEUED]
            if nx == 0 or ny == 0:
                if nx != ny:
                    return nx - ny
                continue
            d = pool[x, hap + HAP_FIELDS] - pool[y, hap + HAP_FIELDS]
            if d != 0:
                return d
            d = pool[x, hap + IN_ALLELE] - pool[y, hap + IN_ALLELE]
            if d != 0:
                return d
            for i in range(1, min(nx, ny)):
                d = pool[x, hap + HAP_FIELDS + i] - pool[y, hap + HAP_FIELDS + i]
                if d != 0:
                    return d
            if nx != ny:
                return nx - ny
    return 0


@njit(cache=True)
def _hash(pool, x, side_size, ploidy, hap_size, mask):
    value = np.uint64(1469598103934665603)
    prime = np.uint64(1099511628211)
    for s in range(2):
        for h in range(ploidy):
            hap = s * side_size + SIDE_FIELDS + h * hap_size
            value = (value ^ np.uint64(pool[x, hap + POSITION] + 1)) * prime
            queued = pool[x, hap + QUEUED]
            value = (value ^ np.uint64(queued)) * prime
            if queued > 0:
                value = (value ^ np.uint64(pool[x, hap + IN_ALLELE] + 1)) * prime
                for i in range(queued):
                    value = (value ^ np.uint64(pool[x, hap + HAP_FIELDS + i])) * prime
    return np.int64((value ^ (value >> np.uint64(29))) & np.uint64(mask))


@njit(cache=True)
def _better(pool, x, y, side_size):
    """True when path x is to be kept rather than y (ties keep y)."""
    g = 2 * side_size
    size_x = pool[x, INCLUDED] + pool[x, side_size + INCLUDED]
    size_y = pool[y, INCLUDED] + pool[y, side_size + INCLUDED]
    if size_x != size_y:
        return size_x > size_y
    if pool[x, side_size + INCLUDED] == 0 or pool[y, side_size + INCLUDED] == 0:
        return False
    surplus_x = abs(pool[x, side_size + SINCE_SYNC] - pool[x, SINCE_SYNC])
    surplus_y = abs(pool[y, side_size + SINCE_SYNC] - pool[y, SINCE_SYNC])
    if surplus_x != surplus_y:
        return surplus_x < surplus_y
    sync_x = 0 if pool[x, g + LAST_SYNC] == NO_SYNC else pool[x, g + LAST_SYNC]
    sync_y = 0 if pool[y, g + LAST_SYNC] == NO_SYNC else pool[y, g + LAST_SYNC]
    if sync_x != sync_y:
        return sync_x > sync_y
    return pool[x, g + TRUTH_ALLELE] < pool[y, g + TRUTH_ALLELE]


@njit(cache=True)
def _heap_push(heap, n, row, pool, side_size, ploidy, hap_size):
    i = n
    heap[i] = row
    while i > 0:
        parent = (i - 1) >> 1
        if _compare(pool, row, heap[parent], side_size, ploidy, hap_size) >= 0:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = row


@njit(cache=True)
def _heap_pop(heap, n, pool, side_size, ploidy, hap_size):
    """Smallest row; the heap shrinks to n - 1."""
    top = heap[0]
    last = heap[n - 1]
    n -= 1
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if (
            child + 1 < n
            and _compare(pool, heap[child + 1], heap[child], side_size, ploidy, hap_size) < 0
        ):
            child += 1
        if _compare(pool, last, heap[child], side_size, ploidy, hap_size) <= 0:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = last
    return top


@njit(cache=True)
def _collect(head, node_value, node_next, out, value_kind, v_of_orientation):
    """Write a linked list of included orientations (value_kind 0) or excluded records (1) into out."""
    while head >= 0:
        if value_kind == 0:
            out[v_of_orientation[node_value[head]]] = node_value[head]
        else:
            out[node_value[head]] = EXCLUDED
        head = node_next[head]


@njit(cache=True)
def _move_to(row, side, ploidy, hap_size, position, template_length, a_start, a_end, a_length):
    for h in range(ploidy):
        hap = side + SIDE_FIELDS + h * hap_size
        if row[hap + IN_ALLELE] >= 0:  # only after a region was given up in the middle of an allele
            row[hap + IN_ALLELE] = -1
            row[hap + QUEUED] = 0
        row[hap + POSITION] = position - 1
        _next_base(row, hap, template_length, a_start, a_end, a_length)


@njit(cache=True)
def _include(
    row, side, ploidy, hap_size, queue_size, orientation, alleles, a_start, a_end, a_length
):
    """Queue the alleles of an oriented record; False when a queue overflows."""
    for h in range(ploidy):
        allele = alleles[orientation, h]
        if allele < 0 or (a_start[allele] == a_end[allele] and a_length[allele] == 0):
            continue
        hap = side + SIDE_FIELDS + h * hap_size
        queued = row[hap + QUEUED]
        if queued >= queue_size:
            return False
        row[hap + LAST_END] = a_end[allele]
        row[hap + HAP_FIELDS + queued] = allele
        row[hap + QUEUED] = queued + 1
    return True


@njit(cache=True)
def _fits(row, side, ploidy, hap_size, start, orientation, alleles, a_start):
    """True when an oriented record does not overlap what its haplotypes already carry."""
    if start >= row[side + INCLUDED_END]:
        return True
    for h in range(ploidy):
        allele = alleles[orientation, h]
        if allele >= 0 and a_start[allele] < row[side + SIDE_FIELDS + h * hap_size + LAST_END]:
            return False
    return True


@njit(cache=True, nogil=True)
def search(
    template, a_start, a_end, a_length, a_offset, bases,
    q_start, q_end, q_orientations, q_alleles, q_first, q_record,
    t_start, t_end, t_orientations, t_alleles, t_first, t_record,
    ploidy, queue_size, max_paths, max_iterations,
):  # fmt: skip
    """Best path over one contig.

    Returns ``(status, query, truth, syncs, hard)``: ``query``/``truth`` int32 [records] hold the orientation used,
    ``EXCLUDED`` or ``SKIPPED`` (in a region given up), ``syncs`` the 0-based sync points, ``hard`` int64 [k, 4] the regions given up
    (start, end, paths, iterations). ``status`` is ``QUEUE_FULL`` when ``queue_size`` has to grow.
    """
    length = template.shape[0]
    hap_size = HAP_FIELDS + queue_size
    side_size = SIDE_FIELDS + ploidy * hap_size
    g = 2 * side_size
    width = g + 3
    capacity = 64
    pool = np.zeros((capacity, width), np.int32)
    free = np.arange(capacity).astype(np.int32)
    n_free = capacity
    heap = np.empty(capacity, np.int32)
    n_heap = 0
    mask = 4095 if q_start.shape[0] < 64 else 131071
    chain_head = np.full(mask + 1, -1, np.int32)
    chain_next = np.full(capacity, -1, np.int32)
    node_value = np.empty(1024, np.int32)
    node_next = np.empty(1024, np.int32)
    n_nodes = 0
    query = np.full(q_start.shape[0], SKIPPED, np.int32)
    truth = np.full(t_start.shape[0], SKIPPED, np.int32)
    syncs = np.empty(256, np.int32)
    n_syncs = 0
    hard = np.empty((0, 4), np.int64)

    n_free -= 1
    head = free[n_free]
    for s in range(2):
        side = s * side_size
        pool[head, side + RECORD] = -1
        pool[head, side + INCLUDED_NODE] = -1
        pool[head, side + EXCLUDED_NODE] = -1
        for h in range(ploidy):
            hap = side + SIDE_FIELDS + h * hap_size
            pool[head, hap + POSITION] = -1
            pool[head, hap + IN_ALLELE] = -1
            pool[head, hap + LAST_END] = -1
    pool[head, g + SYNC_NODE] = -1
    pool[head, g + LAST_SYNC] = NO_SYNC
    saved = pool[head].copy()
    bucket = _hash(pool, head, side_size, ploidy, hap_size, mask)
    chain_head[bucket] = head
    _heap_push(heap, 0, head, pool, side_size, ploidy, hap_size)
    n_heap = 1
    best = -1
    iterations = 0
    max_position = 0
    sync_position = 0
    children = np.empty(64, np.int32)

    while n_heap > 0:
        iterations += 1
        head = _heap_pop(heap, n_heap, pool, side_size, ploidy, hap_size)
        n_heap -= 1
        bucket = _hash(pool, head, side_size, ploidy, hap_size, mask)
        if chain_head[bucket] == head:
            chain_head[bucket] = chain_next[head]
        else:
            link = chain_head[bucket]
            while chain_next[link] != head:
                link = chain_next[link]
            chain_next[link] = chain_next[head]
        alone = n_heap == 0
        if alone:
            iterations = 0
            sync_position = _position(pool[head], 0, ploidy, hap_size)
            if (
                best < 0
            ):  # nothing decided so far can change any more: write it down and forget the lists
                _collect(pool[head, INCLUDED_NODE], node_value, node_next, query, 0, q_record)
                _collect(pool[head, EXCLUDED_NODE], node_value, node_next, query, 1, q_record)
                _collect(
                    pool[head, side_size + INCLUDED_NODE], node_value, node_next, truth, 0, t_record
                )
                _collect(
                    pool[head, side_size + EXCLUDED_NODE], node_value, node_next, truth, 1, t_record
                )
                first = n_syncs
                node = pool[head, g + SYNC_NODE]
                while node >= 0:
                    if n_syncs >= syncs.shape[0]:
                        grown = np.empty(2 * syncs.shape[0], np.int32)
                        grown[:n_syncs] = syncs
                        syncs = grown
                    syncs[n_syncs] = node_value[node]
                    n_syncs += 1
                    node = node_next[node]
                syncs[first:n_syncs] = syncs[first:n_syncs][::-1].copy()
                for s in range(2):
                    pool[head, s * side_size + INCLUDED_NODE] = -1
                    pool[head, s * side_size + EXCLUDED_NODE] = -1
                pool[head, g + SYNC_NODE] = -1
                n_nodes = 0
            saved[:] = pool[head]
        elif n_heap > max_paths or iterations > max_iterations:
            region = np.empty((hard.shape[0] + 1, 4), np.int64)
            region[:-1] = hard
            region[-1, 0] = sync_position
            region[-1, 1] = max_position + 1
            region[-1, 2] = n_heap
            region[-1, 3] = iterations
            hard = region
            for i in range(n_heap):
                free[n_free] = heap[i]
                n_free += 1
            n_heap = 0
            chain_head[:] = -1
            iterations = 0
            pool[head] = saved
            for s in range(2):
                side = s * side_size
                starts = q_start if s == 0 else t_start
                record = pool[head, side + RECORD]
                while record < starts.shape[0] and (
                    record == -1 or starts[record] < max_position + 1
                ):
                    record += 1
                pool[head, side + RECORD] = record - 1
                _move_to(
                    pool[head],
                    side,
                    ploidy,
                    hap_size,
                    min(max_position + 1, length - 1),
                    length,
                    a_start,
                    a_end,
                    a_length,
                )

        n_children = 0
        enqueued = False
        for s in range(2):
            side = s * side_size
            v_start = q_start if s == 0 else t_start
            record = _next_record(pool[head], side, ploidy, hap_size, v_start, a_length)
            if record == -1:
                continue
            enqueued = True
            orientations = q_orientations if s == 0 else t_orientations
            alleles = q_alleles if s == 0 else t_alleles
            v_end = q_end if s == 0 else t_end
            first_allele = q_first if s == 0 else t_first
            max_position = max(max_position, v_start[record])
            n_new = orientations[record + 1] - orientations[record] + 1
            # room for the children: rows, heap slots, list nodes
            if n_free < n_new:
                grown_pool = np.zeros((2 * capacity + n_new, width), np.int32)
                grown_pool[:capacity] = pool
                pool = grown_pool
                grown_free = np.empty(2 * capacity + n_new, np.int32)
                grown_free[:n_free] = free[:n_free]
                for i in range(capacity, 2 * capacity + n_new):
                    grown_free[n_free] = i
                    n_free += 1
                free = grown_free
                grown_chain = np.full(2 * capacity + n_new, -1, np.int32)
                grown_chain[:capacity] = chain_next
                chain_next = grown_chain
                grown_heap = np.empty(2 * capacity + n_new, np.int32)
                grown_heap[:n_heap] = heap[:n_heap]
                heap = grown_heap
                capacity = 2 * capacity + n_new
            if n_nodes + n_new + 2 > node_value.shape[0]:
                grown_value = np.empty(2 * node_value.shape[0] + n_new, np.int32)
                grown_value[:n_nodes] = node_value[:n_nodes]
                node_value = grown_value
                grown_next = np.empty(2 * node_next.shape[0] + n_new, np.int32)
                grown_next[:n_nodes] = node_next[:n_nodes]
                node_next = grown_next
            if n_new > children.shape[0]:
                children = np.empty(2 * n_new, np.int32)
            if _in_sync(pool[head], side_size, ploidy, hap_size):
                position = _position(pool[head], 0, ploidy, hap_size)
                pool[head, SINCE_SYNC] = 0
                pool[head, side_size + SINCE_SYNC] = 0
                if alone:
                    saved[SINCE_SYNC] = 0
                    saved[side_size + SINCE_SYNC] = 0
                if pool[head, g + LAST_SYNC] != position:
                    node_value[n_nodes] = position
                    node_next[n_nodes] = pool[head, g + SYNC_NODE]
                    pool[head, g + SYNC_NODE] = n_nodes
                    pool[head, g + LAST_SYNC] = position
                    n_nodes += 1
            for orientation in range(orientations[record] - 1, orientations[record + 1]):
                leave_out = orientation < orientations[record]
                if not leave_out and not _fits(
                    pool[head],
                    side,
                    ploidy,
                    hap_size,
                    v_start[record],
                    orientation,
                    alleles,
                    a_start,
                ):
                    continue
                n_free -= 1
                child = free[n_free]
                pool[child] = pool[head]
                field = EXCLUDED_NODE if leave_out else INCLUDED_NODE
                node_value[n_nodes] = record if leave_out else orientation
                node_next[n_nodes] = pool[head, side + field]
                pool[child, side + field] = n_nodes
                n_nodes += 1
                pool[child, side + RECORD] = record
                pool[child, side + ADDED_END] = max(pool[head, side + ADDED_END], v_end[record])
                if not leave_out:
                    pool[child, side + INCLUDED_END] = max(
                        pool[head, side + INCLUDED_END], v_end[record]
                    )
                    pool[child, side + INCLUDED] += 1
                    pool[child, side + SINCE_SYNC] += 1
                    if s == 1:
                        pool[child, g + TRUTH_ALLELE] = first_allele[orientation]
                    if not _include(
                        pool[child],
                        side,
                        ploidy,
                        hap_size,
                        queue_size,
                        orientation,
                        alleles,
                        a_start,
                        a_end,
                        a_length,
                    ):
                        return QUEUE_FULL, query, truth, syncs[:0], hard
                children[n_children] = child
                n_children += 1
            break
        if enqueued:
            free[n_free] = head
            n_free += 1
        else:
            row = pool[head]
            at_end = _position(row, 0, ploidy, hap_size) >= length - 1
            before = row.copy() if at_end else saved
            _step(row, side_size, ploidy, hap_size, length, a_start, a_end, a_length)
            if (
                at_end
                and np.array_equal(before, row)
                and not _finished(row, side_size, ploidy, hap_size)
            ):
                # A haplotype behind the last base waits for one that cannot get there; vcfeval steps on until it gives the region up.
                iterations = max_iterations
                if alone:
                    _finish(row, side_size, ploidy, hap_size)
            keep = True
            if _in_sync(row, side_size, ploidy, hap_size):
                # one side's records cancel out to the reference: not a match
                if (row[SINCE_SYNC] == 0) != (row[side_size + SINCE_SYNC] == 0):
                    keep = False
                else:
                    target = length - 1
                    if row[RECORD] + 1 < q_start.shape[0]:
                        target = min(target, q_start[row[RECORD] + 1])
                    if row[side_size + RECORD] + 1 < t_start.shape[0]:
                        target = min(target, t_start[row[side_size + RECORD] + 1])
                    target -= 1
                    if target > _position(row, 0, ploidy, hap_size):
                        _move_to(row, 0, ploidy, hap_size, target, length, a_start, a_end, a_length)
                        _move_to(
                            row,
                            side_size,
                            ploidy,
                            hap_size,
                            target,
                            length,
                            a_start,
                            a_end,
                            a_length,
                        )
            if keep and not _matches(row, side_size, ploidy, hap_size, template, a_offset, bases):
                keep = False
            if keep and _finished(row, side_size, ploidy, hap_size):
                if (row[SINCE_SYNC] == 0) == (row[side_size + SINCE_SYNC] == 0):
                    row[g + LAST_SYNC] = _position(row, 0, ploidy, hap_size)
                    if best < 0:
                        best = head
                    elif _better(pool, best, head, side_size):
                        free[n_free] = head
                        n_free += 1
                    else:
                        free[n_free] = best
                        n_free += 1
                        best = head
                    continue
                keep = False
            if keep:
                children[0] = head
                n_children = 1
            else:
                free[n_free] = head
                n_free += 1

        for c in range(n_children):
            child = children[c]
            bucket = _hash(pool, child, side_size, ploidy, hap_size, mask)
            other = chain_head[bucket]
            while other >= 0 and _compare(pool, child, other, side_size, ploidy, hap_size) != 0:
                other = chain_next[other]
            if other < 0:
                chain_next[child] = chain_head[bucket]
                chain_head[bucket] = child
                _heap_push(heap, n_heap, child, pool, side_size, ploidy, hap_size)
                n_heap += 1
            else:
                if _better(
                    pool, child, other, side_size
                ):  # same state, so the same place in heap and table
                    pool[other] = pool[child]
                free[n_free] = child
                n_free += 1

    if best >= 0:
        _collect(pool[best, INCLUDED_NODE], node_value, node_next, query, 0, q_record)
        _collect(pool[best, EXCLUDED_NODE], node_value, node_next, query, 1, q_record)
        _collect(pool[best, side_size + INCLUDED_NODE], node_value, node_next, truth, 0, t_record)
        _collect(pool[best, side_size + EXCLUDED_NODE], node_value, node_next, truth, 1, t_record)
        tail = np.empty(n_nodes + 1, np.int32)
        n_tail = 0
        node = pool[best, g + SYNC_NODE]
        while node >= 0:
            tail[n_tail] = node_value[node]
            n_tail += 1
            node = node_next[node]
        joined = np.empty(n_syncs + n_tail + 1, np.int32)
        joined[:n_syncs] = syncs[:n_syncs]
        joined[n_syncs : n_syncs + n_tail] = tail[:n_tail][::-1]
        joined[n_syncs + n_tail] = _position(pool[best], 0, ploidy, hap_size)
        return OK, query, truth, joined, hard
    return OK, query, truth, syncs[:n_syncs].copy(), hard
