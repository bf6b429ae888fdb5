"""The search for the best path over a contig (Cleary et al. 2015, bioRxiv 023754), in Numba.

All paths walk along the reference together, the one furthest behind first. A path dies where its
two sides spell different bases; of two in the same state the better one is kept. What is decided
when only one path is left cannot change any more and is recorded.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pileup.accelerate import inlined_part, kernel
from varcall.scoring.vcfeval import path_kernels as kernels
from varcall.scoring.vcfeval.path_kernels import (
    ADDED_END,
    EXCLUDED_NODE,
    INCLUDED,
    INCLUDED_END,
    INCLUDED_NODE,
    LAST_SYNC,
    PATH_FIELDS,
    RECORD,
    SIDE_FIELDS,
    SINCE_SYNC,
    SYNC_NODE,
    TRUTH_ALLELE,
)

EXCLUDED = -2
SKIPPED = -3
OK, QUEUE_FULL, NO_ROOM = range(3)
# Numbers kept in one array, so that helpers can change them.
(
    N_HEAP, N_FREE, N_NODES, N_SYNCS, N_HARD, MAX_POSITION, SYNC_POSITION, ITERATIONS, CLOSED, BEST,
    NUMBERS,
) = range(11)  # fmt: skip
FIRST_ROWS, FIRST_NODES, FIRST_HARD = 64, 1024, 4
BUCKETS = 1 << 13  # few paths are alive at a time; more buckets are slower, out of the near cache

Array = npt.NDArray[np.int32]
Counters = npt.NDArray[np.int64]
Shape = tuple[int, int, int]
# (rows, heap of rows, free rows, first row of each hash bucket, next row in the bucket)
Frontier = tuple[Array, Array, Array, Array, Array]
# (start, end, first orientation, allele of each haplotype, first allele, record of orientation)
Side = tuple[Array, Array, Array, Array, Array, Array]
# (pairs of a value and the next node, the path when it was last alone, a path before its step)
Kept = tuple[Array, Array, Array]
# What is found: orientations of query and truth records, sync points, regions given up.
Found = tuple[Array, Array, Array, Counters]


@kernel
def _grown(array: Any, size: int) -> Any:
    """A longer copy of an array of one or two dimensions."""
    longer = np.zeros((size, *array.shape[1:]), array.dtype)
    longer[: array.shape[0]] = array
    return longer


@kernel
def _grown_frontier(frontier: Frontier, n: Counters, more: int) -> Frontier:
    """Room for ``more`` further paths."""
    rows, heap, free, first, following = frontier
    old = rows.shape[0]
    size = 2 * old + more
    free = _grown(free, size)
    for i in range(old, size):
        free[n[N_FREE]] = i
        n[N_FREE] += 1
    return _grown(rows, size), _grown(heap, size), free, first, _grown(following, size)


@inlined_part
def _insert(frontier: Frontier, n: Counters, shape: Shape, path: int) -> None:
    """Add a path, or keep the better one when another is in the same state."""
    rows, heap, free, first, following = frontier
    bucket = kernels.state_hash(rows[path], shape, first.shape[0] - 1)
    other = first[bucket]
    while other >= 0 and kernels.compare(rows[path], rows[other], shape) != 0:
        other = following[other]
    if other >= 0:
        if kernels.is_better(rows[path], rows[other], shape):
            kernels.copy_row(
                rows[other], rows[path]
            )  # the same state, so the same place in heap and table
        free[n[N_FREE]] = path
        n[N_FREE] += 1
        return
    following[path] = first[bucket]
    first[bucket] = path
    i = n[N_HEAP]
    while i > 0:
        parent = (i - 1) >> 1
        if kernels.compare(rows[path], rows[heap[parent]], shape) >= 0:
            break
        heap[i] = heap[parent]
        i = parent
    heap[i] = path
    n[N_HEAP] += 1


@inlined_part
def _take_first(frontier: Frontier, n: Counters, shape: Shape) -> int:
    """Take out the path that is furthest behind."""
    rows, heap, _, first, following = frontier
    top = heap[0]
    n[N_HEAP] -= 1
    size = n[N_HEAP]
    last = heap[size]
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and (
            kernels.compare(rows[heap[child + 1]], rows[heap[child]], shape) < 0
        ):
            child += 1
        if kernels.compare(rows[last], rows[heap[child]], shape) <= 0:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = last
    bucket = kernels.state_hash(rows[top], shape, first.shape[0] - 1)
    if first[bucket] == top:
        first[bucket] = following[top]
    else:
        link = first[bucket]
        while following[link] != top:
            link = following[link]
        following[link] = following[top]
    return int(top)


@inlined_part
def _write_side(row: Array, side: int, nodes: Array, records: Array, out: Array) -> None:
    """Write the lists of a side: orientations of included records, marks of excluded ones."""
    node = row[side + INCLUDED_NODE]
    while node >= 0:
        out[records[nodes[node, 0]]] = nodes[node, 0]
        node = nodes[node, 1]
    node = row[side + EXCLUDED_NODE]
    while node >= 0:
        out[nodes[node, 0]] = EXCLUDED
        node = nodes[node, 1]
    row[side + INCLUDED_NODE] = -1
    row[side + EXCLUDED_NODE] = -1


@inlined_part
def _write_path(
    row: Array, shape: Shape, nodes: Array, query: Side, truth: Side, found: Found, n: Counters
) -> None:
    """Write what a path has chosen since it was last written, its sync points in their order."""
    query_used, truth_used, syncs, _ = found
    _write_side(row, 0, nodes, query[5], query_used)
    _write_side(row, shape[2], nodes, truth[5], truth_used)
    first = n[N_SYNCS]
    node = row[2 * shape[2] + SYNC_NODE]
    while node >= 0:
        syncs[n[N_SYNCS]] = nodes[node, 0]
        n[N_SYNCS] += 1
        node = nodes[node, 1]
    row[2 * shape[2] + SYNC_NODE] = -1
    last = n[N_SYNCS] - 1
    while first < last:
        syncs[first], syncs[last] = syncs[last], syncs[first]
        first += 1
        last -= 1


@inlined_part
def _skip_side(row: Array, side: int, starts: Array, n: Counters) -> None:
    """Go over the records of a side up to the position where the region was given up."""
    record = row[side + RECORD]
    limit = n[MAX_POSITION] + 1
    while record < starts.shape[0] and (record == -1 or starts[record] < limit):
        record += 1
    row[side + RECORD] = record - 1


@inlined_part
def _drop_all(frontier: Frontier, n: Counters) -> None:
    """Forget all paths."""
    _, heap, free, first, _ = frontier
    for i in range(n[N_HEAP]):
        free[n[N_FREE]] = heap[i]
        n[N_FREE] += 1
    n[N_HEAP] = 0
    first[:] = -1


@inlined_part
def _give_up(
    frontier: Frontier,
    n: Counters,
    shape: Shape,
    row: Array,
    q: Array,
    t: Array,
    last: int,
    alleles: Any,
) -> None:
    """Forget all paths and put the last certain one past the region."""
    _drop_all(frontier, n)
    n[ITERATIONS] = 0
    position = min(n[MAX_POSITION] + 1, last)
    _skip_side(row, 0, q, n)
    kernels.move_to(row, 0, shape, position, alleles)
    _skip_side(row, shape[2], t, n)
    kernels.move_to(row, shape[2], shape, position, alleles)


@kernel
def _new_frontier(shape: Shape) -> Frontier:
    """An empty frontier with room for a few paths."""
    return (
        np.zeros((FIRST_ROWS, 2 * shape[2] + PATH_FIELDS), np.int32),
        np.zeros(FIRST_ROWS, np.int32),
        np.arange(FIRST_ROWS).astype(np.int32),
        np.full(BUCKETS, -1, np.int32),
        np.zeros(FIRST_ROWS, np.int32),
    )


@inlined_part
def _mark_sync(row: Array, shape: Shape, nodes: Array, n: Counters) -> None:
    """Note a sync point before the next record is decided on."""
    g = 2 * shape[2]
    position = kernels.position_of(row, 0, shape)
    row[SINCE_SYNC] = 0
    row[shape[2] + SINCE_SYNC] = 0
    if row[g + LAST_SYNC] != position:
        nodes[n[N_NODES], 0] = position
        nodes[n[N_NODES], 1] = row[g + SYNC_NODE]
        row[g + SYNC_NODE] = n[N_NODES]
        row[g + LAST_SYNC] = position
        n[N_NODES] += 1


@inlined_part
def _linked(row: Array, field: int, value: int, nodes: Array, n: Counters) -> None:
    """Put a value in front of a list of a path."""
    nodes[n[N_NODES], 0] = value
    nodes[n[N_NODES], 1] = row[field]
    row[field] = n[N_NODES]
    n[N_NODES] += 1


@inlined_part
def _branch(
    frontier: Frontier,
    n: Counters,
    shape: Shape,
    nodes: Array,
    head: int,
    side_index: int,
    record: int,
    of_side: Side,
    alleles: Any,
) -> bool:
    """Replace a path by those that leave the record out or take it in an orientation.

    Returns False when a queue of alleles is too short.
    """
    rows, _, free, _, _ = frontier
    starts, ends, offsets, choices, first_alleles, _ = of_side
    side = side_index * shape[2]
    for orientation in range(offsets[record] - 1, offsets[record + 1]):
        is_left_out = orientation < offsets[record]
        if not is_left_out and not kernels.fits(
            rows[head], side, shape, starts[record], choices[orientation], alleles[0]
        ):
            continue
        n[N_FREE] -= 1
        child = free[n[N_FREE]]
        row = rows[child]
        kernels.copy_row(row, rows[head])
        row[side + RECORD] = record
        row[side + ADDED_END] = max(row[side + ADDED_END], ends[record])
        if is_left_out:
            _linked(row, side + EXCLUDED_NODE, record, nodes, n)
        else:
            _linked(row, side + INCLUDED_NODE, orientation, nodes, n)
            row[side + INCLUDED_END] = max(row[side + INCLUDED_END], ends[record])
            row[side + INCLUDED] += 1
            row[side + SINCE_SYNC] += 1
            if side_index == 1:
                row[2 * shape[2] + TRUTH_ALLELE] = first_alleles[orientation]
            if not kernels.include(row, side, shape, choices[orientation], alleles):
                return False
        _insert(frontier, n, shape, child)
    free[n[N_FREE]] = head
    n[N_FREE] += 1
    return True


@inlined_part
def _skip_ahead(row: Array, shape: Shape, last: int, q: Array, t: Array, alleles: Any) -> None:
    """Move a path in sync to just before the next record of either side."""
    target = last
    if row[RECORD] + 1 < q.shape[0]:
        target = min(target, q[row[RECORD] + 1])
    if row[shape[2] + RECORD] + 1 < t.shape[0]:
        target = min(target, t[row[shape[2] + RECORD] + 1])
    target -= 1
    if target > kernels.position_of(row, 0, shape):
        kernels.move_to(row, 0, shape, target, alleles)
        kernels.move_to(row, shape[2], shape, target, alleles)


DEAD, ALIVE, DONE = range(3)


@inlined_part
def _advance(
    row: Array,
    before: Array,
    shape: Shape,
    template: Any,
    alleles: Any,
    q: Array,
    t: Array,
    is_alone: bool,
) -> tuple[int, bool]:
    """One step of a path; its state, and whether it stood still.

    A haplotype past the last base may wait for one that cannot get there; vcfeval steps on until
    it gives the region up.
    """
    length = template.shape[0]
    is_at_end = kernels.position_of(row, 0, shape) >= length - 1
    if is_at_end:
        kernels.copy_row(before, row)
    kernels.step(row, shape, length, alleles)
    is_stuck = False
    if is_at_end and not kernels.is_finished(row, shape):
        is_stuck = bool(kernels.is_same_row(before, row))
        if is_stuck and is_alone:
            kernels.set_finished(row, shape)
    if kernels.is_in_sync(row, shape):
        if kernels.cancels_out(row, shape):
            return DEAD, is_stuck
        _skip_ahead(row, shape, length - 1, q, t, alleles)
    if not kernels.sides_match(row, shape, template, alleles):
        return DEAD, is_stuck
    if not kernels.is_finished(row, shape):
        return ALIVE, is_stuck
    if kernels.cancels_out(row, shape):
        return DEAD, is_stuck
    row[2 * shape[2] + LAST_SYNC] = kernels.position_of(row, 0, shape)
    return DONE, is_stuck


@inlined_part
def _is_closed(row: Array, shape: Shape, q: Array, t: Array) -> bool:
    """Whether a path is in sync behind the last record of both sides."""
    is_last = row[RECORD] + 1 >= q.shape[0] and row[shape[2] + RECORD] + 1 >= t.shape[0]
    return is_last and bool(kernels.is_in_sync(row, shape))


@inlined_part
def _walk(  # noqa: C901 (the loop over paths: its cases share all of the state)
    template: Any,
    alleles: Any,
    query: Side,
    truth: Side,
    shape: Shape,
    limits: Shape,
    frontier: Frontier,
    kept: Kept,
    found: Found,
    n: Counters,
) -> int:
    """Go on with the search until no path is left (`OK`) or an array is full.

    ``limits`` are the paths and the steps beyond which a region is given up, and the room that one
    step needs: paths and nodes.
    """
    nodes, saved, before = kept
    max_paths, max_iterations, most = limits
    rows, _, free, _, _ = frontier
    hard = found[3]
    while n[N_HEAP] > 0:
        if n[N_FREE] < most or n[N_NODES] + most > nodes.shape[0] or n[N_HARD] == hard.shape[0]:
            return NO_ROOM
        n[ITERATIONS] += 1
        head = _take_first(frontier, n, shape)
        row = rows[head]
        is_alone = n[N_HEAP] == 0
        if is_alone:
            n[ITERATIONS] = 0
            n[SYNC_POSITION] = kernels.position_of(row, 0, shape)
            if n[BEST] < 0:
                _write_path(row, shape, nodes, query, truth, found, n)
                n[N_NODES] = 0
                if n[CLOSED] == 0 and _is_closed(row, shape, query[0], truth[0]):
                    n[CLOSED] = 1
            kernels.copy_row(saved, row)
        elif n[N_HEAP] > max_paths or n[ITERATIONS] > max_iterations:
            region = hard[n[N_HARD]]
            n[N_HARD] += 1
            region[0], region[1] = n[SYNC_POSITION], n[MAX_POSITION] + 1
            region[2], region[3] = n[N_HEAP], n[ITERATIONS]
            kernels.copy_row(row, saved)
            _give_up(frontier, n, shape, row, query[0], truth[0], template.shape[0] - 1, alleles)
        if not is_alone and kernels.position_of(row, 0, shape) >= template.shape[0] - 2:
            n[CLOSED] = -1  # of several paths, none died before the end
        side_index = 0
        of_side = query
        record = kernels.next_record(row, 0, shape, query[0], alleles[2])
        if record == -1:
            side_index = 1
            of_side = truth
            record = kernels.next_record(row, shape[2], shape, truth[0], alleles[2])
        if record >= 0:
            n[MAX_POSITION] = max(n[MAX_POSITION], of_side[0][record])
            if kernels.is_in_sync(row, shape):
                _mark_sync(row, shape, nodes, n)
                if is_alone:
                    saved[SINCE_SYNC] = 0
                    saved[shape[2] + SINCE_SYNC] = 0
            if not _branch(frontier, n, shape, nodes, head, side_index, record, of_side, alleles):
                return QUEUE_FULL
            continue
        state, is_stuck = _advance(
            row, before, shape, template, alleles, query[0], truth[0], is_alone
        )
        if is_stuck:
            n[ITERATIONS] = max_iterations
        dropped = head
        if state == ALIVE:
            _insert(frontier, n, shape, head)
            continue
        best = n[BEST]
        if state == DONE and not (best >= 0 and kernels.is_better(rows[best], row, shape)):
            dropped = best
            n[BEST] = head
        if dropped >= 0:
            free[n[N_FREE]] = dropped
            n[N_FREE] += 1
    return OK


@kernel
def _most_orientations(offsets: Array) -> int:
    """Orientations of the record that has most."""
    most = 0
    for i in range(offsets.shape[0] - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return most


@kernel
def search(
    template: Any,
    alleles: Any,
    query: Side,
    truth: Side,
    ploidy: int,
    queue_size: int,
    max_paths: int,
    max_iterations: int,
    included: int,
) -> tuple[int, Array, Array, Array, Counters, bool]:
    """Best path over one contig, or over a part of one that begins and ends far from records.

    Parameters
    ----------
    template
        Codes of the contig, uint8 [length].
    alleles
        Start, end, length, offset (int32 [alleles] by rank) and the bases (uint8) of all alleles.
    query, truth
        The two sides, records in order of their spans.
    max_paths, max_iterations
        Beyond these a region is given up.
    included
        Records of each side that are used before the part: what matters is whether there are any.

    Returns
    -------
    tuple
        Status (``QUEUE_FULL`` when ``queue_size`` has to grow); for the records of query and of
        truth, int32 [records], the orientation used, ``EXCLUDED`` or ``SKIPPED`` (in a region
        given up); the sync points; the regions given up, int64 [k, 4] (start, end, paths, steps);
        whether after the last record one path was left, in sync, so that nothing that follows can
        change the choice.
    """
    hap_size = kernels.HAP_FIELDS + queue_size
    shape = (ploidy, hap_size, SIDE_FIELDS + ploidy * hap_size)
    # A step leaves a record out or takes it in an orientation, and may note a sync point.
    most = max(_most_orientations(query[2]), _most_orientations(truth[2])) + 2
    limits = (max_paths, max_iterations, most)
    n = np.zeros(NUMBERS, np.int64)
    n[N_FREE] = FIRST_ROWS
    n[BEST] = -1
    frontier = _new_frontier(shape)
    nodes = np.zeros((FIRST_NODES, 2), np.int32)
    query_used = np.full(query[0].shape[0], SKIPPED, np.int32)
    truth_used = np.full(truth[0].shape[0], SKIPPED, np.int32)
    # A path has one sync point before each record at most, and one at its end.
    syncs = np.zeros(query_used.shape[0] + truth_used.shape[0] + 1, np.int32)
    hard = np.zeros((FIRST_HARD, 4), np.int64)
    n[N_FREE] -= 1
    head = frontier[2][n[N_FREE]]
    kernels.set_start(frontier[0][head], shape)
    frontier[0][head, INCLUDED] = included
    frontier[0][head, shape[2] + INCLUDED] = included
    saved = frontier[0][head].copy()
    before = saved.copy()
    _insert(frontier, n, shape, head)
    status = NO_ROOM
    while status == NO_ROOM:
        if n[N_FREE] < most:
            frontier = _grown_frontier(frontier, n, most)
        if n[N_NODES] + most > nodes.shape[0]:
            nodes = _grown(nodes, 2 * nodes.shape[0] + most)
        if n[N_HARD] == hard.shape[0]:
            hard = _grown(hard, 2 * hard.shape[0])
        status = _walk(
            template, alleles, query, truth, shape, limits, frontier,
            (nodes, saved, before), (query_used, truth_used, syncs, hard), n,
        )  # fmt: skip
    if n[BEST] >= 0:
        row = frontier[0][n[BEST]]
        _write_path(row, shape, nodes, query, truth, (query_used, truth_used, syncs, hard), n)
        syncs[n[N_SYNCS]] = kernels.position_of(row, 0, shape)
        n[N_SYNCS] += 1
    syncs, hard = syncs[: n[N_SYNCS]], hard[: n[N_HARD]]
    return status, query_used, truth_used, syncs, hard, n[CLOSED] == 1
