"""Twin of kernels.hom_ref.runs: runs of bases that are about equally sure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Block:
    """A row: span (0-based half-open), first base, ploidy, GQ, lowest depth and PL."""

    start: int
    end: int
    base: int
    ploidy: int
    gq: int
    min_dp: int
    pl: tuple[int, ...]

    def row(self) -> list[int]:
        """Return the columns as the kernels have them."""
        filled = [*self.pl, *[0] * (3 - len(self.pl))]
        return [self.start, self.end, self.base, self.ploidy, self.gq, self.min_dp, *filled]


def of_base(start: int, base: int, depth: int, pl: Sequence[int], ploidy: int, top: int) -> Block:
    """Return the block of one base; `pl` is of one copy and of two, `top` the most of GQ."""
    others = [pl[1]] if ploidy == 1 else list(pl)
    least = min(others)
    gq = max(0, min(least, 99, top))
    if least < 0:
        likelihoods = [-least, *(other - least for other in others)]
    else:
        cut = min(least, 99) > top
        likelihoods = [0, *(top if cut and other == least else other for other in others)]
    return Block(start, start + 1, base, ploidy, gq, depth, tuple(likelihoods))


def whole(parts: Sequence[Block]) -> Block:
    """Return the block of neighbours: the least sure one tells, the first of several."""
    least = min(parts, key=lambda part: part.gq)
    depth = min(part.min_dp for part in parts)
    return replace(parts[0], end=parts[-1].end, gq=least.gq, pl=least.pl, min_dp=depth)


def cut(bases: Sequence[Block | None], labels: Sequence[int], apart: int) -> list[Block]:
    """Return the blocks of bases of which some belong to none."""
    found = []
    keys = [
        (block and block.ploidy, labels[index], index if index < apart else None)
        for index, block in enumerate(bases)
    ]
    for _, group in groupby(zip(keys, bases, strict=True), key=lambda pair: pair[0]):
        members = [block for _, block in group if block is not None]
        found += [whole(members)] if members else []
    return found


def join(blocks: Sequence[Block], band_of_gq: Sequence[int], apart: int) -> list[Block]:
    """Join neighbours of one band, but those that start at or before a position."""
    joined: list[Block] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if (
            last is not None
            and block.start > apart
            and (last.end, last.ploidy) == (block.start, block.ploidy)
            and band_of_gq[last.gq] == band_of_gq[block.gq]
        ):
            joined[-1] = whole([last, block])
        else:
            joined.append(block)
    return joined
