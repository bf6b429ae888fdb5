"""A slice many times over, on one contig: so long that start-up is small beside calling."""

from dataclasses import replace
from pathlib import Path

import pysam

from benchmarks.inputs.slices import StagedSlice

CONTIG = "copies"


def repeat(staged: StagedSlice, copies: int, directory: Path) -> StagedSlice:
    """Write reads and reference of a slice's region `copies` times, side by side, and index them.

    Reads that reach out of the region are left out. There is no truth for it: it is for timing.
    """
    start, end = staged.slice.span
    stem = f"{staged.reads.stem}.{copies}_times"
    reads, reference = directory / f"{stem}.bam", directory / f"{stem}.fa"
    with pysam.FastaFile(str(staged.reference)) as fasta:
        bases = fasta.fetch(staged.slice.contig, start, end)
    reference.write_text(f">{CONTIG}\n{bases * copies}\n")
    pysam.faidx(str(reference))
    _repeat_reads(staged.reads, (staged.slice.contig, start, end), copies, reads)
    pysam.index(str(reads))
    region = f"{CONTIG}:1-{(end - start) * copies}"
    item = replace(staged.slice, name=f"{staged.slice.name}, {copies} times", region=region)
    return replace(staged, slice=item, reads=reads, reference=reference, confident=())


def _repeat_reads(source: Path, span: tuple[str, int, int], copies: int, target: Path) -> None:
    contig, start, end = span
    length = end - start
    with pysam.AlignmentFile(str(source)) as bam:
        header = bam.header.to_dict() | {"SQ": [{"SN": CONTIG, "LN": length * copies}]}
        inside = [
            read
            for read in bam.fetch(contig, start, end)
            if start <= read.reference_start and (read.reference_end or read.reference_start) <= end
        ]
        names = [read.query_name for read in inside]
        with pysam.AlignmentFile(
            str(target), "wb", header=pysam.AlignmentHeader.from_dict(header)
        ) as out:
            for copy in range(copies):
                shift = length if copy else -start
                for read, name in zip(inside, names, strict=True):
                    read.query_name = f"{name}.{copy}"
                    read.reference_id = read.next_reference_id = 0
                    read.reference_start += shift
                    # A mate elsewhere is said to be near: it is never looked up.
                    read.next_reference_start = max(0, read.next_reference_start + shift)
                    out.write(read)
