"""How far an indel can be shifted along the reference: the repeat it belongs to."""

from pileup.accelerate import kernel
from pileup.kernels.scan import MAX_SHIFT


@kernel
def indel_extents(
    reference,
    reference_start,
    start,
    kind,
    alt_offset,
    alt_deleted,
    alt_base_offset,
    alt_bases,
    repeat_end,
):
    """Raise `repeat_end` (int64 [m], 0-based) of indel sites to where their ALTs can shift to.

    A deletion of d bases after the anchor can move right while the base it takes up equals the
    base it leaves; an insertion while the reference continues its sequence periodically.
    """
    for site in range(len(start)):
        if kind[site] == 0:
            continue
        first = start[site] + 1 - reference_start
        for alt in range(alt_offset[site], alt_offset[site + 1]):
            deleted = alt_deleted[alt]
            offset = alt_base_offset[alt]
            inserted = alt_base_offset[alt + 1] - offset
            extent = 0
            while extent < MAX_SHIFT and first + extent + deleted < len(reference):
                arriving = reference[first + extent + deleted]
                if deleted > 0:
                    leaving = reference[first + extent]
                elif extent < inserted:
                    leaving = alt_bases[offset + extent]
                else:
                    leaving = reference[first + extent - inserted]
                if arriving > 3 or arriving != leaving:
                    break
                extent += 1
            end = start[site] + 1 + extent + deleted
            if end > repeat_end[site]:
                repeat_end[site] = end
