"""The comparison of two call sets by haplotypes, as `rtg vcfeval` makes it."""
