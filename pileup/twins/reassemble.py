"""Twin of kernels.reassembly.reassemble: where the bases of a moved read come to lie."""

from collections.abc import Sequence

from pileup.kernels.reassembly.align import CLIPPED, INSERTED
from pileup.twins.alignment import Read


def mapped_places(read: Read) -> list[int]:
    """Return the contig position of each base of a read, INSERTED or CLIPPED."""
    places = [CLIPPED] * len(read.bases)
    for letter, length, position, query in read.blocks():
        for step in range(length):
            if letter in "M=X":
                places[query + step] = position + step
            elif letter == "I":
                places[query + step] = INSERTED
    return places


def composed(target: Sequence[int], place: Sequence[int]) -> list[int]:
    """Turn the places of a read's bases on a haplotype into places on the contig."""
    return [place[at] if at >= 0 else at for at in target]
