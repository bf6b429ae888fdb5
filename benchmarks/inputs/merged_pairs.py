"""Mates that overlap made into one read, as a merger of read pairs makes it.

The mates stay where the mapper put them: a merged read has the alignment of the forward mate up to
the overlap, and that of the reverse mate behind it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pileup.sam import (
    FMREVERSE,
    FMUNMAP,
    FPAIRED,
    FPROPER_PAIR,
    FREAD1,
    FREAD2,
    FREVERSE,
    FUNMAP,
)

# What FLAG says of a mate.
PAIRING = FPAIRED | FPROPER_PAIR | FMUNMAP | FMREVERSE | FREAD1 | FREAD2

# Fewest reference bases two mates must share, and the largest share of them that may differ: the
# defaults of FLASH and of fastp.
MIN_OVERLAP = 10
MAX_DIFFERENT = 0.2
# What agreement may raise a quality to, where neither mate states more: PEAR's highest.
HIGHEST_QUALITY = 41
# What is left where mates differ and are equally sure: Illumina's "no call".
LOWEST_QUALITY = 2

# Reference position, and how many inserted bases behind it: 0 is the position's own base.
Place = tuple[int, int]
# Base ("-": deleted) and quality.
Cell = tuple[str, int]

_DELETED: Cell = ("-", 0)


@dataclass(frozen=True, slots=True)
class _Mate:
    """The alignment of a mate: its cells, and what is clipped before and behind them."""

    cells: dict[Place, Cell]
    before: Sequence[Cell]
    behind: Sequence[Cell]

    @property
    def start(self) -> int:
        """First aligned reference base, 1-based."""
        return next(iter(self.cells))[0]

    @property
    def end(self) -> int:
        """The base behind the last aligned one."""
        return next(reversed(self.cells))[0] + 1


def merge(one: list[str], two: list[str]) -> list[str] | None:
    """Return the SAM line of the read that two mates are merged into.

    None where they lie on two contigs or one strand, share fewer than MIN_OVERLAP bases, differ in
    too many of them, or have other gaps there. Bases of a mate beyond the other's start are those
    of an adapter, and are cut. Where mates agree their qualities add up; where they differ the
    better base stands, with the difference.
    """
    flags = [int(mate[1]) for mate in (one, two)]
    forward, reverse = (one, two) if flags[1] & FREVERSE else (two, one)
    together = one[2] == two[2] and not (flags[0] | flags[1]) & FUNMAP
    if not together or not (flags[0] ^ flags[1]) & FREVERSE:
        return None
    if int(reverse[3]) - int(forward[3]) > len(forward[9]) + _deleted(forward[5]):
        return None
    left, right = _aligned(forward), _aligned(reverse)
    cells = _joined(left, right)
    if cells is None:
        return None
    read = [*left.before, *cells.values(), *right.behind]
    read = [cell for cell in read if cell != _DELETED]
    cigar = f"{_clip(left.before)}{_cigar(cells)}{_clip(right.behind)}"
    first = one if flags[0] & FREAD1 else two
    mapping_quality = max(one[4], two[4], key=int)
    group = [field for field in forward[11:] if field.startswith("RG:")]
    return [
        one[0], str(int(first[1]) & ~PAIRING), one[2], str(left.start), mapping_quality, cigar,
        "*", "0", "0", "".join(base for base, _ in read),
        "".join(chr(33 + quality) for _, quality in read), *group,
    ]  # fmt: skip


def pairs(lines: Iterable[list[str]]) -> Iterable[list[list[str]]]:
    """Yield the lines of each fragment, in the order of their first ones."""
    fragments: dict[str, list[list[str]]] = {}
    for line in lines:
        fragments.setdefault(line[0], []).append(line)
    return fragments.values()


def is_pair(lines: Sequence[list[str]]) -> bool:
    """Tell whether lines are the first and the second read of a pair."""
    both = FREAD1 | FREAD2
    return len(lines) == 2 and {int(line[1]) & both for line in lines} == {FREAD1, FREAD2}


def _deleted(cigar: str) -> int:
    return sum(int(length) for length, op in re.findall(r"(\d+)(\D)", cigar) if op in "DN")


def _aligned(line: Sequence[str]) -> _Mate:
    """Spell a SAM line by reference position."""
    cells: dict[Place, Cell] = {}
    clips: list[list[Cell]] = [[], []]
    bases = list(zip(line[9], (ord(letter) - 33 for letter in line[10]), strict=True))
    at, position = 0, int(line[3])
    for text, op in re.findall(r"(\d+)(\D)", line[5]):
        length = int(text)
        here = bases[at : at + length] if op in "MIS=X" else []
        at += len(here)
        if op == "S":
            clips[bool(cells)] = here
        elif op == "I":
            cells |= {(position - 1, 1 + k): cell for k, cell in enumerate(here)}
        elif op in "M=XDN":
            column = here or [_DELETED] * length
            cells |= {(position + k, 0): cell for k, cell in enumerate(column)}
            position += length
    return _Mate(cells, *clips)


def _joined(left: _Mate, right: _Mate) -> dict[Place, Cell] | None:
    """Put a forward and a reverse mate together, by place; None where they do not fit."""
    low, high = max(left.start, right.start), min(left.end, right.end)
    if high - low < MIN_OVERLAP:
        return None
    # What either has beyond the other's start is no part of the fragment.
    one = {place: cell for place, cell in left.cells.items() if place[0] < right.end}
    two = {place: cell for place, cell in right.cells.items() if place[0] >= left.start}
    last = (high - 1, 0)
    spelled = [
        {
            place: cell == _DELETED
            for place, cell in cells.items()
            if low <= place[0] and place <= last
        }
        for cells in (one, two)
    ]
    if spelled[0] != spelled[1]:
        return None
    different = sum(one[place][0] != two[place][0] for place in spelled[0])
    if different > MAX_DIFFERENT * len(spelled[0]):
        return None
    found = {}
    for place in sorted(one.keys() | two.keys()):
        cells = [cells[place] for cells in (one, two) if place in cells]
        found[place] = cells[0] if len(cells) == 1 else _better(*cells)
    return found


def _better(one: Cell, two: Cell) -> Cell:
    if one == _DELETED:
        return _DELETED
    high, low = (one, two) if one[1] >= two[1] else (two, one)
    if one[0] == two[0]:
        return one[0], min(one[1] + two[1], max(high[1], HIGHEST_QUALITY))
    return high[0], max(high[1] - low[1], LOWEST_QUALITY)


def _clip(cells: Sequence[Cell]) -> str:
    return f"{len(cells)}S" if cells else ""


def _cigar(cells: dict[Place, Cell]) -> str:
    letters = "".join(
        "I" if inserted else "D" if cell == _DELETED else "M"
        for (_, inserted), cell in cells.items()
    )
    return "".join(f"{len(run[0])}{run[1]}" for run in re.findall(r"((.)\2*)", letters))
