"""The same reads as CRAM."""

from pathlib import Path

import pysam


def as_cram(bam: Path, reference: Path, directory: Path) -> Path:
    """Write an indexed CRAM of a BAM, in slices of htslib's size; return its path.

    htslib puts the reference into it where the FASTA lacks contigs of the header.
    """
    cram = directory / f"{bam.stem}.cram"
    pysam.view("-C", "-T", str(reference), "-o", str(cram), str(bam), catch_stdout=False)
    pysam.index(str(cram))
    return cram
