"""Reads of a BAM or CRAM without the checks of its inputs."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pysam

from varcall.inputs.reference import Reference
from varcall.reads.bam import BamRecords
from varcall.reads.batch import ReadBatch, ReadFilter
from varcall.reads.cram import CramRecords
from varcall.reads.loader import RecordReads


def reads_of(
    path: Path,
    contigs: Mapping[str, int],
    index: Path | None = None,
    reference: Path = Path("absent.fa"),
) -> RecordReads:
    """Open a file; a BAM needs its reference only for bases that are spelled `=`."""
    if path.suffix == ".bam":
        bam = BamRecords(path, index or Path(f"{path}.bai"))
        return RecordReads(path, contigs, bam, Reference(reference))
    cram = CramRecords(path, index or Path(f"{path}.crai"), reference)
    return RecordReads(path, contigs, cram, Reference(reference))


def load_bam(
    bam: Path, contig: str, start: int, end: int, read_filter: ReadFilter | None = None
) -> ReadBatch:
    """Load the reads of one span."""
    with pysam.AlignmentFile(str(bam)) as file:
        contigs = dict(zip(file.references, file.lengths, strict=True))
    with closing(reads_of(bam, contigs)) as reads:
        return reads.load(contig, start, end, read_filter or ReadFilter())
