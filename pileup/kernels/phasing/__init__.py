"""Which haplotype each read is of."""
