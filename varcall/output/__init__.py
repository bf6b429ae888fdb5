"""What is written: VCF, BGZF, HTML, each whole or not at all."""
