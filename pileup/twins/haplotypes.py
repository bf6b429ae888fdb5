"""Twin of kernels.reassembly.haplotypes: what reads spell, and which spellings win."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.reassembly.align import place_haplotype
from pileup.kernels.reassembly.haplotypes import (
    MAX_KEPT,
    MAX_LENGTH,
    MAX_LOSS,
    MIN_APART,
    MIN_BESIDE,
    MIN_GAIN,
)
from pileup.twins.alignment import Read, Stretch

Spelling = tuple[int, ...]
# An edit replaces the reference [low, high) with other bases.
Edit = tuple[int, int, tuple[int, ...]]


def edits_of(
    read: Read, start: int, end: int, reference: Stretch, min_base_quality: int
) -> tuple[list[Edit], list[Edit]] | None:
    """Return the substitutions and the indels of a read inside the region [start, end).

    None where it deletes a base at the region's border.
    """
    substitutions: list[Edit] = []
    indels: list[Edit] = []
    for letter, length, position, query in read.blocks():
        if letter in "M=X":
            for step in range(length):
                at, base = position + step, read.bases[query + step]
                good = base < UNKNOWN_BASE and read.qualities[query + step] >= min_base_quality
                if start <= at < end and good and base != reference.base(at):
                    substitutions.append((at, at + 1, (base,)))
        elif letter == "I" and start < position < end:
            indels.append((position, position, read.bases[query : query + length]))
        elif letter == "D" and start < position and position + length < end:
            indels.append((position, position + length, ()))
        elif letter == "D" and position < end and position + length > start:
            return None
    return substitutions, indels


def spell(start: int, end: int, reference: Stretch, edits: Sequence[Edit]) -> Spelling:
    """Return the region with some edits made."""
    spelled: Spelling = ()
    done = start
    for low, high, bases in sorted(edits):
        spelled += reference.bases(done, low) + bases
        done = high
    return spelled + reference.bases(done, end)


def spellings(
    reads: Sequence[Read], start: int, end: int, reference: Stretch, min_base_quality: int
) -> Iterator[tuple[int, Spelling | None, list[Spelling]]]:
    """Yield of each read its index, the region as it shows it, and with its indels alone.

    The spelling is None of a read that shows nothing else than the reference.
    """
    for index, read in enumerate(reads):
        edits = edits_of(read, start, end, reference, min_base_quality)
        if edits is None:
            continue
        substitutions, indels = edits
        singles = [spell(start, end, reference, [indel]) for indel in indels]
        if len(indels) > 1:
            singles.append(spell(start, end, reference, indels))
        whole = spell(start, end, reference, substitutions + indels)
        differs = bool(substitutions or indels)
        yield index, whole if differs and len(whole) <= MAX_LENGTH else None, singles


def vote(
    table: Sequence[Sequence[int]],
    scores: Sequence[int],
    perfect: Sequence[int],
    fragments: Sequence[int],
    support: int,
    is_spanned: Callable[[int], bool],
) -> list[int]:
    """Return the rows of `table` (scores by haplotype and read) that win, the best first."""
    current = list(scores)
    chosen: list[int] = []
    refused: set[int] = set()
    while len(chosen) < MAX_KEPT:
        gains = []
        for number, row in enumerate(table):
            voters = [
                (value - now, fragment)
                for value, now, most, fragment in zip(row, current, perfect, fragments, strict=True)
                if value - now >= MIN_GAIN and value + MAX_LOSS >= most
            ]
            enough = len(voters) >= support and len({fragment for _, fragment in voters}) > 1
            enough = enough and number not in refused
            gains.append(sum(gain for gain, _ in voters) if enough else 0)
        if not gains or max(gains) == 0:
            break
        best = gains.index(max(gains))
        if not is_spanned(best):
            refused.add(best)
            continue
        chosen.append(best)
        current = [max(pair) for pair in zip(current, table[best], strict=True)]
    return chosen


def differences(bases: Sequence[int], known: Sequence[int]) -> list[tuple[int, int]]:
    """Return the spans of a haplotype that differ from the reference that it replaces."""
    place = np.zeros(len(bases), np.int64)
    place_haplotype(np.array(bases, np.uint8), np.array(known, np.uint8), place)
    spans = [
        (index, index + 1)
        for index, at in enumerate(place.tolist())
        if at < 0 or bases[index] != known[at]
    ]
    # A deletion lies before the base that follows it, or at the end.
    placed = [(index, at) for index, at in enumerate(place.tolist()) if at >= 0]
    for (_, at), (after, later) in pairwise([(-1, -1), *placed, (len(bases), len(known))]):
        if later > at + 1:
            spans.append((after, after))
    joined: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if joined and low < joined[-1][1] + MIN_APART:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        else:
            joined.append((low, high))
    return joined


@dataclass(frozen=True, slots=True)
class Witness:
    """A read that a haplotype explains: its fragment, its span on the reference, and on it."""

    fragment: int
    span: tuple[int, int]
    low: int
    high: int


def spanned(places: Sequence[tuple[int, int]], witnesses: Sequence[Witness]) -> bool:
    """Return whether two witnesses, of two fragments and spans, reach over each place."""
    for low, high in places:
        over = [
            one
            for one in witnesses
            if one.low <= low - MIN_BESIDE and one.high >= high + MIN_BESIDE
        ]
        # All are compared with the first one.
        if not any(
            one.fragment != over[0].fragment and one.span != over[0].span for one in over[1:]
        ):
            return False
    return True
