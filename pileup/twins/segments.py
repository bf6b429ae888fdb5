"""Twin of kernels.reassembly.segments: the parts of reads in one region."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

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


def anchors(reference: Stretch, regions: Sequence[tuple[int, int]], region: int) -> tuple[int, int]:
    """Return (before, after): a read that begins after one or ends before the other has a free end.

    Neither lies in the repeat over the region's border, nor behind another region.
    """
    start, end = regions[region]
    units = range(1, end - start + 1)
    left = next(
        length
        for length in count()
        if not any(_repeats(reference, start - length - 1, start, unit) for unit in units)
    )
    right = next(
        length
        for length in count()
        if not any(_repeats(reference, end, end + length + 1, -unit) for unit in units)
    )
    before, after = start - SLACK - left, end + SLACK + right
    others = (*regions[:region], *regions[region + 1 :])
    before = max([before, *(other - 1 for _, other in others if other <= start)])
    return before, min([after, *(other + 1 for other, _ in others if other >= end)])


def _repeats(reference: Stretch, low: int, high: int, unit: int) -> bool:
    """Return whether all bases of [low, high) are known and those `unit` further on."""
    bases = reference.bases(low, high)
    return bases == reference.bases(low + unit, high + unit) and max(bases) < UNKNOWN_BASE


def collect(
    reads: Sequence[Read],
    usable: Sequence[bool],
    region: tuple[int, int],
    anchored: tuple[int, int],
    reference: Stretch,
) -> list[Segment]:
    """Return the segments of a region [start, end), whose `anchors` are known, in read order."""
    (start, end), (before, after) = region, anchored
    segments = []
    for index, read in enumerate(reads):
        if not usable[index] or read.end <= start or read.start >= end:
            continue
        left_free, right_free = read.start > before, read.end < after
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
