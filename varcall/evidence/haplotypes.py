"""Which haplotype each read is of: heterozygous SNVs around a site, phased from the reads.

What is known of a site depends on the reads over it and the SNVs within a fixed reach, never on
windows, shards or threads. A site's own alleles have no say in the haplotypes of its reads: a false
one would phase itself.
"""

import numpy as np

from pileup.arrays import (
    HetArrays,
    PhasingRules,
    ReadArrays,
    ShownArrays,
    SiteArrays,
    offsets_of,
)
from pileup.kernels.phasing.hets import (
    collect_votes,
    count_votes,
    find_hets,
    keep_votes,
    settle_votes,
)
from pileup.kernels.phasing.tags import tag_reads
from varcall.evidence.candidates import Scan
from varcall.reads.library_profile import SHORT_READ

# Mates of most short-read libraries lie within the first. Long reads reach further than the second,
# but each base of it is read twice for each window. Observations of HG003's HiFi reads that are
# tagged at 2,500, 5,000, 8,000 and 10,000 bases: 84.2, 91.8, 96.5 and 97.0 %.
SHORT_REACH = 600
LONG_REACH = 8000

RULES = PhasingRules(
    min_fragments=5, min_percent=25, max_other_percent=10, min_mapq=20, min_base_quality=13
)


def reach_of(read_length: int) -> int:
    """Return how far from a site SNVs are phased with it, for a library's median read length."""
    return LONG_REACH if read_length > SHORT_READ else SHORT_REACH


def find_het_snvs(
    reads: ReadArrays, scan: Scan, start: int, end: int, rules: PhasingRules = RULES
) -> HetArrays:
    """Return the SNVs in [start, end) (0-based half-open) that are heterozygous beyond doubt.

    Their votes are those of all reads given.
    """
    origin, length = scan.reference.start, len(scan.reference.codes)
    first, last = (min(max(0, place - origin), length) for place in (start, end))
    columns = np.zeros(max(0, last - first), np.int64)
    bases = np.zeros((len(columns), 2), np.uint8)
    found = find_hets(scan.reference, scan.counts, first, last, rules, columns, bases)
    positions = columns[:found] + origin
    room = np.zeros(found, np.int64)
    count_votes(reads, positions, room)
    offset = offsets_of(room)
    voters, alleles = np.zeros(offset[-1], np.int32), np.zeros(offset[-1], np.uint8)
    filled = np.zeros(found, np.int64)
    collect_votes(reads, positions, bases, rules.min_base_quality, offset, filled, voters, alleles)
    confirmed = np.zeros(found, np.bool_)
    settle_votes(reads, rules, offset, filled, voters, alleles, confirmed)
    kept = np.zeros(int(confirmed.sum()) + 1, np.int64)
    fragment, allele = np.zeros(offset[-1], np.int32), np.zeros(offset[-1], np.uint8)
    keep_votes(reads, offset, filled, voters, alleles, confirmed, kept, fragment, allele)
    return HetArrays(positions[confirmed], kept, fragment[: kept[-1]], allele[: kept[-1]])


def tag_haplotypes(
    reads: ReadArrays, scan: Scan, sites: SiteArrays, shown: ShownArrays, reach: int
) -> None:
    """Write into `shown.haplotype` which haplotype each read is of at each site."""
    if not len(sites.start):
        return
    start, end = int(sites.start[0]) - reach, int(sites.start[-1]) + reach + 1
    hets = find_het_snvs(reads, scan, start, end)
    if len(hets.position):
        tag_reads(reads, sites, hets, reach, shown)
