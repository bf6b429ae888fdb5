"""Twin of kernels.reassembly.foreign: which bases of a read are not the sample's."""

from pileup.codes import C, G
from pileup.kernels.reassembly.foreign import (
    CORE,
    CORES,
    MIN_BETTER,
    MIN_RUN,
    MIN_SCORE,
    MIN_SEEN,
    MISMATCH_COST,
    OPEN_COST,
    RUN_COST,
    RUN_DROP,
    SEED,
)
from pileup.sam import FREVERSE
from pileup.twins.alignment import Read, Stretch


def foreign(read: Read, reference: Stretch) -> tuple[int, int]:
    """Return how many bases at the left and at the right of a read are foreign.

    All of them are on the left where too little of the alignment is the sample's.
    """
    length = len(read.bases)
    if not any(letter == "S" for letter, _ in read.cigar):
        return 0, 0
    low, high = _beside_cores(read, reference, *_beside_run(read, reference))
    lost = set(_aligned(read)) - set(range(low, high))
    if lost and _score(read, reference, low, high) < MIN_SCORE:
        return length, 0
    return low, length - high


def _aligned(read: Read) -> dict[int, int]:
    """Return the contig position of each aligned base."""
    return {
        query + step: position + step
        for letter, size, position, query in read.blocks()
        if letter in "M=X"
        for step in range(size)
    }


def _equal(read: Read, reference: Stretch, low: int, high: int) -> int:
    """Return how many of the bases [low, high) match where they are aligned."""
    return sum(
        low <= query < high
        and reference.covers(place)
        and read.bases[query] == reference.base(place)
        for query, place in _aligned(read).items()
    )


def _beside_run(read: Read, reference: Stretch) -> tuple[int, int]:
    length = len(read.bases)
    backward = bool(read.flag & FREVERSE)
    as_read = read.bases if backward else read.bases[::-1]
    scores = [0]
    for base in as_read:
        scores.append(scores[-1] + (1 if base == (C if backward else G) else -RUN_COST))
        if scores[-1] < max(scores) - RUN_DROP:
            break
    run = scores.index(max(scores))
    low, high = (run, length) if backward else (0, length - run)
    cut = (0, run) if backward else (length - run, length)
    matches = as_read[:run].count(C if backward else G)
    if run < MIN_RUN or matches < _equal(read, reference, *cut) + MIN_BETTER:
        return 0, length
    return low, high


def _beside_cores(read: Read, reference: Stretch, low: int, high: int) -> tuple[int, int]:
    cores = [tuple(core) for core in CORES.tolist()]
    for end in range(SEED, len(read.bases) + 1):
        seed = read.bases[end - SEED : end]
        for core in cores:
            for offset in (0, SEED):
                if core[offset : offset + SEED] != seed:
                    continue
                place = end - SEED - offset
                first, last = max(place, 0), min(place + CORE, len(read.bases))
                shown, wanted = read.bases[first:last], core[first - place : last - place]
                matches = sum(a == b for a, b in zip(shown, wanted, strict=True))
                allowed = 1 if last - first == CORE else 0
                fits = last - first >= MIN_SEEN and matches >= last - first - allowed
                better = matches >= _equal(read, reference, first, last) + MIN_BETTER
                if fits and better and low < last and first < high:
                    aligned = _aligned(read)
                    before = sum(low <= query < first for query in aligned)
                    after = sum(last <= query < high for query in aligned)
                    if before >= after:
                        high = max(first, low)
                    else:
                        low = min(last, high)
    return low, high


def _score(read: Read, reference: Stretch, low: int, high: int) -> int:
    aligned = sum(low <= query < high for query in _aligned(read))
    equal = _equal(read, reference, low, high)
    gaps = [
        size for letter, size, _, query in read.blocks() if letter in "ID" and low < query < high
    ]
    costs = MISMATCH_COST * (aligned - equal) + sum(OPEN_COST + size for size in gaps)
    return equal - costs
