"""Twin of kernels.reads.library: counts behind a library profile."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from pileup.codes import N_BASES, UNKNOWN_BASE
from pileup.twins.alignment import Read, Stretch

Run = tuple[int, int, int]
"""A homopolymer: start, end (0-based half-open, on the contig) and base."""


def runs(reference: Stretch, shortest: int) -> list[Run]:
    """Return the homopolymers of known bases of at least `shortest` bases."""
    found, at = [], reference.start
    for base, members in groupby(reference.codes):
        length = len(list(members))
        if base != UNKNOWN_BASE and length >= shortest:
            found.append((at, at + length, base))
        at += length
    return found


def tally_bases(
    reads: Iterable[Read], min_quality: int
) -> tuple[Counter[tuple[int, int]], Counter[int]]:
    """Count good bases by position and base, and all aligned bases by position."""
    counts: Counter[tuple[int, int]] = Counter()
    coverage: Counter[int] = Counter()
    for read in reads:
        for position, index in read.columns().items():
            if index >= 0:
                coverage[position] += 1
                counts[position, read.bases[index]] += read.qualities[index] >= min_quality
    return counts, coverage


def find_plain(
    counts: Counter[tuple[int, int]],
    reference: Stretch,
    min_depth: int,
    variant_count: int,
    variant_fraction: float,
) -> tuple[set[int], dict[int, float]]:
    """Return the positions where nothing looks variant, and the others' commonest base's share."""
    plain: set[int] = set()
    fraction: dict[int, float] = {}
    for position, ref in enumerate(reference.codes, reference.start):
        column = [counts[position, base] for base in range(N_BASES)]
        depth = sum(column)
        if ref == UNKNOWN_BASE or depth < min_depth:
            continue
        most = max(count for base, count in enumerate(column) if base != ref)
        if most >= variant_count and most >= variant_fraction * depth:
            fraction[position] = most / depth
        else:
            plain.add(position)
    return plain, fraction


def mismatches_of(read: Read, reference: Stretch, min_quality: int) -> tuple[int, int]:
    """Return a read's mismatches and indels, and its aligned bases, inside a stretch."""
    mismatches = aligned = 0
    for letter, length, position, query in read.blocks():
        if letter in "ID":
            mismatches += reference.covers(position)
        for step in range(length if letter in "M=X" else 0):
            aligned += reference.covers(position + step)
            base, ref = read.bases[query + step], reference.base(position + step)
            known = UNKNOWN_BASE not in (base, ref)
            good = read.qualities[query + step] >= min_quality
            mismatches += known and good and base != ref
    return mismatches, aligned


def mismatches_by_quality(
    reads: Iterable[Read], reference: Stretch, plain: set[int]
) -> tuple[Counter[int], Counter[int]]:
    """Count mismatches and bases by stated quality at the plain positions."""
    differing: Counter[int] = Counter()
    bases: Counter[int] = Counter()
    for read in reads:
        for position, index in read.columns().items():
            if index < 0 or position not in plain or read.bases[index] == UNKNOWN_BASE:
                continue
            bases[read.qualities[index]] += 1
            differing[read.qualities[index]] += read.bases[index] != reference.base(position)
    return differing, bases


def shown_lengths(reads: Sequence[Read], run: Run, flank: int, largest: int) -> list[int]:
    """Count reads by how much longer their run is, from `-largest` to `largest`."""
    shown: Counter[int] = Counter()
    for read in reads:
        change = _change(read, run, flank)
        if change is not None:
            shown[max(-largest, min(largest, change))] += 1
    return [shown[change] for change in range(-largest, largest + 1)]


def _change(read: Read, run: Run, flank: int) -> int | None:
    """Return how much longer a read's run is; None of a read that does not show it."""
    low, high, base = run
    if read.start > low - flank or read.end < high + flank:
        return None
    change = 0
    for letter, length, position, query in read.blocks():
        reach = position + (length if letter in "DN" else 0)
        near = position < high + flank and reach > low - flank
        inside = low <= position and reach <= high
        if letter not in "IDN" or not near:
            continue
        inserted = read.bases[query : query + length] if letter == "I" else ()
        if not inside or letter == "N" or set(inserted) - {base}:
            return None
        change += length if letter == "I" else -length
    return change
