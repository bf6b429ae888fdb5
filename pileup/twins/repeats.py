"""Twin of kernels.candidates.repeats: how far an indel can be shifted right."""

from pileup.codes import UNKNOWN_BASE
from pileup.kernels.candidates.scan import MAX_SHIFT
from pileup.twins.alignment import Alt, Site, Stretch


def rightmost(reference: Stretch, start: int, alt: Alt) -> int:
    """Return how far right an indel whose changed bases begin at `start` can move.

    Moving right by k keeps the haplotype when the k bases moved over come out the same.
    """
    shift = 0
    if alt.replaces:
        return shift
    while shift < MAX_SHIFT and start + shift + 1 + alt.deleted <= reference.end:
        reach = shift + 1
        moved_over = reference.bases(start, start + reach)
        # The haplotype from `start` on, with the indel at its left place.
        haplotype = (
            *alt.bases,
            *reference.bases(start + alt.deleted, start + alt.deleted + reach),
        )[:reach]
        arriving = reference.base(start + alt.deleted + shift)
        if arriving == UNKNOWN_BASE or haplotype != moved_over:
            break
        shift = reach
    return shift


def repeat_end(reference: Stretch, site: Site) -> int:
    """Return the end of the stretch that a read must span to show one of a site's alleles."""
    end = site.start + site.ref_length
    if site.is_indel:
        for alt in site.alts:
            shift = rightmost(reference, site.start + 1, alt)
            end = max(end, site.start + 1 + alt.deleted + shift)
    return end
