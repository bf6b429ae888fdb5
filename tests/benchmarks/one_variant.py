"""A reference of random bases, and the truth of a sample with one variant in it."""

from pathlib import Path

import pysam

from tests.builders import random_sequence, write_reference

CONTIG = "20"


def write_one_variant(folder: Path, length: int, start: int) -> tuple[Path, Path]:
    """Write a contig of `length` bases and a het SNV at `start` (0-based, phased): FASTA, VCF."""
    sequence = random_sequence(length)
    reference = write_reference(folder / "ref.fa", {CONTIG: sequence})
    alt = "A" if sequence[start] != "A" else "C"
    truth = folder / "truth.vcf"
    truth.write_text(
        f"##fileformat=VCFv4.2\n##contig=<ID={CONTIG},length={length}>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tHG001\n"
        f"{CONTIG}\t{start + 1}\t.\t{sequence[start]}\t{alt}\t.\tPASS\t.\tGT\t0|1\n"
    )
    return reference, Path(pysam.tabix_index(str(truth), preset="vcf"))
