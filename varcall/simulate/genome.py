"""Diploid genomes: two mutated haplotypes of a stretch of reference, and molecules to sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pileup.codes import N_BASES
from varcall.formats.simulated_origin import CONTAMINANT_MOLECULE
from varcall.simulate.edits import Edit, Haplotype, PhasedEdits, left_align
from varcall.simulate.mutation import Mutator
from varcall.simulate.noise import base_codes, base_text

#: Share of the truth's variants left out of a genome, so that no two samples are alike.
DROPOUT = 0.1
#: Unrelated bases at both ends of a hidden copy, into which its fragments reach.
_COPY_FLANK = 300


@dataclass(frozen=True, slots=True)
class Molecule:
    """One DNA molecule kind that fragments come from.

    Attributes
    ----------
    bases
        uint8 [n]: base codes.
    position
        int32 [n]: 0-based position of each base in the stretch, -1 for inserted bases.
    copies
        Fragments per base relative to one haplotype of the sample.
    origin
        What the reads' tag ``mo`` says: 0 and 1 the sample's haplotypes, 2 another person's, 3
        and more hidden copies.
    """

    bases: np.ndarray
    position: np.ndarray
    copies: float
    origin: int


@dataclass(frozen=True, slots=True)
class Genome:
    """A diploid sample on one stretch of the reference.

    Attributes
    ----------
    contig, start, end
        The stretch, 0-based half-open.
    reference
        Its reference bases (ACGTN).
    haplotypes
        Edits of the two haplotypes, sorted.
    """

    contig: str
    start: int
    end: int
    reference: str
    haplotypes: tuple[tuple[Edit, ...], tuple[Edit, ...]]

    def molecule(self, haplotype: int) -> Molecule:
        """The molecule of haplotype 0 or 1."""
        return spell(self.reference, self.start, self.haplotypes[haplotype], 1.0, haplotype)

    def contaminants(self) -> list[Molecule]:
        """Both haplotypes as molecules of another person in a sample's library."""
        return [
            spell(self.reference, self.start, edits, 1.0, CONTAMINANT_MOLECULE)
            for edits in self.haplotypes
        ]


def spell(
    reference: str, offset: int, edits: Sequence[Edit], copies: float, origin: int
) -> Molecule:
    """Apply sorted, disjoint ``edits`` to ``reference``, whose first base is at ``offset``."""
    codes = base_codes(reference.encode())
    parts, places = [], []
    at = 0
    for edit in edits:
        start, end = edit.start - offset, edit.end - offset
        alt = base_codes(edit.alt.encode())
        parts += [codes[at:start], alt]
        kept = np.array([start], dtype=np.int32) if edit.is_snv else np.full(len(alt), -1, np.int32)
        places += [np.arange(at, start, dtype=np.int32), kept]
        at = end
    parts.append(codes[at:])
    places.append(np.arange(at, len(codes), dtype=np.int32))
    return Molecule(np.concatenate(parts), np.concatenate(places), copies, origin)


def pick_sources(n_truths: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """All (truth, haplotype) pairs in random order, the first two of different truths if any.

    One haplotype of each of two people makes a new person with a natural share of homozygous
    sites.
    """
    sources = [(t, h) for t in range(n_truths) for h in range(2)]
    order = [sources[i] for i in rng.permutation(len(sources))]
    if n_truths > 1:
        other = next(i for i, s in enumerate(order) if s[0] != order[0][0])
        order[1], order[other] = order[other], order[1]
    return order


def phase_haplotypes(records: Sequence[PhasedEdits], rng: np.random.Generator) -> list[Haplotype]:
    """The two haplotypes of a truth; unphased heterozygous records get a random phase."""
    pair = [Haplotype(), Haplotype()]
    for record in records:
        flip = not record.phased and rng.random() < 0.5
        sides = (record.second, record.first) if flip else (record.first, record.second)
        for haplotype, edits in zip(pair, sides, strict=True):
            haplotype.add(edits)
    return pair


def make_genome(
    contig: str,
    start: int,
    reference: str,
    truths: Sequence[Sequence[PhasedEdits]],
    variants_per_kb: float,
    rng: np.random.Generator,
    *,
    mix_truths: bool = True,
) -> tuple[Genome, Genome]:
    """A new person's two haplotypes, and those of another person (for contamination).

    Parameters
    ----------
    contig, start, reference
        The stretch: contig, 0-based start, bases.
    truths
        Records of each truth VCF on the stretch; may be empty.
    variants_per_kb
        Variant sites a kb that mutation fills up to.
    rng
        Source of all randomness.
    mix_truths
        Draw haplotypes among the truths and leave some variants out. If not, the genome has
        both haplotypes of the first truth (or one of the first and one of the second).
    """
    pool = [phase_haplotypes(t, rng) for t in truths]
    if mix_truths:
        sources = pick_sources(len(pool), rng)
    else:
        sources = [(0, 0), (len(pool) - 1, 1)] if pool else []
    dropped: dict[Edit, bool] = {}
    people = [Haplotype() for _ in range(4)]
    for haplotype, (truth, side) in zip(people, sources, strict=False):
        for edit in pool[truth][side].edits():
            if edit not in dropped:
                dropped[edit] = mix_truths and rng.random() < DROPOUT
            if not dropped[edit]:
                haplotype.add([edit])
    wanted = int(variants_per_kb * len(reference) / 1000)
    sites = len({e for h in people[:2] for e in h.edits()})
    pairs = (people[0], people[1]), (people[2], people[3])
    for pair, number in zip(pairs, (wanted - sites, len(reference) // 4000), strict=True):
        Mutator(reference, start, pair, rng).mutate(number)
    end = start + len(reference)
    person, other = (
        Genome(contig, start, end, reference, (tuple(first.edits()), tuple(second.edits())))
        for first, second in pairs
    )
    return person, other


def make_paralog(genome: Genome, origin: int, rng: np.random.Generator) -> Molecule | None:
    """A diverged copy of part of the stretch, which the reference lacks.

    0.3-8 kb long (log-uniform) and 0.5-3 % diverged; short copies up to 8 %, as old
    interspersed repeats are. Its ends run into unrelated sequence. None where the stretch is too
    short or has gaps. ``origin`` becomes the molecule's.
    """
    size = int(np.exp(rng.uniform(np.log(300), np.log(8000))))
    divergence = rng.uniform(0.005, 0.08 if size < 1200 else 0.03)
    return _copy(genome, size, divergence, float(rng.choice([1.0, 2.0, 0.6])), origin, rng)


def make_diverged_copy(genome: Genome, origin: int, rng: np.random.Generator) -> Molecule | None:
    """A short, diverged copy of part of the stretch that gives few reads.

    It stands for repeats whose reads are mapped to a copy that differs, and for other
    chromosomes' reads: in real slices most noisy candidates come of such reads, many beside
    each other in reads of ten differences and with doubtful mapping. 150-2500 bases long and
    3-14 % diverged; a copy in twenty of a haplotype at least, more than half seldom.
    """
    size = int(np.exp(rng.uniform(np.log(150), np.log(2500))))
    copies = float(np.exp(rng.uniform(np.log(0.05), np.log(0.8))))
    return _copy(genome, size, rng.uniform(0.03, 0.14), copies, origin, rng)


def _copy(
    genome: Genome,
    size: int,
    divergence: float,
    copies: float,
    origin: int,
    rng: np.random.Generator,
) -> Molecule | None:
    """A copy of a random part of the stretch; its ends run into unrelated sequence."""
    if len(genome.reference) < size + 4000:
        return None
    start = int(rng.integers(1500, len(genome.reference) - size - 1500))
    text = genome.reference[start : start + size]
    if "N" in text:
        return None
    copy = Haplotype()
    for _ in range(int(divergence * size)):
        at = int(rng.integers(2, size - 60))
        if rng.random() < 0.87:
            alts = [b for b in "ACGT" if b != text[at]]
            edit = Edit(at, at + 1, alts[int(rng.integers(3))])
        else:
            length = int(min(rng.geometric(0.4), 40))
            gap = (
                Edit(at, at + length, "")
                if rng.random() < 0.5
                else Edit(at, at, text[at : at + length])
            )
            edit = left_align(gap, text, 0)
        if edit.start > 0:
            copy.add([edit])
    body = spell(text, 0, copy.edits(), 1.0, origin)
    flanks = [rng.integers(0, N_BASES, size=_COPY_FLANK).astype(np.uint8) for _ in range(2)]
    apart = np.full(_COPY_FLANK, -1, dtype=np.int32)
    position = np.where(body.position >= 0, body.position + start, -1).astype(np.int32)
    return Molecule(
        np.concatenate([flanks[0], body.bases, flanks[1]]),
        np.concatenate([apart, position, apart]),
        copies,
        origin,
    )


def random_reference(size: int, rng: np.random.Generator) -> str:
    """Random bases with isochores, homopolymers and short tandem repeats like a real genome's."""
    anchors = rng.normal(0.42, 0.07, size=size // 2000 + 2).clip(0.25, 0.65)
    gc = np.interp(np.arange(size), np.arange(len(anchors)) * 2000, anchors)
    is_gc = rng.random(size) < gc
    codes = np.where(is_gc, rng.integers(1, 3, size=size), 3 * rng.integers(0, 2, size=size))
    codes = codes.astype(np.uint8)
    for _ in range(size // 350):
        at = int(rng.integers(0, size - 60))
        unit = int(rng.choice([1, 2, 3, 4, 5], p=[0.62, 0.18, 0.06, 0.1, 0.04]))
        length = int(min(rng.geometric(0.16) + (5, 5, 7, 8, 9, 10)[unit], 45))
        motif = rng.integers(0, N_BASES, size=unit)
        if unit == 1 and rng.random() < 0.85:
            motif = 3 * rng.integers(0, 2, size=1)
        codes[at : at + length] = np.resize(motif, length)
    return base_text(codes)
