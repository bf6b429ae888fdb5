"""Which allele each read of a window shows at each candidate site."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import (
    EventArrays,
    QuestionArrays,
    ReadArrays,
    ReferenceArrays,
    ShownArrays,
    SiteArrays,
)
from pileup.codes import OTHER, REF
from pileup.kernels.candidates.observe import count_overlaps, observe_sites
from pileup.kernels.candidates.primers import leave_out_primers
from pileup.sam import FREVERSE


def observe(
    reads: ReadArrays,
    events: EventArrays,
    reference: ReferenceArrays,
    sites: SiteArrays,
    min_base_quality: int,
) -> ShownArrays:
    """Look up every site in every read that touches it.

    Fragments of amplicons that show a site by their primers do not count, where others show it.
    """
    per_site = np.zeros(len(sites.start), np.int64)
    count_overlaps(reads, sites, per_site)
    offset = np.zeros(len(sites.start) + 1, np.int64)
    np.cumsum(per_site, out=offset[1:])
    total = int(offset[-1])
    shown = ShownArrays(
        offset=offset,
        read=np.zeros(total, np.int32),
        allele=np.zeros(total, np.int8),
        quality=np.zeros(total, np.uint8),
        delta=np.zeros(total, np.int16),
        counts=np.zeros(total, np.bool_),
        haplotype=np.zeros(total, np.uint8),
    )
    observe_sites(reads, events, reference, sites, min_base_quality, shown)
    leave_out_primers(reads, sites, shown)
    return shown


def count_covering(reads: ReadArrays, sites: SiteArrays, shown: ShownArrays) -> NDArray[np.int64]:
    """Count the fragments that cover the first base of each site's REF: int64 [m].

    A fragment is counted once, and so is one that shows an allele of the site though it begins
    within the repeat that the site's indel may shift over. Those that touch the rest of the site
    only are not: a long deletion would have the reads of all its length.
    """
    site = np.repeat(np.arange(len(sites.start)), np.diff(shown.offset))
    start = sites.start[site]
    covers = (reads.read_start[shown.read] <= start) & (reads.read_end[shown.read] > start)
    counted = shown.counts & (covers | (shown.allele >= REF))
    return np.bincount(site[counted], minlength=len(sites.start))


def count_others(reads: ReadArrays, sites: SiteArrays, shown: ShownArrays) -> NDArray[np.int64]:
    """Count those of `count_covering` that show no allele of the site: int64 [2, m].

    Forward and reverse.
    """
    site = np.repeat(np.arange(len(sites.start)), np.diff(shown.offset))
    start = sites.start[site]
    covers = (reads.read_start[shown.read] <= start) & (reads.read_end[shown.read] > start)
    counted = shown.counts & covers & (shown.allele == OTHER)
    is_reverse = reads.flag[shown.read] & FREVERSE > 0
    return np.stack(
        [
            np.bincount(site[counted & strand], minlength=len(sites.start))
            for strand in (~is_reverse, is_reverse)
        ]
    )


def pose_questions(sites: SiteArrays) -> QuestionArrays:
    """List the questions of all sites, in site order: singles, then pairs (0,1), (0,2), (1,2)..."""
    site_list: list[int] = []
    masks: list[int] = []
    for site, n_alts in enumerate(np.diff(sites.alt_offset)):
        asked = [1 << alt for alt in range(n_alts)]
        asked += [1 << a | 1 << b for a, b in combinations(range(n_alts), 2)]
        site_list += [site] * len(asked)
        masks += asked
    return QuestionArrays(np.array(site_list, np.int32), np.array(masks, np.uint8))
