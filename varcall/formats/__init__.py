"""What the bytes of BAM, CRAM, FASTA and their indexes say; nothing here judges an input."""
