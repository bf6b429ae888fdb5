"""How far an indel can be shifted along the reference: the repeat it belongs to."""

from pileup.accelerate import kernel
from pileup.codes import SUBSTITUTION, UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT


@kernel
def indel_extents(reference, sites):
    """Raise `sites.repeat_end` of indel sites to where their ALTs can shift to.

    A deletion of d bases after the anchor can move right while the base it takes up equals the
    base it leaves; an insertion while the reference continues its sequence periodically. What puts
    bases in the place of others stays where it is.
    """
    codes = reference.codes
    for site in range(len(sites.start)):
        if sites.kind[site] == SUBSTITUTION:
            continue
        first = sites.start[site] + 1 - reference.start
        for alt in range(sites.alt_offset[site], sites.alt_offset[site + 1]):
            deleted = sites.alt_deleted[alt]
            offset = sites.alt_base_offset[alt]
            inserted = sites.alt_base_offset[alt + 1] - offset
            if deleted > 0 and inserted > 0:
                continue
            extent = 0
            while extent < MAX_SHIFT and first + extent + deleted < len(codes):
                arriving = codes[first + extent + deleted]
                if deleted > 0:
                    leaving = codes[first + extent]
                elif extent < inserted:
                    leaving = sites.alt_bases[offset + extent]
                else:
                    leaving = codes[first + extent - inserted]
                if arriving >= UNKNOWN_BASE or arriving != leaving:
                    break
                extent += 1
            end = sites.start[site] + 1 + extent + deleted
            sites.repeat_end[site] = max(sites.repeat_end[site], end)
