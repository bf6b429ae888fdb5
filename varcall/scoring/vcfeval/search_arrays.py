"""Variants as the arrays that the search for the best path takes.

What depends on the shape of a variant alone is worked out once for all that have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pileup.arrays import offsets_of
from varcall.scoring.vcfeval.path_search import Side
from varcall.scoring.vcfeval.variants import Shape, Variant, orientations

# N and every IUPAC code are one "unknown" base that equals only itself, as in vcfeval.
_CODES = bytes("NACGT".find(chr(byte).upper()) * (chr(byte) in "ACGTacgt") for byte in range(256))
# Bytes that sort as the codes do, but the other way round.
_INVERTED = bytes(255 - code for code in _CODES)

_Numbers = npt.NDArray[np.int64]


def encode(sequence: str) -> npt.NDArray[np.uint8]:
    """Codes of bases: N 0, A 1, C 2, G 3, T 4; any other character reads as N."""
    # A copy that can be written to: for another kind of array Numba would compile once more.
    return np.frombuffer(bytearray(sequence, "latin-1").translate(_CODES), np.uint8)


def _rank_key(bases: str) -> tuple[int, bytes]:
    # vcfeval orders alleles of equal span and length by descending base code
    return len(bases), bases.encode("latin-1").translate(_INVERTED)


@lru_cache(maxsize=1 << 14)
def _choices(shape: Shape, ploidy: int, *, squash: bool) -> tuple[list[list[int]], list[int]]:
    """Orientations, with alleles as places in the shape (-1 for none), and their first alleles."""
    places = {number: place for place, number in enumerate(shape.alleles)}
    found = orientations(shape, ploidy, squash=squash)
    return [[places.get(i, -1) for i in choice] for choice in found], [i[0] for i in found]


def _listed(firsts: _Numbers, counts: _Numbers) -> tuple[_Numbers, _Numbers]:
    """List for each item the numbers from its first on, and the item that each is of.

    >>> _listed(np.array([5, 0]), np.array([2, 1]))
    (array([5, 6, 0]), array([0, 0, 1]))
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(owner)) + (firsts - before)[owner], owner


@dataclass(frozen=True, slots=True)
class SearchArrays:
    """Both sides and the pool of their alleles, as `path_search.search` takes them."""

    alleles: Any
    query: Side
    truth: Side

    @classmethod
    def of(
        cls,
        query: Sequence[Variant],
        truth: Sequence[Variant],
        ploidy: int,
        origin: int,
        *,
        squash: bool,
    ) -> "SearchArrays":
        """Lay out the variants of both sides, each in order of their spans.

        Parameters
        ----------
        origin
            Position of the first base of the sequence at hand, from which the arrays count.
        """
        variants = [*query, *truth]
        numbers: dict[Shape, int] = {}
        of_shape = np.array(
            [numbers.setdefault(variant.shape, len(numbers)) for variant in variants], np.int64
        )
        positions = np.array([variant.position for variant in variants], np.int64) - origin
        shapes = list(numbers)
        alleles, ranks, firsts = _pool(shapes, of_shape, positions)

        # Orientations: first of the shapes, then those of each variant.
        made = [_choices(shape, ploidy, squash=squash) for shape in shapes]
        of_each = np.array([len(choices) for choices, _ in made], np.int64)
        chosen, owner = _listed(offsets_of(of_each)[:-1][of_shape], of_each[of_shape])
        width = 1 if squash else ploidy
        places = np.array([row for rows, _ in made for row in rows], np.int64).reshape(-1, width)
        first_alleles = np.array([i for _, first in made for i in first], np.int32)[chosen]
        mine = places[chosen]
        oriented = np.where(mine < 0, -1, ranks[firsts[owner][:, None] + np.maximum(mine, 0)])
        oriented = oriented.astype(np.int32)

        starts, ends = (
            (positions + np.array([getattr(shape, name) for shape in shapes], np.int64)[of_shape])
            for name in ("start", "end")
        )
        borders = offsets_of(of_each[of_shape])
        middle = len(query)

        def side(first: int, last: int) -> Side:
            begin, end = borders[first], borders[last]
            return (
                starts[first:last].astype(np.int32),
                ends[first:last].astype(np.int32),
                (borders[first : last + 1] - begin).astype(np.int32),
                oriented[begin:end],
                first_alleles[begin:end],
                (owner[begin:end] - first).astype(np.int32),
            )

        return cls(alleles, side(0, middle), side(middle, len(variants)))


def _pool(
    shapes: Sequence[Shape], of_shape: _Numbers, positions: _Numbers
) -> tuple[Any, npt.NDArray[np.int32], _Numbers]:
    """Alleles of all variants, each once: start, end, length, offset of the bases, and the bases.

    Also the ranks of the alleles of each variant in that pool, one after the other, and where
    those of each variant begin.
    """
    own = [list(shape.alleles.values()) for shape in shapes]
    counts = np.array([len(alleles) for alleles in own], np.int64)
    flat = [allele for alleles in own for allele in alleles]
    texts = sorted({allele.bases for allele in flat}, key=_rank_key)
    codes = {bases: code for code, bases in enumerate(texts)}
    placed, owner = _listed(offsets_of(counts)[:-1][of_shape], counts[of_shape])
    starts = np.array([allele.start for allele in flat], np.int64)[placed] + positions[owner]
    ends = np.array([allele.end for allele in flat], np.int64)[placed] + positions[owner]
    bases = np.array([codes[allele.bases] for allele in flat], np.int64)[placed]
    order = np.lexsort((bases, ends, starts))
    keys = np.stack((starts, ends, bases))[:, order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.cumsum(is_new) - 1
    starts, ends, bases = keys[:, is_new]
    lengths = np.array([len(text) for text in texts], np.int64)
    alleles = (
        starts.astype(np.int32),
        ends.astype(np.int32),
        lengths[bases].astype(np.int32),
        offsets_of(lengths)[:-1][bases].astype(np.int32),
        encode("".join(texts)),
    )
    return alleles, ranks, offsets_of(counts[of_shape])[:-1]
