"""Twin of kernels.reassembly.respell: from the place of each base to start, end and CIGAR."""

from collections.abc import Sequence
from itertools import groupby

from pileup.kernels.reassembly.align import CLIPPED


def respelled(
    places: Sequence[int], before: int = 0, after: int = 0
) -> tuple[int, int, list[tuple[str, int]]] | None:
    """Return start, end and CIGAR between hard clips of so many bases; None without any place."""
    aligned = [index for index, place in enumerate(places) if place >= 0]
    if not aligned:
        return None
    first, last = aligned[0], aligned[-1]
    letters = ["H"] * before + ["S"] * first
    for index in range(first, last + 1):
        if places[index] < 0:
            letters.append("S" if places[index] == CLIPPED else "I")
            continue
        previous = max((place for place in places[first:index] if place >= 0), default=-1)
        gap = places[index] - previous - 1 if previous >= 0 else 0
        letters += ["D"] * gap + ["M"]
    letters += ["S"] * (len(places) - 1 - last) + ["H"] * after
    cigar = [(letter, len(list(run))) for letter, run in groupby(letters)]
    return places[first], places[last] + 1, cigar
