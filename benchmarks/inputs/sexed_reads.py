"""Reads of samples of both sexes with the contigs of GRCh38: depths only, no variants."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pysam

from varcall.reads.sex import MALE

# GRCh38, of which the first MB of each contig are written.
LENGTHS = {"chr20": 64_444_167, "chrX": 156_040_895, "chrY": 57_227_415}
WRITTEN = {"chr20": 200_000, "chrX": 3_000_000, "chrY": 3_000_000}
# Where reads lie, 0-based half-open; PAR1 ends at 2,781,479. A tenth as much of Y as of X is what
# whole genomes have of both with a mapping quality of 20 and more.
SPANS = {"chr20": (10_000, 180_000), "chrX": (2_790_000, 2_960_000), "chrY": (2_790_000, 2_822_000)}
READ = 150
# What X and Y share outside the PAR brings so many reads of a female to Y, of those of a male.
MISPLACED = 0.03


@dataclass(frozen=True, slots=True)
class Sexed:
    """A sample of a sex: its depth, whether reads lie on targets only, whether Y is there.

    `others` are copies of contigs that are not those of the sex.
    """

    sex: str
    depth: float
    has_gaps: bool = False
    has_y: bool = True
    seed: int = 1
    others: Mapping[str, float] = field(default_factory=dict)

    @property
    def copies(self) -> Mapping[str, float]:
        """Copies of each contig, of two of an autosome."""
        x, y = (1.0, 1.0) if self.sex == MALE else (2.0, MISPLACED)
        return {"chr20": 2.0, "chrX": x, "chrY": y} | dict(self.others)


def write_reference(path: Path) -> Path:
    """Write the parts of GRCh38's contigs where reads will lie: drawn bases, N elsewhere."""
    rng = np.random.default_rng(1)
    with path.open("w") as fasta:
        for name, length in WRITTEN.items():
            start, end = SPANS[name]
            sequence = "".join(rng.choice(list("ACGT"), end - start + READ))
            whole = ("N" * start + sequence).ljust(length, "N")
            fasta.write(f">{name}\n")
            fasta.writelines(f"{whole[at : at + 100]}\n" for at in range(0, length, 100))
    pysam.faidx(str(path))
    return path


def starts_of(sample: Sexed, contig: str, rng: np.random.Generator) -> Iterator[int]:
    """Yield where the reads of a contig start, in no order."""
    low, high = SPANS[contig]
    depth = sample.depth * sample.copies[contig] / 2
    if not sample.has_gaps:
        count = rng.poisson(depth * (high - low) / READ)
        yield from rng.integers(low, high, count).tolist()
        return
    # Targets of 200 bases, some captured better than others; a little lies anywhere.
    for target in range(low, high, 1500):
        count = rng.poisson(10 * depth * 350 / READ * rng.lognormal(0.0, 0.4))
        yield from rng.integers(target, target + 200, count).tolist()
    yield from rng.integers(low, high, rng.poisson(0.05 * depth * (high - low) / READ)).tolist()


def write_reads(sample: Sexed, reference: Path, path: Path) -> Path:
    """Write the reads of a sample, with the contig lengths of the real build."""
    rng = np.random.default_rng([sample.seed, sample.sex == MALE])
    names = [name for name in LENGTHS if sample.has_y or name != "chrY"]
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": name, "LN": LENGTHS[name]} for name in names],
        "RG": [{"ID": "1", "SM": sample.sex, "PL": "ILLUMINA"}],
    }
    with (
        pysam.FastaFile(str(reference)) as fasta,
        pysam.AlignmentFile(str(path), "wb", header=header) as bam,
    ):
        qualities = pysam.qualitystring_to_array("F" * READ)
        for number, name in enumerate(names):
            sequence = fasta.fetch(name)
            for index, start in enumerate(sorted(starts_of(sample, name, rng))):
                read = pysam.AlignedSegment(bam.header)
                read.query_name, read.flag = f"{name}.{index}", 16 * (index % 2)
                read.reference_id, read.reference_start = number, start
                read.mapping_quality, read.cigarstring = 60, f"{READ}M"
                read.query_sequence = sequence[start : start + READ]
                read.query_qualities = qualities
                read.set_tag("RG", "1")
                bam.write(read)
    pysam.index(str(path))
    return path
