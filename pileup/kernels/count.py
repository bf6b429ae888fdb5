"""Count the witnesses of every allele by strand."""

import numpy as np

from pileup.accelerate import kernel

_REVERSE_FLAG = 16


@kernel
def count_alleles(
    observation_offset, observation_read, observation_allele, observation_counts, flag, alt_offset
):
    """Return int32 [2, alts + sites]: forward and reverse fragments of every allele.

    The alleles of site s (REF first) lie from column `alt_offset[s] + s` on.
    """
    n_sites = len(alt_offset) - 1
    counts = np.zeros((2, alt_offset[n_sites] + n_sites), np.int32)
    for site in range(n_sites):
        for index in range(observation_offset[site], observation_offset[site + 1]):
            if observation_counts[index] and observation_allele[index] >= 0:
                strand = 1 if flag[observation_read[index]] & _REVERSE_FLAG else 0
                counts[strand, alt_offset[site] + site + observation_allele[index]] += 1
    return counts
