"""Windows that one process calls after another: neighbours share the blocks they are read from."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from varcall.inputs.occupied import occupied_spans_of
from varcall.inputs.open import Inputs
from varcall.inputs.regions import Region

# Windows with reads that go together at most. A process that goes on where it has been reads no
# block twice; an index only tells where each 16 kb begin, so elsewhere it begins a window early.
TOGETHER = 16
# Bundles a process should have to do at least, so that all end at about the same time.
EACH = 16
# Windows without reads cost next to nothing; this many go together at most.
EMPTY_TOGETHER = 512


def bundle_windows(
    windows: Sequence[Region], inputs: Inputs, processes: int
) -> Iterator[tuple[Region, ...]]:
    """Cut windows, which are in order, into those that one process is given at a time.

    They are balanced by the windows that hold reads, as the index tells, not by length.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    for contig, start, end in occupied_spans_of(inputs, 1):
        spans.setdefault(contig, []).append((start, end))
    holds_reads = [_overlaps(window, spans.get(window.contig, [])) for window in windows]
    size = min(TOGETHER, max(1, sum(holds_reads) // (EACH * processes)))
    bundle: list[Region] = []
    occupied = 0
    for window, has_reads in zip(windows, holds_reads, strict=True):
        bundle.append(window)
        occupied += has_reads
        if occupied == size or len(bundle) == EMPTY_TOGETHER:
            yield tuple(bundle)
            bundle, occupied = [], 0
    if bundle:
        yield tuple(bundle)


def _overlaps(window: Region, spans: Sequence[tuple[int, int]]) -> bool:
    """Tell whether a window overlaps one of the spans, which are sorted and lie apart."""
    index = bisect_left(spans, window.start, key=lambda span: span[1] - 1)
    return index < len(spans) and spans[index][0] < window.end
