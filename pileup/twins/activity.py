"""Twin of kernels.reassembly.activity: which reads make which positions active."""

from collections.abc import Iterator, Sequence

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT
from pileup.kernels.reassembly.activity import (
    BORDER,
    CLIP_SPREAD,
    CLUSTER_REACH,
    END_REACH,
    INDEL_REACH,
    MAX_ACTIVE,
    MERGE,
    MIN_CLIP,
    PAD,
)
from pileup.twins.alignment import Read, Stretch
from pileup.twins.scan import left_align


def mismatches(read: Read, reference: Stretch, min_base_quality: int) -> list[int]:
    """Return the contig positions of a read's good mismatches."""
    return [
        position
        for position, index in read.columns().items()
        if index >= 0
        and read.qualities[index] >= min_base_quality
        and UNKNOWN_BASE not in (read.bases[index], reference.base(position))
        and read.bases[index] != reference.base(position)
    ]


def indel_spans(read: Read, reference: Stretch) -> Iterator[tuple[int, int]]:
    """Yield the span, inside the read, over which each of its indels may lie."""
    for letter, length, position, query in read.blocks():
        if letter not in "ID":
            continue
        deleted = length if letter == "D" else 0
        inserted = read.bases[query : query + length] if letter == "I" else ()
        first, _ = left_align(reference, position, deleted, inserted)
        right = 0
        while right < MAX_SHIFT:
            arriving = reference.base(position + right + deleted)
            following = inserted + reference.bases(position, position + right + 1)
            if arriving == UNKNOWN_BASE or arriving != following[right]:
                break
            right += 1
        yield max(read.start, first - 1), min(read.end, position + deleted + right + 1)


def clusters(read: Read, reference: Stretch, min_base_quality: int) -> set[int]:
    """Return the positions between neighbouring differences of a read."""
    # An indel comes before a mismatch of the base after it.
    events = [(place, 1, place) for place in mismatches(read, reference, min_base_quality)]
    for letter, length, position, _ in read.blocks():
        if letter in "ID":
            events.append((position, 0, position + (length if letter == "D" else 0)))
    marked: set[int] = set()
    last: int | None = None
    for begin, _, after in sorted(events):
        if last is not None and begin - last <= CLUSTER_REACH:
            marked |= set(range(last, begin + 1))
        last = after
    return marked


def clip_places(read: Read, min_base_quality: int) -> list[int]:
    """Return where a read is clipped by enough good bases."""
    return [
        read.start if position == read.start else read.end
        for letter, length, position, query in read.blocks()
        if letter == "S"
        and sum(q >= min_base_quality for q in read.qualities[query : query + length]) >= MIN_CLIP
    ]


def active_reads(
    reads: Sequence[Read], reference: Stretch, min_base_quality: int, min_support: int
) -> dict[int, list[int]]:
    """Return the reads (as indices) that make each position active.

    A read with a mismatch near its end and next to indels is listed twice.
    """
    active: dict[int, set[int]] = {}
    indels: dict[int, int] = {}

    def mark(index: int, positions: range | set[int]) -> None:
        for position in positions:
            active.setdefault(position, set()).add(index)

    for index, read in enumerate(reads):
        mark(index, clusters(read, reference, min_base_quality))
        for low, high in indel_spans(read, reference):
            mark(index, range(low, high))
            for position in range(low, high):
                indels[position] = indels.get(position, 0) + 1
        for place in clip_places(read, min_base_quality):
            mark(index, range(place - CLIP_SPREAD, place + CLIP_SPREAD))
    listed = {position: list(marked) for position, marked in active.items()}
    for index, read in enumerate(reads):
        for place in mismatches(read, reference, min_base_quality):
            at_end = place < read.start + END_REACH or place >= read.end - END_REACH
            near = range(place - INDEL_REACH, place + INDEL_REACH + 1)
            if at_end and any(indels.get(at, 0) >= min_support for at in near):
                listed.setdefault(place, []).append(index)
    return listed


def regions(active: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the regions around active positions, as `cut_regions` does."""
    places = [at for at, is_active in enumerate(active) if is_active]
    groups: list[list[int]] = []
    for place in places:
        if groups and place - groups[-1][-1] <= MERGE:
            groups[-1].append(place)
        else:
            groups.append([place])
    return [
        (group[0] - PAD, group[-1] + 1 + PAD)
        for group in groups
        if group[0] >= BORDER
        and group[-1] < len(active) - BORDER
        and group[-1] + 1 - group[0] <= MAX_ACTIVE
    ]
