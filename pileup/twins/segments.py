"""Twin of kernels.reassembly.segments: the parts of reads in one region."""

from collections.abc import Sequence
from dataclasses import dataclass

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.reassembly.align import CLIP, GAP_EXTEND, GAP_OPEN
from pileup.kernels.reassembly.segments import MIN_KNOWN_QUALITY, SLACK
from pileup.twins.align import pair_score
from pileup.twins.alignment import Read, Stretch


@dataclass(frozen=True, slots=True)
class Segment:
    """The bases [first, last) of a read, and the score of the mapper's alignment of them."""

    read: int
    first: int
    last: int
    left_free: bool
    right_free: bool
    codes: tuple[int, ...]
    score: int


def collect(
    reads: Sequence[Read], usable: Sequence[bool], start: int, end: int, reference: Stretch
) -> list[Segment]:
    """Return the segments of the region [start, end), in read order."""
    segments = []
    for index, read in enumerate(reads):
        if not usable[index] or read.end <= start or read.start >= end:
            continue
        left_free, right_free = read.start > start - SLACK, read.end < end + SLACK
        first = 0 if left_free else read.index_at(start)
        last = len(read.bases) if right_free else read.index_at(end - 1) + 1
        if 0 <= first < last:
            codes = known_codes(read)
            score = mapped_score(read, codes, first, last, reference)
            segments.append(
                Segment(index, first, last, left_free, right_free, codes[first:last], score)
            )
    return segments


def known_codes(read: Read) -> tuple[int, ...]:
    """Return the bases of a read; those of poor quality are unknown."""
    return tuple(
        UNKNOWN_BASE if quality < MIN_KNOWN_QUALITY else base
        for base, quality in zip(read.bases, read.qualities, strict=True)
    )


def mapped_score(
    read: Read, codes: Sequence[int], first: int, last: int, reference: Stretch
) -> int:
    """Score the mapper's alignment of the bases [first, last) of a read."""
    score = 0
    for letter, length, position, query in read.blocks():
        if letter in "M=X":
            score += sum(
                pair_score(codes[query + step], reference.base(position + step))
                for step in range(length)
                if first <= query + step < last
            )
        elif letter in "ID" and first < query < last:
            score += GAP_OPEN + (length - 1) * GAP_EXTEND
        elif letter == "S" and query < last and query + length > first:
            score += CLIP
    return score
