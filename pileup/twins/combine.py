"""Twin of kernels.reassembly.combine: haplotypes of two indels that no read shows together."""

from pileup.twins.haplotypes import Edit, Spelling


def indel_places(known: Spelling, spelled: Spelling) -> list[Edit]:
    """Return every way to spell the region with one indel, from left to right."""
    change = len(spelled) - len(known)
    places = []
    for low in range(min(len(known), len(spelled)) + 1):
        high, bases = low + max(-change, 0), spelled[low : low + max(change, 0)]
        if known[:low] + bases + known[high:] == spelled:
            places.append((low, high, bases))
    return places


def combined(known: Spelling, first: Spelling, second: Spelling) -> Spelling | None:
    """Return the region with the indels of both spellings; None unless the first is left of it."""
    lefts, rights = indel_places(known, first), indel_places(known, second)
    if not lefts or not rights or lefts[-1][1] >= rights[0][0]:
        return None
    (low, reached, bases), (start, high, others) = lefts[-1], rights[0]
    return known[:low] + bases + known[reached:start] + others + known[high:]
