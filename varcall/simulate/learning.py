"""Learn a noise profile (qualities and substitution errors) from real aligned reads.

The shipped profiles were made once, by ``learn_noise`` on public whole-genome slices; anybody can
make one from a BAM of their own with the same call::

    learn_noise((Path("sample.bam"),), Path("ref.fa"), Path("my_profile.npz"))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from pileup.codes import UNKNOWN_BASE
from pileup.sam import FDUP, FQCFAIL, FSECONDARY, FSUPPLEMENTARY, FUNMAP
from varcall.errors import InputError
from varcall.inputs.contig_sequences import ContigSequences
from varcall.simulate.noise import COMPLEMENT, CYCLE_BINS, READ_CLASSES, base_codes

#: A position with this share of differing reads, or more, is taken for a variant, not for errors.
VARIANT_FRACTION = 0.15
#: Reads with any of: unmapped, secondary, qc-fail, duplicate, supplementary.
SKIPPED_FLAGS = FUNMAP | FSECONDARY | FQCFAIL | FDUP | FSUPPLEMENTARY


@dataclass(frozen=True, slots=True)
class _MachineRead:
    """One read in the order in which the machine read it."""

    name: str
    first: bool
    bases: np.ndarray  # uint8 [n], 4 = N
    qualities: np.ndarray  # uint8 [n]
    reference: np.ndarray  # uint8 [n], reference base on the read's strand, 4 where not aligned
    positions: np.ndarray  # int64 [n], -1 where not aligned


def _machine_reads(bam: Path, fasta: Path, original_qualities: bool) -> Iterator[_MachineRead]:
    sequences: dict[str, np.ndarray] = {}
    with pysam.AlignmentFile(str(bam)) as alignment, ContigSequences(fasta) as genome:
        for read in alignment:
            if read.flag & SKIPPED_FLAGS or read.query_qualities is None or not read.is_paired:
                continue
            contig = read.reference_name or ""
            if contig not in sequences:
                if contig not in genome.lengths:
                    raise InputError(f"{fasta} has no contig {contig}, which {bam} is aligned to")
                sequences[contig] = base_codes(genome.sequence(contig).encode())
            qualities = np.asarray(read.query_qualities, dtype=np.uint8)
            if original_qualities and read.has_tag("OQ"):
                text = str(read.get_tag("OQ")).encode()
                qualities = np.frombuffer(text, dtype=np.uint8) - 33
            letters = (read.query_sequence or "").encode()
            bases = base_codes(letters)
            if len(qualities) != len(bases):
                continue
            positions = np.full(len(bases), -1, dtype=np.int64)
            for query, position in read.get_aligned_pairs(matches_only=True):
                positions[query] = position
            reference = np.where(positions >= 0, sequences[contig][positions], UNKNOWN_BASE).astype(
                np.uint8
            )
            # "=" in SEQ is the reference's base (SAM specification, 1.4).
            bases = np.where(np.frombuffer(letters, np.uint8) == ord("="), reference, bases)
            positions = np.where(positions >= 0, positions + (read.reference_id << 40), -1)
            if read.is_reverse:
                bases, reference = COMPLEMENT[bases[::-1]], COMPLEMENT[reference[::-1]]
                qualities, positions = qualities[::-1], positions[::-1]
            yield _MachineRead(
                str(read.query_name), bool(read.is_read1), bases, qualities, reference, positions
            )


def _variant_positions(reads: Sequence[_MachineRead]) -> np.ndarray:
    """Positions where reads differ from the reference too often for errors (sorted int64)."""
    aligned = np.concatenate([r.positions for r in reads])
    differs = np.concatenate([(r.bases != r.reference) & (r.bases < UNKNOWN_BASE) for r in reads])
    keep = aligned >= 0
    unique, inverse = np.unique(aligned[keep], return_inverse=True)
    depth = np.bincount(inverse)
    wrong = np.bincount(inverse, weights=differs[keep])
    return unique[(wrong >= 2) & (wrong >= VARIANT_FRACTION * depth)]


def learn_noise(
    bams: Sequence[Path], fasta: Path, output: Path, *, original_qualities: bool = False
) -> None:
    """Write a noise profile learned from paired, aligned reads.

    Parameters
    ----------
    bams
        Aligned reads; all of one platform, since they share the quality alphabet.
    fasta
        The reference they are aligned to.
    output
        The .npz to write (loaded by ``load_profile``).
    original_qualities
        Take the OQ tag (qualities before recalibration) where there is one.
    """
    reads = [r for bam in bams for r in _machine_reads(bam, fasta, original_qualities)]
    if len(reads) < 1000:
        raise InputError(f"{bams[0]} has {len(reads)} usable reads: a profile needs 1,000")
    levels = np.unique(np.concatenate([r.qualities for r in reads]))
    index = np.zeros(256, dtype=np.int64)
    index[levels] = np.arange(len(levels))
    arrays: dict[str, Any] = {"levels": levels}
    arrays.update(_count_qualities(reads, index, len(levels)))
    arrays.update(_count_errors(reads, index, len(levels)))
    np.savez_compressed(output, **arrays)


def _count_qualities(
    reads: Sequence[_MachineRead], index: np.ndarray, n_levels: int
) -> dict[str, np.ndarray]:
    """Initial and transition counts by read 1/2, read class and cycle bin; class pairs of mates."""
    means = np.array([r.qualities.mean() for r in reads])
    first = np.array([r.first for r in reads])
    classes = np.zeros(len(reads), dtype=np.int64)
    for side in (True, False):
        # Uneven quantiles, because the bad tail of reads is small and matters most.
        cuts = np.quantile(means[first == side], [0.06, 0.25, 0.6])
        classes[first == side] = np.searchsorted(cuts, means[first == side], side="right")
    initial = np.zeros((2, READ_CLASSES, n_levels), dtype=np.uint32)
    steps = np.zeros((2, READ_CLASSES, CYCLE_BINS, n_levels, n_levels), dtype=np.uint32)
    mates: dict[str, list[int]] = {}
    for read, read_class in zip(reads, classes, strict=True):
        mate = 0 if read.first else 1
        mates.setdefault(read.name, [-1, -1])[mate] = int(read_class)
        q = index[read.qualities]
        initial[mate, read_class, q[0]] += 1
        bins = np.arange(1, len(q)) * CYCLE_BINS // len(q)
        np.add.at(steps[mate, read_class], (bins, q[:-1], q[1:]), 1)
    pairs = np.zeros((READ_CLASSES, READ_CLASSES), dtype=np.uint32)
    for one, two in mates.values():
        if one >= 0 and two >= 0:
            pairs[one, two] += 1
    return {"initial": initial, "steps": steps, "class_pairs": pairs}


def _count_errors(
    reads: Sequence[_MachineRead], index: np.ndarray, n_levels: int
) -> dict[str, np.ndarray]:
    """Bases and mismatches by level; bases and wrong bases by context of two previous bases."""
    variants = _variant_positions(reads)
    level = np.zeros((2, n_levels), dtype=np.uint32)
    context = np.zeros((4, 4, 4, 4), dtype=np.uint32)  # previous two, true base, base read
    for read in reads:
        usable = (
            (read.positions >= 0) & (read.bases < UNKNOWN_BASE) & (read.reference < UNKNOWN_BASE)
        )
        usable &= ~np.isin(read.positions, variants)
        wrong = usable & (read.bases != read.reference)
        q = index[read.qualities]
        np.add.at(level[0], q[usable], 1)
        np.add.at(level[1], q[wrong], 1)
        here = (
            usable[2:]
            & (read.reference[:-2] < UNKNOWN_BASE)
            & (read.reference[1:-1] < UNKNOWN_BASE)
        )
        spot = np.flatnonzero(here) + 2
        key = (read.reference[spot - 2], read.reference[spot - 1], read.reference[spot])
        np.add.at(context, (*key, read.bases[spot]), 1)
    return {"level_bases": level[0], "level_errors": level[1], "context": context}
