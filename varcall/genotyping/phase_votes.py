"""Which haplotype of a heterozygous record each fragment speaks for, and how surely."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays
from pileup.codes import INDEL, OTHER, UNINFORMATIVE
from varcall.evidence.window import Evidence
from varcall.genotyping.genotype import SPANNED
from varcall.output.phase_votes import RecordVotes
from varcall.output.record import PASS, VariantRecord

# Phred of a vote at most: an SNV that is miscalled with a good base, an indel that slipped or was
# aligned otherwise.
_MOST_SNV, _MOST_INDEL = 30, 15
# A MAPQ of 255 is not known; this one counts as neither good nor bad.
_ABSENT_MAPQ, _NEUTRAL_MAPQ = 255, 40
# Mates further apart than this are no fragment that one can rely on.
_LONGEST_FRAGMENT = 20_000
# What a read's end may be moved by when it is aligned again.
_REALIGNED = 1000


Vote = Callable[[VariantRecord, Sequence[int]], str | None]
"""`PhaseVotes.about` of one site."""


class PhaseVotes:
    """The votes of a window's fragments.

    Parameters
    ----------
    loaded
        The reads as they lie in the file: how far a fragment reaches must not depend on which
        windows see it, and so not on what is realigned in these.
    evidence
        What the reads show.
    """

    def __init__(self, loaded: ReadArrays, evidence: Evidence) -> None:
        reads = evidence.reads
        self._kind = evidence.sites.kind
        self._shown = evidence.observations
        self._name = reads.name_hash.astype(np.int64)
        mapq = reads.mapq.astype(np.int64)
        self._mapq = np.where(mapq == _ABSENT_MAPQ, _NEUTRAL_MAPQ, mapq)
        self._reach = _reaches(loaded, reads)

    def about(
        self, record: VariantRecord, alleles: Sequence[int], *, site: int, alts: Sequence[str]
    ) -> str | None:
        """Return the votes about a site's record as INFO text; None where it is not to be phased.

        Records that pass are, and those that are phased with overlapping ones.

        Parameters
        ----------
        alleles
            Those of GT, in its order, by their numbers at the site.
        site, alts
            Number of the site, and its ALTs.
        """
        is_wanted = record.filter == PASS or record.phase_set is not None
        if len({*record.gt}) != 2 or not is_wanted:
            return None
        seen = [OTHER if allele and alts[allele - 1] == SPANNED else allele for allele in alleles]
        shown = self._shown
        span = slice(int(shown.offset[site]), int(shown.offset[site + 1]))
        allele, read = shown.allele[span], shown.read[span]
        chosen = shown.counts[span] & (allele != UNINFORMATIVE)
        chosen &= (allele == seen[0]) | (allele == seen[1])
        read, allele = read[chosen], allele[chosen]
        quality = shown.quality[span][chosen].astype(np.int64)
        if self._kind[site] == INDEL or OTHER in seen:
            quality = np.full(len(read), _MOST_INDEL)
        weight = np.minimum(np.minimum(quality, _MOST_SNV), self._mapq[read])
        weight[allele == seen[1]] *= -1
        reach = np.maximum(0, self._reach[read] - record.start)
        return RecordVotes(self._name[read], reach, weight).text()


def _reaches(loaded: ReadArrays, reads: ReadArrays) -> NDArray[np.int64]:
    """Return how far the fragment of each of `reads` may reach, int64 [n]: a position."""
    template = loaded.template_length.astype(np.int64)
    is_near = (template > 0) & (template <= _LONGEST_FRAGMENT)
    reach = np.maximum(loaded.read_end, loaded.read_start + np.where(is_near, template, 0)).astype(
        np.int64
    )
    keys, wanted = (one.fragment.astype(np.int64) << 16 | one.flag for one in (loaded, reads))
    order = np.lexsort((reach, keys))
    last = np.searchsorted(keys[order], wanted, side="right") - 1
    return np.asarray(reach[order][last] + _REALIGNED)
