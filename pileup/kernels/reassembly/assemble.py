"""A de Bruijn graph of the reads of a region, and the haplotypes it spells."""

import numpy as np

from pileup.accelerate import kernel, part
from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.kernels.reassembly.align import place_haplotype
from pileup.kernels.reassembly.haplotypes import MAX_LENGTH, NO_FRAGMENT, add_spelling
from pileup.kernels.spans import are_known, copy_into

# DeepVariant tries every k from 10 to 101 (realigner.py); steps of 5 cost a fifth of that, and k
# need only be as long as the repeats of a region within 5 bases.
MIN_K, MAX_K, K_STEP = 10, 100, 5
# The graph reaches this far beyond a region's flanks of k bases, so that it begins at k-mers that
# most reads share.
LEAD = 15
# Its nodes, in a hash table of twice the size, and the paths that are followed.
MAX_NODES = 8192
MAX_PATHS = 16
# DeepVariant: edges of fewer reads are pruned unless they are of the reference.
MIN_EDGE = 2
_EMPTY = -1
# Bases are hashed by odd numbers without pattern (fractional parts of square roots).
_CODES = np.array(
    [0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1], np.uint64
)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_NO_COST = 1 << 30
# Cost of a branch: 64 times the binary logarithm of its share.
_LOGARITHMS = np.round(64 * np.log2(np.maximum(np.arange(4097), 1))).astype(np.int64)


@part
def _find(table, keys, key):
    """Return the slot of a key, or of the place for it."""
    mask = np.uint64(len(table) - 1)
    slot = np.int64((key ^ key >> np.uint64(29)) & mask)
    while table[slot] != _EMPTY and keys[table[slot]] != key:
        slot = (slot + 1) & np.int64(mask)
    return slot


@part
def _thread(codes, qualities, min_quality, k, is_reference, graph):
    """Thread a sequence through the graph; return false where it is full or a k-mer comes twice.

    Only the reference may not repeat a k-mer.
    """
    table, keys, edges, weights, of_reference, size = graph
    power = np.uint64(1)
    for _ in range(k - 1):
        power = power * _FACTOR
    value = np.uint64(0)
    run = 0
    before = -1
    for index in range(len(codes)):
        code = codes[index]
        if code >= UNKNOWN_BASE or (not is_reference and qualities[index] < min_quality):
            run = 0
            before = -1
            value = np.uint64(0)
            continue
        if run >= k:
            value -= _CODES[codes[index - k]] * power
        value = value * _FACTOR + _CODES[code]
        run += 1
        if run < k:
            continue
        slot = _find(table, keys, value)
        node = table[slot]
        if node == _EMPTY:
            if size[0] == MAX_NODES:
                return False
            node = size[0]
            table[slot] = node
            keys[node] = value
            size[0] += 1
        elif is_reference:
            return False
        if before >= 0:
            edges[before, code] = node
            if is_reference:
                of_reference[before, code] = True
            else:
                weights[before, code] += 1
        before = node
    return True


@part
def _order(edges, keep, source, sink):
    """Return the nodes on the way from source to sink, in topological order.

    Empty where a cycle can be reached from the source, or the sink cannot.
    """
    n = len(edges)
    state = np.zeros(n, np.uint8)
    next_code = np.zeros(n, np.uint8)
    useful = np.zeros(n, np.bool_)
    useful[sink] = True
    stack = np.empty(n, np.int64)
    order = np.empty(n, np.int64)
    found = n
    stack[0] = source
    state[source] = 1
    depth = 1
    while depth > 0:
        node = stack[depth - 1]
        code = next_code[node]
        if node == sink or code == N_BASES:
            state[node] = 2
            depth -= 1
            if depth > 0 and useful[node]:
                useful[stack[depth - 1]] = True
            if useful[node]:
                found -= 1
                order[found] = node
            continue
        next_code[node] = code + 1
        if not keep[node, code]:
            continue
        child = edges[node, code]
        if state[child] == 1:
            return order[:0]
        if state[child] == 2:
            useful[node] = useful[node] or useful[child]
        else:
            state[child] = 1
            stack[depth] = child
            depth += 1
    return order[found:] if useful[source] else order[:0]


@part
def _best_paths(order, edges, keep, weights, costs, came_node, came_rank, came_code, counts):
    """Fill the MAX_PATHS cheapest ways from the first node of `order` to each other one.

    A way costs the logarithm of the share of the reads that go it, at every branch.
    """
    useful = np.zeros(len(edges), np.bool_)
    for node in order:
        useful[node] = True
    counts[order[0]] = 1
    costs[order[0], 0] = 0
    came_node[order[0], 0] = -1
    for node in order:
        total = 0
        for code in range(N_BASES):
            if keep[node, code] and useful[edges[node, code]]:
                total += max(weights[node, code], 1)
        for code in range(N_BASES):
            if not keep[node, code] or not useful[edges[node, code]]:
                continue
            child = edges[node, code]
            step = (
                _LOGARITHMS[min(total, 4096)] - _LOGARITHMS[min(max(weights[node, code], 1), 4096)]
            )
            for rank in range(counts[node]):
                cost = costs[node, rank] + step
                place = counts[child]
                while place > 0 and costs[child, place - 1] > cost:
                    place -= 1
                if place == MAX_PATHS:
                    break
                for at in range(min(counts[child], MAX_PATHS - 1), place, -1):
                    costs[child, at] = costs[child, at - 1]
                    came_node[child, at] = came_node[child, at - 1]
                    came_rank[child, at] = came_rank[child, at - 1]
                    came_code[child, at] = came_code[child, at - 1]
                costs[child, place] = cost
                came_node[child, place] = node
                came_rank[child, place] = rank
                came_code[child, place] = code
                counts[child] = min(counts[child] + 1, MAX_PATHS)


@part
def follow_paths(codes, k, min_edge, edges, weights, of_reference, size, paths, lengths):
    """Spell the likeliest paths from the first to the last k-mer of the reference `codes`.

    Parameters
    ----------
    edges, weights, of_reference
        int32, int32 and bool [nodes, 4]: by the base that follows a k-mer, the next one, how many
        reads go there, and whether the reference does. Nodes 0, 1, ... are those of `codes`.
    paths, lengths
        uint8 [MAX_PATHS, MAX_LENGTH] and int64 [MAX_PATHS]; filled.

    Returns
    -------
    The number of paths, likeliest first; 0 where the graph has a cycle.
    """
    n = size
    keep = np.empty((n, N_BASES), np.bool_)
    for node in range(n):
        for code in range(N_BASES):
            keep[node, code] = of_reference[node, code] or weights[node, code] >= min_edge
    sink = len(codes) - k
    order = _order(edges[:n], keep, 0, sink)
    if len(order) == 0:
        return 0
    costs = np.empty((n, MAX_PATHS), np.int64)
    came_node = np.empty((n, MAX_PATHS), np.int32)
    came_rank = np.empty((n, MAX_PATHS), np.int32)
    came_code = np.empty((n, MAX_PATHS), np.uint8)
    counts = np.zeros(n, np.int64)
    _best_paths(order, edges, keep, weights, costs, came_node, came_rank, came_code, counts)
    found = 0
    for rank in range(counts[sink]):
        length = k
        node, at = sink, rank
        while came_node[node, at] >= 0:
            node, at = came_node[node, at], came_rank[node, at]
            length += 1
        if length > MAX_LENGTH:
            continue
        copy_into(codes[:k], paths[found])
        lengths[found] = length
        node, at = sink, rank
        while came_node[node, at] >= 0:
            length -= 1
            paths[found, length] = came_code[node, at]
            node, at = came_node[node, at], came_rank[node, at]
        found += 1
    return found


@kernel
def assemble(segments, reads, reference, start, end, min_base_quality, paths, lengths):
    """Fill `paths` and `lengths` from the smallest k whose graph has no cycle.

    Returns
    -------
    The number of paths, and the contig position where they begin; they end as far beyond `end`.
    """
    chosen = 0
    for index in range(len(segments.read)):
        chosen += segments.chosen[index]
    min_edge = max(MIN_EDGE, chosen // 50)
    table = np.empty(2 * MAX_NODES, np.int32)
    keys = np.empty(MAX_NODES, np.uint64)
    edges = np.empty((MAX_NODES, N_BASES), np.int32)
    weights = np.empty((MAX_NODES, N_BASES), np.int32)
    of_reference = np.empty((MAX_NODES, N_BASES), np.bool_)
    size = np.zeros(1, np.int64)
    used = 0
    for k in range(MIN_K, MAX_K + 1, K_STEP):
        first = start - k - LEAD - reference.start
        last = end + k + LEAD - reference.start
        if first < 0 or last > len(reference.codes):
            break
        codes = reference.codes[first:last]
        if not are_known(codes):
            break
        for slot in range(len(table)):
            table[slot] = _EMPTY
        for node in range(used if used > 0 else MAX_NODES):
            for code in range(N_BASES):
                weights[node, code] = 0
                of_reference[node, code] = False
        size[0] = 0
        graph = (table, keys, edges, weights, of_reference, size)
        whole = _thread(codes, reads.qualities[:0], min_base_quality, k, True, graph)
        for index in range(len(segments.read)):
            if whole and segments.chosen[index]:
                read = segments.read[index]
                low = max(reads.base_offset[read], segments.first[index] - k - LEAD)
                high = min(reads.base_offset[read + 1], segments.last[index] + k + LEAD)
                whole = _thread(
                    reads.bases[low:high],
                    reads.qualities[low:high],
                    min_base_quality,
                    k,
                    False,
                    graph,
                )
        used = max(used, size[0])
        if size[0] == MAX_NODES:
            break
        if whole:
            found = follow_paths(
                codes, k, min_edge, edges, weights, of_reference, size[0], paths, lengths
            )
            if found > 0:
                return found, first + reference.start
    return 0, start


@part
def add_paths(paths, lengths, found, path_start, start, end, reference, merged):
    """Add the part of each path that replaces [start, end) to the haplotypes `merged`.

    What a path shows outside the region is left out: another region may have it.
    """
    lead = start - path_start
    first = path_start - reference.start
    codes = reference.codes[first : first + end - start + 2 * lead]
    known = reference.codes[start - reference.start : end - reference.start]
    place = np.empty(MAX_LENGTH, np.int64)
    for rank in range(found):
        n = lengths[rank]
        path = paths[rank, :n]
        place_haplotype(path, codes, place)
        low = -1
        high = -1
        for index in range(n):
            if place[index] == lead:
                low = index
            if place[index] == lead + end - start - 1:
                high = index + 1
        if low < 0 or high <= low:
            continue
        same = high - low == len(known)
        for index in range(len(known) if same else 0):
            same = same and path[low + index] == known[index]
        if same:
            continue
        add_spelling(merged, path[low:high], NO_FRAGMENT)
