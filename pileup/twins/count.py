"""Twin of kernels.candidates.count: witnesses of every allele by strand."""

from collections.abc import Iterable, Sequence

from pileup.sam import FREVERSE
from pileup.twins.alignment import Read, Site
from pileup.twins.observe import Observation


def count_alleles(
    site: Site, reads: Sequence[Read], observations: Iterable[Observation]
) -> tuple[list[int], list[int]]:
    """Return the forward and the reverse fragments of REF and of each ALT of a site."""
    strands: tuple[list[int], list[int]] = ([], [])
    shown = [(o.allele, reads[o.read].flag & FREVERSE) for o in observations if o.counts]
    for strand, flag in zip(strands, (0, FREVERSE), strict=True):
        strand += [shown.count((allele, flag)) for allele in range(len(site.alts) + 1)]
    return strands
