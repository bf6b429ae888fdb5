"""What the reads of a window show: candidates, their alleles, and what is measured of them."""
