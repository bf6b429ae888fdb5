"""Twin of kernels.hom_ref.cover: fragments at every base, and those that show something else."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pileup.codes import UNKNOWN_BASE
from pileup.sam import FREVERSE
from pileup.twins.alignment import Read, Stretch
from pileup.twins.scan import Event


@dataclass(slots=True)
class Cover:
    """Counts by contig position; fragments also by strand (0 forward, 1 reverse)."""

    fragments: Counter[tuple[int, int]] = field(default_factory=Counter)
    unlike: Counter[tuple[int, int]] = field(default_factory=Counter)
    begun: Counter[int] = field(default_factory=Counter)
    ended: Counter[int] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    other: Counter[int] = field(default_factory=Counter)
    indels: Counter[int] = field(default_factory=Counter)


def cover_reads(
    reads: Sequence[Read],
    events: Sequence[Sequence[Event]],
    reference: Stretch,
    span: tuple[int, int],
    min_base_quality: int,
    weights: tuple[Sequence[int], Sequence[int]],
) -> Cover:
    """Count what lies on the positions of a span; `weights` are by MAPQ and by base quality."""
    by_mapq, by_quality = weights
    cover = Cover()
    counted: dict[int, int] = {}
    for read, own_events in zip(reads, events, strict=True):
        low = counted.get(read.fragment, span[0])
        strand, weight = int(bool(read.flag & FREVERSE)), by_mapq[read.mapq]
        for event in own_events:
            if low <= event.anchor < span[1]:
                cover.indels[event.anchor] += weight
        columns = {at: index for at, index in read.columns().items() if low <= at < span[1]}
        places = sorted(columns)
        for position in places:
            cover.fragments[strand, position] += 1
            index = columns[position]
            base = read.bases[index] if index >= 0 else UNKNOWN_BASE
            good = base != UNKNOWN_BASE and read.qualities[index] >= min_base_quality
            if good and base == reference.base(position):
                continue
            shown = min(weight, by_quality[read.qualities[index]]) if good else 0
            cover.unlike[strand, position] += 1
            cover.other[position] += shown
            cover.lost[position] += weight - shown
        borders = [places[0] - 2, *places, places[-1] + 2] if places else []
        for before, after in pairwise(borders):
            if after - before > 1 and after in columns:
                cover.begun.update(dict.fromkeys(range(after, span[1]), weight))
            if after - before > 1 and before in columns:
                cover.ended.update(dict.fromkeys(range(before + 1, span[1]), weight))
        counted[read.fragment] = max(low, read.end)
    return cover
