"""Which allele each read of a window shows at each candidate site."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.observe import count_overlaps, observe_sites
from varcall.candidates import Scan, Sites
from varcall.reads import ReadBatch


@dataclass(frozen=True, slots=True)
class Observations:
    """One entry per site and read that touches it.

    Attributes
    ----------
    offset
        int64 [m + 1], the observations of each site.
    read
        int32, index into the ReadBatch.
    allele
        int8, 0 REF, 1.. the site's ALTs, OTHER or UNINFORMATIVE (pileup.kernels.observe).
    quality
        uint8, the lowest base quality that speaks for the allele.
    delta
        int16, net length change over an indel site's repeat, or NOT_SPANNING.
    counts
        bool, false for the mate that adds nothing: a fragment is one witness.
    """

    offset: NDArray[np.int64]
    read: NDArray[np.int32]
    allele: NDArray[np.int8]
    quality: NDArray[np.uint8]
    delta: NDArray[np.int16]
    counts: NDArray[np.bool_]


def observe(reads: ReadBatch, scan: Scan, sites: Sites, min_base_quality: int) -> Observations:
    """Look up every site in every read that touches it."""
    per_site = np.zeros(len(sites), np.int64)
    count_overlaps(reads.read_start, reads.read_end, sites.start, sites.repeat_end, per_site)
    offset = np.zeros(len(sites) + 1, np.int64)
    np.cumsum(per_site, out=offset[1:])
    total = int(offset[-1])
    observations = Observations(
        offset=offset,
        read=np.zeros(total, np.int32),
        allele=np.zeros(total, np.int8),
        quality=np.zeros(total, np.uint8),
        delta=np.zeros(total, np.int16),
        counts=np.zeros(total, np.bool_),
    )
    observe_sites(
        reads.read_start,
        reads.read_end,
        reads.fragment,
        reads.base_offset,
        reads.bases,
        reads.qualities,
        reads.cigar_offset,
        reads.cigar_op,
        reads.cigar_length,
        scan.event_offset,
        scan.event_anchor,
        scan.event_deleted,
        scan.event_inserted,
        scan.event_hash,
        scan.event_quality,
        scan.reference,
        scan.reference_start,
        sites.start,
        sites.kind,
        sites.ref_length,
        sites.repeat_end,
        sites.alt_offset,
        sites.alt_deleted,
        sites.alt_inserted,
        sites.alt_hash,
        sites.alt_base_offset,
        sites.alt_bases,
        min_base_quality,
        observations.offset,
        observations.read,
        observations.allele,
        observations.quality,
        observations.delta,
        observations.counts,
    )
    return observations


@dataclass(frozen=True, slots=True)
class Questions:
    """What the model is asked: one question per ALT of a site, then one per pair of ALTs.

    `site` int32 [q]; `alleles` uint8 [q], a bit mask over the site's ALTs (bit 0 = first ALT).
    """

    site: NDArray[np.int32]
    alleles: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.site)


def pose_questions(sites: Sites) -> Questions:
    """List the questions of all sites, in site order: singles, then pairs (0,1), (0,2), (1,2)..."""
    site_list: list[int] = []
    masks: list[int] = []
    for site, n_alts in enumerate(np.diff(sites.alt_offset)):
        asked = [1 << alt for alt in range(n_alts)]
        asked += [1 << a | 1 << b for a, b in combinations(range(n_alts), 2)]
        site_list += [site] * len(asked)
        masks += asked
    return Questions(np.array(site_list, np.int32), np.array(masks, np.uint8))
