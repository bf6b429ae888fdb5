"""Local reassembly: where the mapper was unsure, which haplotypes are there, which reads move."""
