"""Count the fragments that show each allele, by strand."""

import numpy as np

from pileup.accelerate import kernel
from pileup.codes import REF
from pileup.sam import FREVERSE


@kernel
def count_alleles(reads, sites, shown):
    """Return int32 [2, alts + sites]: forward and reverse fragments of every allele.

    The alleles of site s (REF first) lie from column `sites.alt_offset[s] + s` on.
    """
    n_sites = len(sites.start)
    counts = np.zeros((2, sites.alt_offset[n_sites] + n_sites), np.int32)
    for site in range(n_sites):
        ref_column = sites.alt_offset[site] + site
        for index in range(shown.offset[site], shown.offset[site + 1]):
            if shown.counts[index] and shown.allele[index] >= REF:
                strand = 1 if reads.flag[shown.read[index]] & FREVERSE else 0
                counts[strand, ref_column + shown.allele[index]] += 1
    return counts
