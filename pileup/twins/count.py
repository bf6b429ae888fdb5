"""Twin of kernels.candidates.count: witnesses of every allele by strand."""

from collections.abc import Iterable, Sequence

from pileup.twins.alignment import Read, Site
from pileup.twins.observe import Observation

_REVERSE_FLAG = 16


def count_alleles(
    site: Site, reads: Sequence[Read], observations: Iterable[Observation]
) -> tuple[list[int], list[int]]:
    """Return the forward and the reverse fragments of REF and of each ALT of a site."""
    strands: tuple[list[int], list[int]] = ([], [])
    shown = [(o.allele, reads[o.read].flag & _REVERSE_FLAG) for o in observations if o.counts]
    for strand, flag in zip(strands, (0, _REVERSE_FLAG), strict=True):
        strand += [shown.count((allele, flag)) for allele in range(len(site.alts) + 1)]
    return strands
