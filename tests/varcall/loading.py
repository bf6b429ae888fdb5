"""Reads of a BAM or CRAM without the checks of its inputs."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pysam

from varcall.bam_records import BamRecords
from varcall.cram_records import CramRecords
from varcall.reads import ReadBatch, ReadFilter
from varcall.record_reads import RecordReads


def reads_of(
    path: Path, contigs: Sequence[str], index: Path | None = None, reference: Path | None = None
) -> RecordReads:
    """Open a file; only a CRAM has a reference."""
    if reference is None:
        bam = BamRecords(path, index or Path(f"{path}.bai"))
        return RecordReads(path, contigs, bam)
    return RecordReads(path, contigs, CramRecords(path, index or Path(f"{path}.crai"), reference))


def load_bam(
    bam: Path, contig: str, start: int, end: int, read_filter: ReadFilter | None = None
) -> ReadBatch:
    """Load the reads of one span."""
    with pysam.AlignmentFile(str(bam)) as file:
        contigs = file.references
    with closing(reads_of(bam, contigs)) as reads:
        return reads.load(contig, start, end, read_filter or ReadFilter())
