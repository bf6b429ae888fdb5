"""Copies of a slice: each has the reads and the bases of the slice, at its own place."""

from pathlib import Path

import pysam

from benchmarks.inputs.repeated import CONTIG, repeat
from benchmarks.inputs.slices import Slice, StagedSlice
from tests.builders import ReadsBuilder, random_sequence, write_reference


def test_every_copy_has_the_reads_of_the_region(tmp_path: Path) -> None:
    reference = write_reference(tmp_path / "ref.fa", {"chr1": random_sequence(1500)})
    reads = ReadsBuilder(reference).tile(step=9).write_bam(tmp_path / "reads.bam")
    item = Slice("slice", reads.name, reference.name, "chr1:201-1200", "", None)
    staged = StagedSlice(item, reads, reference, Path(), ((200, 1200),), Path())
    copies = repeat(staged, 3, tmp_path)
    assert copies.slice.region == f"{CONTIG}:1-3000"
    with pysam.FastaFile(str(reference)) as fasta, pysam.FastaFile(str(copies.reference)) as made:
        assert made.fetch(CONTIG) == 3 * fasta.fetch("chr1", 200, 1200)
    with pysam.AlignmentFile(str(reads)) as source, pysam.AlignmentFile(str(copies.reads)) as bam:
        wanted = sorted(
            (read.reference_start - 200, read.query_name, read.cigarstring, read.query_sequence)
            for read in source.fetch("chr1", 200, 1200)
            if read.reference_start >= 200 and read.reference_end <= 1200
        )
        assert wanted
        for copy in range(3):
            found = sorted(
                (
                    read.reference_start - 1000 * copy,
                    read.query_name.removesuffix(f".{copy}"),
                    read.cigarstring,
                    read.query_sequence,
                )
                for read in bam.fetch(CONTIG, 1000 * copy, 1000 * (copy + 1))
            )
            assert found == wanted
