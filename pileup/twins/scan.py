"""Twin of kernels.candidates.scan: base counts by position, and left-aligned indel events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT
from pileup.twins.alignment import Read, Stretch


@dataclass(frozen=True, slots=True)
class Event:
    """An indel of a read, left-aligned: `deleted` bases after `anchor` give way to `inserted`."""

    anchor: int
    deleted: int
    inserted: tuple[int, ...]
    quality: int


@dataclass(slots=True)
class Counts:
    """What all reads show; positions are on the contig, per-read lists in read order."""

    bases: Counter[tuple[int, int]] = field(default_factory=Counter)
    depth: Counter[int] = field(default_factory=Counter)
    mismatches: list[int] = field(default_factory=list)
    clipped: list[int] = field(default_factory=list)
    unlike: list[list[tuple[int, int]]] = field(default_factory=list)
    events: list[list[Event]] = field(default_factory=list)


def hash_sequence(bases: Sequence[int]) -> int:
    """FNV-1a, 64 bits, of base codes plus one (so that A counts)."""
    value = 14695981039346656037
    for base in bases:
        value = (value ^ (base + 1)) * 1099511628211 % 2**64
    return value


def left_align(
    reference: Stretch, start: int, deleted: int, inserted: tuple[int, ...]
) -> tuple[int, tuple[int, ...]]:
    """Move an indel left while the haplotype stays the same; return its start and sequence.

    The base moved over must be known; an indel moves at most MAX_SHIFT bases.
    """
    first = start
    while first > reference.start and start - first < MAX_SHIFT:
        left = reference.base(first - 1)
        # One step left, an inserted sequence begins with the base that was before it.
        moved = (left, *inserted[:-1]) if inserted else ()
        here = (left, *inserted)
        there = (*moved, *reference.bases(first - 1 + deleted, first + deleted))
        if left == UNKNOWN_BASE or here != there:
            break
        first, inserted = first - 1, moved
    return first, inserted


def scan(
    reads: Sequence[Read], reference: Stretch, min_base_quality: int, max_allele: int
) -> Counts:
    """Count what the reads show inside `reference`."""
    counts = Counts()
    for read in reads:
        differences = 0
        unlike: list[tuple[int, int]] = []
        for position, index in read.columns().items():
            if not reference.covers(position):
                continue
            if index < 0:
                counts.depth[position] += 1
                continue
            base, code = read.bases[index], reference.base(position)
            is_good = base != UNKNOWN_BASE and read.qualities[index] >= min_base_quality
            if not is_good or base != code:
                unlike.append((index, read.qualities[index] if is_good else -1))
            if not is_good:
                continue
            counts.depth[position] += 1
            counts.bases[position, base] += 1
            differences += code not in (base, UNKNOWN_BASE)
        indels = sum(letter in "ID" for letter, _ in read.cigar)
        counts.mismatches.append(differences + indels)
        counts.clipped.append(sum(length for letter, length in read.cigar if letter == "S"))
        counts.unlike.append(sorted(unlike))
        counts.events.append(_events(read, reference, min_base_quality, max_allele))
    return counts


def _events(read: Read, reference: Stretch, min_base_quality: int, max_allele: int) -> list[Event]:
    """Return the indels of a read that can be judged: between aligned bases, of known sequence."""
    events = []
    blocks = read.blocks()
    for index, (letter, length, position, query) in enumerate(blocks):
        if letter not in "ID" or length > max_allele:
            continue
        if not all(
            any(block[0] in "M=X" for block in side)
            for side in (blocks[:index], blocks[index + 1 :])
        ):
            continue
        deleted = length if letter == "D" else 0
        if position <= reference.start or position + deleted >= reference.end:
            continue
        if letter == "I":
            inserted = read.bases[query : query + length]
            quality = sum(read.qualities[query : query + length]) // length
            if UNKNOWN_BASE in inserted or quality < min_base_quality:
                continue
        else:
            inserted = ()
            quality = min(read.qualities[query - 1 : query + 1])
        start, inserted = left_align(reference, position, deleted, inserted)
        events.append(Event(start - 1, deleted, inserted, quality))
    return events
