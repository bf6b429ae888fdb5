"""Depths as mosdepth counts them; samtools depth -s counts the same."""

from pathlib import Path

import numpy as np
import pysam

from tests.builders import ReadsBuilder, random_sequence, write_reference
from varcall.inputs.open import open_inputs
from varcall.report.depth import DEEPEST, Depths, measure_depths, mosdepth_lines
from varcall.simulate import SimulatedSample


def samtools_depths(bam: Path) -> np.ndarray:
    """Bases by depth, of those that samtools lists; overlaps of mates count once (-s)."""
    lines = pysam.samtools.depth("-s", "-g", "0x800", str(bam)).splitlines()
    depths = [int(line.split("\t")[2]) for line in lines]
    return np.bincount(depths, minlength=DEEPEST + 1)


def test_depths_are_those_of_samtools(small_sample: SimulatedSample) -> None:
    depths = measure_depths(open_inputs(small_sample.bam, small_sample.reference))
    counts = depths.contigs["sim"]
    assert counts.sum() == 12_000
    assert counts[1:].tolist() == samtools_depths(small_sample.bam)[1:].tolist()
    assert depths.covered("sim") == counts[1:].sum()


def test_gaps_overlaps_and_flags(tmp_path: Path) -> None:
    sequence = random_sequence(4_000)
    contigs = {"a": sequence, "b": sequence[:2_500], "c": sequence[:100]}
    reads = ReadsBuilder(write_reference(tmp_path / "r.fa", contigs))
    reads.add(start=100, cigar="10M5D10M")  # a deletion is no depth
    reads.add(start=200, cigar="5S20M3I20M")
    reads.add_pair(start=300, insert_size=70)  # 30 bases in both
    reads.add(contig="b", start=2_450, flag=0x400)
    reads.add(contig="b", start=10, mapq=0)
    path = reads.write_bam(tmp_path / "r.bam")
    depths = measure_depths(open_inputs(path, tmp_path / "r.fa"))
    assert set(depths.contigs) == {"a", "b"}  # c has no reads
    assert depths.contigs["a"][:3].tolist() == [4_000 - 20 - 40 - 70, 130, 0]
    assert depths.contigs["b"][:2].tolist() == [2_450, 50]
    assert depths.mean("b") == 0.02
    assert depths.mean_of_covered("b") == 1


def test_lines_of_mosdepth() -> None:
    counts = np.zeros(DEEPEST + 1, np.int64)
    counts[[0, 2, 400]] = 5, 4, 1
    lines = list(mosdepth_lines(Depths({"1": counts})))
    # Levels without bases are left out above 300, as mosdepth does.
    assert lines[:2] == ["1\t400\t0.10000\n", "1\t300\t0.10000\n"]
    assert lines[300] == "1\t1\t0.50000\n"
    assert lines[301] == "1\t0\t1.00000\n"
    assert lines[302:] == [line.replace("1\t", "total\t", 1) for line in lines[:302]]
