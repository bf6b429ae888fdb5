"""Twin of kernels.reassembly.assemble: a de Bruijn graph as a dictionary of tuples."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pileup.codes import UNKNOWN_BASE

Bases = tuple[int, ...]


def kmer_edges(codes: Sequence[int], good: Sequence[bool], k: int) -> Iterator[Bases]:
    """Yield the stretches of k + 1 good bases."""
    for at in range(len(codes) - k):
        stretch = tuple(codes[at : at + k + 1])
        if all(good[at : at + k + 1]) and max(stretch) < UNKNOWN_BASE:
            yield stretch


def paths_of(
    reference: Sequence[int],
    reads: Sequence[tuple[Sequence[int], Sequence[bool]]],
    k: int,
    min_edge: int,
) -> set[Bases] | None:
    """Return every way from the first to the last k-mer of the reference, or None.

    None where the reference repeats a k-mer, or a cycle can be reached.
    """
    own = list(kmer_edges(reference, [True] * len(reference), k))
    kmers = [tuple(reference[at : at + k]) for at in range(len(reference) - k + 1)]
    if len(set(kmers)) < len(kmers):
        return None
    counted = Counter(edge for codes, good in reads for edge in kmer_edges(codes, good, k))
    kept = set(own) | {edge for edge, count in counted.items() if count >= min_edge}
    following: dict[Bases, list[Bases]] = {}
    for edge in kept:
        following.setdefault(edge[:-1], []).append(edge[1:])
    if has_cycle(following, kmers[0], kmers[-1]):
        return None
    return {
        path[0] + tuple(node[-1] for node in path[1:])
        for path in walks(following, [kmers[0]], kmers[-1])
    }


def has_cycle(following: dict[Bases, list[Bases]], source: Bases, sink: Bases) -> bool:
    """Return whether there is a cycle between the source and the sink."""

    def reachable(starts: list[Bases]) -> set[Bases]:
        seen: set[Bases] = set()
        todo = starts
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += following.get(node, []) if node != sink else []
        return seen

    return any(
        node != sink and node in reachable(list(following.get(node, [])))
        for node in reachable([source])
    )


def walks(
    following: dict[Bases, list[Bases]], path: list[Bases], sink: Bases
) -> Iterator[list[Bases]]:
    """Yield the ways on from the end of a path to the sink."""
    if path[-1] == sink:
        yield path
        return
    for node in following.get(path[-1], []):
        yield from walks(following, [*path, node], sink)
