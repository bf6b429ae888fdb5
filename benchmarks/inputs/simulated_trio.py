"""Simulated trios: parents with the haplotypes of HG002 and HG001, a child with new variants.

The child has of each parent one haplotype up to a crossover in the middle and the other one behind
it, and variants that neither parent has. ART makes the reads, bwa maps them to the piece of
chromosome 20 alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from benchmarks.inputs.slices import DATA
from benchmarks.runs.shell import shell

REFERENCE = DATA / "reference" / "hs37_chr20.fa.gz"
FATHER, MOTHER, CHILD = "father", "mother", "child"
PARENTS = {FATHER: "HG002_v4.2.1_b37_chr20.vcf.gz", MOTHER: "HG001_v3.3.2_b37_chr20.vcf.gz"}
CONTIG = "20"
# ART: HiSeq X TruSeq, 2x150, fragments of 400 +- 60 bases, as in `benchmarks.simulated`.
ART = "art_illumina -ss HSXt -l 150 -m 400 -s 60 -na -q"
BORDER = 1000  # bases at the ends of a piece, where depth is low
APART = 100  # bases from a new variant to any other
LONGEST = 8  # bases of a new indel
INDELS = 5  # of so many new variants one is an indel

Variant = tuple[int, str, str]
"""0-based start in the piece, REF, ALT."""
Haplotype = frozenset[Variant]


@dataclass(frozen=True, slots=True)
class Trio:
    """A piece as its own contig, the reads of three samples, and what they have.

    Attributes
    ----------
    reference
        FASTA of the piece.
    reads
        BAM of each sample.
    haplotypes
        The two of each sample; the child's are of father and mother.
    de_novo
        What the child alone has.
    """

    reference: Path
    reads: Mapping[str, Path]
    haplotypes: Mapping[str, tuple[Haplotype, Haplotype]]
    de_novo: Haplotype


def simulate_trio(
    span: tuple[int, int], depth: int, n_de_novo: int, seed: int, directory: Path
) -> Trio:
    """Simulate a trio over a span of chromosome 20 of b37, 0-based half-open."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    start, end = span
    with pysam.FastaFile(str(REFERENCE)) as fasta:
        sequence = fasta.fetch(CONTIG, start, end).upper()
    reference = directory / "ref.fa"
    reference.write_text(f">{CONTIG}\n{sequence}\n")
    shell("samtools faidx ref.fa; bwa index ref.fa", directory)
    haplotypes = {name: _haplotypes(DATA / "truth" / file, span) for name, file in PARENTS.items()}
    middle = (end - start) // 2
    inherited = tuple(
        frozenset(
            variant
            for side, own in enumerate(haplotypes[parent])
            for variant in own
            if (variant[0] < middle) == (side == first)
        )
        for parent, first in ((FATHER, int(rng.integers(2))), (MOTHER, int(rng.integers(2))))
    )
    taken = [variant[0] for pair in haplotypes.values() for own in pair for variant in own]
    new = _new_variants(sequence, taken, n_de_novo, rng)
    of_father = rng.random(len(new)) < 0.5
    gained = [frozenset(v for v, his in zip(new, of_father, strict=True) if his == is_fathers)
              for is_fathers in (True, False)]  # fmt: skip
    haplotypes[CHILD] = (inherited[0] | gained[0], inherited[1] | gained[1])
    reads = {
        name: _reads(name, sequence, pair, depth, 100 * seed + number, directory)
        for number, (name, pair) in enumerate(haplotypes.items(), 1)
    }
    return Trio(reference, reads, haplotypes, frozenset(new))


def _haplotypes(path: Path, span: tuple[int, int]) -> tuple[Haplotype, Haplotype]:
    """Read the haplotypes of a truth; those of no phase are as they stand there."""
    found: tuple[set[Variant], set[Variant]] = (set(), set())
    reach = [0, 0]
    with pysam.VariantFile(str(path)) as source:
        for record in source.fetch(CONTIG, *span):
            alleles = record.alleles or ()
            first = record.start - span[0]
            for side, allele in enumerate(record.samples[0].allele_indices or ()):
                if allele and first > reach[side] and record.stop < span[1]:
                    found[side].add((first, alleles[0], alleles[allele]))
                    reach[side] = record.stop - span[0]
    return frozenset(found[0]), frozenset(found[1])


def _new_variants(
    sequence: str, taken: Sequence[int], count: int, rng: np.random.Generator
) -> list[Variant]:
    places = list(taken)
    new: list[Variant] = []
    while len(new) < count:
        at = int(rng.integers(BORDER, len(sequence) - BORDER))
        if "N" in sequence[at - 1 : at + LONGEST + 1] or min(abs(at - p) for p in places) < APART:
            continue
        if len(new) % INDELS == INDELS - 1:
            size = int(rng.integers(1, LONGEST))
            new.append((at, sequence[at : at + 1 + size], sequence[at]))
        else:
            other = [base for base in "ACGT" if base != sequence[at]]
            new.append((at, sequence[at], other[int(rng.integers(3))]))
        places.append(at)
    return new


def _spelled(sequence: str, haplotype: Haplotype) -> str:
    pieces, done = [], 0
    for start, ref, alt in sorted(haplotype):
        pieces += [sequence[done:start], alt]
        done = start + len(ref)
    return "".join([*pieces, sequence[done:]])


def _reads(
    name: str, sequence: str, pair: tuple[Haplotype, Haplotype], depth: int, seed: int, folder: Path
) -> Path:
    for side, haplotype in enumerate(pair):
        fasta = folder / f"{name}.{side}.fa"
        fasta.write_text(f">{name}\n{_spelled(sequence, haplotype)}\n")
        shell(
            f"{ART} -f {depth / 2} -rs {10 * seed + side} -d {name}.{side}_ -i {fasta.name} -p "
            f"-o {name}.{side}_",
            folder,
        )
    ones, twos = (f"{name}.0_{mate}.fq {name}.1_{mate}.fq" for mate in (1, 2))
    shell(
        rf"bwa mem -R '@RG\tID:art\tSM:{name}\tPL:ILLUMINA' ref.fa <(cat {ones}) <(cat {twos}) "
        f"| samtools sort -o {name}.bam - ; samtools index {name}.bam; rm -f {ones} {twos}",
        folder,
    )
    return folder / f"{name}.bam"
