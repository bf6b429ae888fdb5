"""Several samples together: from their gVCFs to one VCF, and what a pedigree adds."""
