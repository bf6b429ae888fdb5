"""Small gVCFs, written from their records."""

from collections.abc import Iterable
from pathlib import Path

import pysam

HEADER = """\
##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description="All filters passed">
##FILTER=<ID=LowQual,Description="QUAL is below the threshold">
##FILTER=<ID=RefCall,Description="Genotype is homozygous reference">
##ALT=<ID=*,Description="Any allele that is not named">
##INFO=<ID=END,Number=1,Type=Integer,Description="Last position of a reference block">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Phred probability that GT is wrong">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="Lowest DP of a reference block">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Fragments of each allele">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred genotype likelihoods">
##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">
"""
CONTIGS = "##contig=<ID=1,length=1000>\n##contig=<ID=2,length=1000>\n"


def block(start: int, end: int, ref: str, call: str, contig: str = "1") -> str:
    """Return the line of a block, 1-based inclusive; `call` is GT:GQ:MIN_DP:PL."""
    return f"{contig}\t{start}\t.\t{ref}\t<*>\t.\t.\tEND={end}\tGT:GQ:MIN_DP:PL\t{call}\n"


def variant(
    pos: int, alleles: str, call: str, *, status: str = "PASS", contig: str = "1", more: str = ""
) -> str:
    """Return the line of a variant; `alleles` is "REF ALT,<*>", `call` GT:GQ:DP:AD:PL and more."""
    ref, alts = alleles.split()
    names = "GT:GQ:DP:AD:PL" + more
    return f"{contig}\t{pos}\t.\t{ref}\t{alts}\t30\t{status}\t.\t{names}\t{call}\n"


def write_gvcf(
    folder: Path,
    sample: str,
    lines: Iterable[str],
    *,
    contigs: str = CONTIGS,
    header: str = HEADER,
) -> Path:
    """Write the indexed gVCF of a sample."""
    path = folder / f"{sample}.g.vcf.gz"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
    text = "".join([header, contigs, f"{columns}\t{sample}\n", *lines])
    with pysam.BGZFile(str(path), "wb") as stream:
        stream.write(text.encode())
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return path
