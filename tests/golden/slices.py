"""Three tiny samples: a reference with planted sites, and reads placed by construction.

No mapper and no simulator has a part in them, so that no other change of the project moves them.
All that is random comes from `random.Random.random`, which Python keeps the same for a seed.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from typing import NamedTuple

from tests.builders import (
    DUPLICATE,
    MATE_REVERSE,
    PAIRED,
    PROPER,
    QC_FAIL,
    READ1,
    READ2,
    REVERSE,
    SECONDARY,
    SUPPLEMENTARY,
    ReadGroup,
    ReadsBuilder,
    write_reference,
)

CONTIG = "golden"
MARGIN = 300  # bases without a site at both ends of the contig
INSERTED = -1  # in place of the reference position of a base that has none


@dataclass(frozen=True, slots=True)
class Stack:
    """Reads over a site beside those of the sample; all show its wrong base."""

    flag: int = 0
    mapq: int = 60
    quality: int = 35
    count: int = 12


@dataclass(frozen=True, slots=True)
class Site:
    """A place of the reference: what lies there on both haplotypes, and what reads make of it.

    Attributes
    ----------
    pieces
        REF and both haplotypes, piece by piece; in each, a haplotype has REF's length or one of
        the two is empty.
    at
        Offset of the base that `wrong` and `slips` are about.
    wrong, share, strands, quality
        A base that this share of the reads of these strands shows there, with this quality.
    slips
        Share of the reads that lose, and half as many that repeat, that base.
    mapq, kept
        MAPQ of half of the reads over the site, and share of them that are kept; of short reads
        only, as long ones lie over many sites.
    stack
        More reads with the wrong base.
    """

    pieces: tuple[tuple[str, str, str], ...]
    at: int = 0
    wrong: str = ""
    share: float = 0.0
    strands: str = "+-"
    quality: int = 35
    slips: float = 0.0
    mapq: int | None = None
    kept: float = 1.0
    stack: Stack | None = None


def _same(text: str) -> tuple[str, str, str]:
    return text, text, text


def _run(base: str, length: int, *first: tuple[str, str, str], slips: float) -> Site:
    """Return a homopolymer whose first bases differ between the haplotypes."""
    end = "CTG" if base != "C" else "ATG"
    pieces = (_same(end[::-1]), *first, _same(base * length), _same(end))
    return Site(pieces, at=3 + sum(len(ref) for ref, _, _ in first), slips=slips)


def _noisy(
    ref: str,
    wrong: str,
    share: float,
    *,
    strands: str = "+-",
    quality: int = 35,
    mapq: int | None = None,
    kept: float = 1.0,
) -> Site:
    """Return a site where both haplotypes are REF and some reads are not."""
    return Site(
        (_same(ref),), 0, wrong, share, strands=strands, quality=quality, mapq=mapq, kept=kept
    )


def _stacked(ref: str, wrong: str, stack: Stack) -> Site:
    """Return a site where only the reads of a stack are not REF."""
    return Site((_same(ref),), wrong=wrong, stack=stack)


SITES = (
    # Substitutions.
    Site((("A", "A", "G"),)),
    Site((("C", "T", "T"),)),
    Site((("G", "C", "G"),)),
    Site((("T", "A", "A"),)),
    Site((("A", "C", "T"),)),
    Site((("CA", "TG", "CA"),)),
    Site((("C", "C", "A"), _same("GATG"), ("T", "T", "C"), _same("CAG"), ("A", "A", "G"))),
    # Insertions and deletions.
    Site((_same("G"), ("", "", "TCA"), _same("GAC"))),
    Site((_same("C"), ("TAGC", "TAGC", ""), _same("AGG"))),
    Site((_same("A"), ("", "C", "C"), _same("GTA"))),
    Site((_same("T"), ("GA", "", ""), _same("CCT"))),
    Site((_same("C"), ("", "ATGCCGATTACGGATCTGAC", ""), _same("GTT"))),
    Site((_same("G"), ("TTACGCATCGGATAC", "", "TTACGCATCGGATAC"), _same("CAA"))),
    # Homopolymers and repeats, with and without a variant.
    _run("A", 9, ("A", "A", ""), slips=0.04),
    _run("T", 11, ("", "T", "T"), slips=0.08),
    _run("A", 13, slips=0.2),
    _run("C", 8, slips=0.12),
    _run("T", 13, ("T", "T", ""), ("T", "", ""), slips=0.12),
    Site((_same("G"), ("", "CA", ""), _same("CA" * 9 + "GGT"))),
    Site((_same("C"), ("TAG", "", ""), _same("TAG" * 6 + "CCA"))),
    Site((_same("T"), ("AC", "", "AC"), ("", "", "AC"), _same("AC" * 8 + "TTG"))),
    _run("A", 15, ("", "", "A"), slips=0.15),
    Site((_same("G"), ("AT", "AT", ""), _same("AT" * 7 + "GGC")), at=1, slips=0.15),
    # Records that overlap.
    Site((_same("C"), ("TCAGT", "", "TCGGT"), _same("GCC"))),
    Site((_same("G"), ("ACTGACC", "", "ACTGACC"), _same("A"), ("T", "T", "C"), _same("TG"))),
    # Few reads, uncertain mappings.
    Site((("G", "G", "A"),), kept=0.25),
    Site((("C", "T", "T"),), kept=0.12),
    Site((_same("A"), ("", "", "GT"), _same("CTC")), kept=0.3),
    Site((("CG", "CG", "TA"),), kept=0.2),
    Site((("T", "T", "C"),), mapq=7),
    Site((("A", "G", "A"),), wrong="T", quality=8, share=0.1),
    # Noise.
    _noisy("C", "A", 0.17),
    _noisy("A", "T", 0.28, quality=15),
    _noisy("G", "T", 0.4, strands="-"),
    _noisy("T", "G", 0.5, strands="+", quality=12),
    _noisy("C", "G", 0.3, mapq=9),
    _noisy("G", "A", 0.25, kept=0.4),
    _noisy("T", "C", 0.2, quality=30),
    _noisy("A", "G", 0.22, quality=25),
    _noisy("C", "T", 0.25, strands="+"),
    _noisy("G", "A", 0.28, mapq=12),
    # What the filters of reads and bases leave out, just below and just above.
    *(_stacked("A", "C", Stack(flag=flag)) for flag in (0, SECONDARY, SUPPLEMENTARY)),
    *(_stacked("T", "C", Stack(flag=flag)) for flag in (QC_FAIL, DUPLICATE)),
    *(_stacked("C", "T", Stack(mapq=mapq)) for mapq in (4, 5)),
    *(_stacked("G", "C", Stack(quality=quality)) for quality in (9, 10)),
)


@dataclass(frozen=True, slots=True)
class Slice:
    """How the reads of a sample are made; lengths in bases.

    `ends` says whether they are pairs ("paired"), single reads of one length ("single"), or single
    reads of any length from a third of `read_length` to it ("long").
    """

    name: str
    ends: str
    platform: str
    read_length: int
    depth: int
    spacing: int
    seed: int = 1


PAIRED_ENDS = Slice("paired", "paired", "ILLUMINA", 120, 30, 70, seed=4)
SINGLE_ENDS = Slice("single", "single", "ILLUMINA", 100, 26, 60)
LONG_READS = Slice("long", "long", "PACBIO", 4500, 24, 90, seed=3)
SLICES = (PAIRED_ENDS, SINGLE_ENDS, LONG_READS)


class Base(NamedTuple):
    """A base of a haplotype or a read, its reference position or INSERTED, and its quality."""

    letter: str
    position: int
    quality: int = 35


@dataclass(slots=True)
class Genome:
    """The reference, the two haplotypes, and the sites by their first and their noisy position."""

    reference: str = ""
    haplotypes: tuple[list[Base], list[Base]] = field(default_factory=lambda: ([], []))
    sites: dict[int, Site] = field(default_factory=dict)
    noise: dict[int, Site] = field(default_factory=dict)

    def add(self, ref: str, *alts: str) -> None:
        """Append a piece, with what the two haplotypes have in its place."""
        at = len(self.reference)
        self.reference += ref
        for haplotype, alt in zip(self.haplotypes, alts, strict=True):
            places = range(at, at + len(ref)) if len(alt) == len(ref) else [INSERTED] * len(alt)
            haplotype.extend(map(Base, alt, places))


class Dice:
    """Random choices of one slice."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        return self._random() < share

    def between(self, low: int, high: int) -> int:
        """Draw a number, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def bases(self, n: int) -> str:
        return "".join("ACGT"[self.between(0, 3)] for _ in range(n))


@dataclass(frozen=True, slots=True)
class MadeSlice:
    """The files of a slice."""

    reference: Path
    bam: Path


def make_slice(what: Slice, folder: Path) -> MadeSlice:
    """Write the reference and the reads of a slice, the same at all times."""
    dice = Dice(f"{what.name} {what.seed}")
    genome = make_genome(what, dice)
    reference = write_reference(folder / f"{what.name}.fa", {CONTIG: genome.reference})
    group = ReadGroup("rg1", "golden", what.platform)
    sequencer = _Sequencer(what, genome, dice, ReadsBuilder(reference, read_groups=[group]))
    sequencer.add_fragments()
    for position, site in genome.sites.items():
        if site.stack is not None:
            sequencer.add_stack(position, site.wrong, site.stack)
    return MadeSlice(reference, sequencer.builder.write_bam(folder / f"{what.name}.bam"))


def make_genome(what: Slice, dice: Dice) -> Genome:
    """Put all sites into one contig, with random bases between them."""
    genome = Genome()
    genome.add(*_same(dice.bases(MARGIN)))
    for site in SITES:
        genome.add(*_same(dice.bases(dice.between(what.spacing, 2 * what.spacing))))
        genome.sites[len(genome.reference)] = site
        genome.noise[len(genome.reference) + site.at] = site
        for piece in site.pieces:
            genome.add(*piece)
    genome.add(*_same(dice.bases(MARGIN)))
    return genome


def cigar_of(bases: Sequence[Base]) -> str:
    """Spell the CIGAR of a read; bases without a position are clipped at its ends."""
    known = [index for index, base in enumerate(bases) if base.position != INSERTED]
    ops = ["S"] * known[0]
    before = bases[known[0]].position - 1
    for base in bases[known[0] : known[-1] + 1]:
        if base.position == INSERTED:
            ops.append("I")
        else:
            ops += ["D"] * (base.position - before - 1)
            ops.append("M")
            before = base.position
    ops += ["S"] * (len(bases) - known[-1] - 1)
    return "".join(f"{len(list(group))}{op}" for op, group in groupby(ops))


@dataclass(slots=True)
class _Sequencer:
    """Draws the reads of a slice."""

    what: Slice
    genome: Genome
    dice: Dice
    builder: ReadsBuilder
    names: Iterator[int] = field(default_factory=count)

    def add_fragments(self) -> None:
        """Add reads of both haplotypes up to the depth."""
        wanted = self.what.depth * len(self.genome.reference)
        while wanted > 0:
            haplotype = self.genome.haplotypes[self.dice.between(0, 1)]
            length = self._fragment_length()
            start = self.dice.between(-length // 3, len(haplotype) - length // 3)
            fragment = haplotype[max(0, start) : start + length]
            if len(fragment) < MARGIN // 4:
                continue
            low, high = self._span(fragment)
            sites = [self.genome.sites[at] for at in range(low, high) if at in self.genome.sites]
            if self.what.ends == "paired":
                wanted -= 2 * self.what.read_length
            else:
                wanted -= len(fragment)
            if self.what.ends == "long":
                sites = []
            if all(self.dice.chance(site.kept) for site in sites):
                self._add_fragment(fragment, self._mapq(sites))

    def add_stack(self, position: int, wrong: str, stack: Stack) -> None:
        """Add the reads of a stack, each with another start."""
        length = min(self.what.read_length, 2 * MARGIN)
        for number in range(stack.count):
            start = position - length // 4 - number * (length // 2 // stack.count)
            read = [
                Base(letter, at)
                for at, letter in enumerate(self.genome.reference[start : start + length], start)
            ]
            read[position - start] = Base(wrong, position, stack.quality)
            self._add(read, REVERSE * (number % 2) | stack.flag, stack.mapq)

    def _fragment_length(self) -> int:
        longest = self.what.read_length
        if self.what.ends == "paired":
            return self.dice.between(longest * 3 // 4, longest * 7 // 2)
        return self.dice.between(longest // 3, longest) if self.what.ends == "long" else longest

    def _span(self, bases: Sequence[Base]) -> tuple[int, int]:
        positions = [base.position for base in bases if base.position != INSERTED]
        return positions[0], positions[-1] + 1

    def _mapq(self, sites: Sequence[Site]) -> int:
        for site in sites:
            if site.mapq is not None and self.dice.chance(0.5):
                return site.mapq
        if self.dice.chance(0.05):
            return self.dice.between(0, 30)
        return 255 if self.dice.chance(0.03) else 60

    def _add_fragment(self, fragment: Sequence[Base], mapq: int) -> None:
        name = f"{self.what.name}{next(self.names)}"
        if self.what.ends != "paired":
            strand = REVERSE * self.dice.between(0, 1)
            self._add(self._sequenced(fragment, strand), strand, mapq, name)
            return
        length = self.what.read_length
        # A fragment that is shorter than a read is read through, into the adapter.
        adapter = [Base(letter, INSERTED) for letter in "AGATCGGAAGAGCACACGTCTGAACTCCAGTCA"]
        adapter = adapter[: max(0, length - len(fragment))]
        left = self._sequenced([*fragment[:length], *adapter], 0)
        right = self._sequenced([*adapter, *fragment[-length:]], REVERSE)
        (start, _), (mate_start, end) = self._span(left), self._span(right)
        both = PAIRED | (0 if self.dice.chance(0.04) else PROPER)
        first, second = (READ1, READ2) if self.dice.chance(0.5) else (READ2, READ1)
        size = end - start
        for duplicate in (0, DUPLICATE) if self.dice.chance(0.03) else (0,):
            own = f"{name}d" if duplicate else name
            flag = both | duplicate
            self._add(left, flag | first | MATE_REVERSE, mapq, own, mate_start, size)
            self._add(right, flag | second | REVERSE, mapq, own, start, -size)

    def _sequenced(self, bases: Sequence[Base], strand: int) -> list[Base]:
        """Return what is read of some bases: errors, qualities, and sometimes a clipped end."""
        read: list[Base] = []
        for number, base in enumerate(bases):
            cycle = len(bases) - 1 - number if strand else number
            read += self._read_base(base, strand, cycle / len(bases))
        if self.what.ends != "long" and self.dice.chance(0.05):
            length = self.dice.between(4, 30)
            noise = [Base(letter, INSERTED, 20) for letter in self.dice.bases(length)]
            read = [*noise, *read[length:]] if strand else [*read[:-length], *noise]
        return read

    def _read_base(self, base: Base, strand: int, cycle: float) -> list[Base]:
        """Return the none, one or two bases that are read of one."""
        dice = self.dice
        noise = self.genome.noise.get(base.position)
        if noise is not None and dice.chance(noise.slips):
            return [base._replace(position=INSERTED), base] if dice.chance(1 / 3) else []
        strands = "+-" if noise is None else noise.strands
        if noise is not None and "+-"[strand > 0] in strands and dice.chance(noise.share):
            return [base._replace(letter=noise.wrong, quality=noise.quality)]
        if self.what.ends == "long":
            if dice.chance(0.002):
                return [base._replace(position=INSERTED), base] if dice.chance(0.5) else []
            quality = dice.between(20, 50)
            is_wrong = dice.chance(0.001)
        elif dice.chance(0.01 + 0.08 * cycle**2):
            quality = dice.between(2, 14)
            is_wrong = dice.chance(0.15)
        else:
            quality = dice.between(30, 40)
            is_wrong = dice.chance(0.001)
        letter = "ACGT".replace(base.letter, "")[dice.between(0, 2)] if is_wrong else base.letter
        return [Base(letter, base.position, quality)]

    def _add(
        self,
        bases: Sequence[Base],
        flag: int,
        mapq: int,
        name: str | None = None,
        mate_start: int = -1,
        template_length: int = 0,
    ) -> None:
        """Add a read, now and then one without base qualities."""
        self.builder.add(
            name or f"{self.what.name}{next(self.names)}",
            start=self._span(bases)[0],
            cigar=cigar_of(bases),
            seq="".join(base.letter for base in bases),
            qual="*" if self.dice.chance(0.01) else [base.quality for base in bases],
            mapq=mapq,
            flag=flag,
            mate_contig="=" if template_length else "*",
            mate_start=mate_start,
            template_length=template_length,
        )
