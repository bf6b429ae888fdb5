"""One pass over a VCF: what a report counts, in memory that does not grow with the records.

The file may be any caller's: a field that records lack is not counted, and the page says so.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pysam

from varcall.errors import InputError
from varcall.evidence.alleles import trim
from varcall.formats.bgzf import BgzfFile, is_gzipped
from varcall.formats.simulated_origin import CONTAMINANT_SAMPLE
from varcall.inputs.sex_chromosomes import (
    SexChromosome,
    find_x,
    find_y,
    is_mitochondrial,
)
from varcall.report.header import Origin

#: Variant alleles lie so densely that the blocks of these bases in which calls lie are those that
#: were called: 14 are expected in one of a human genome.
BLOCK = 10_000
#: Bins of the share of reads with ALT, of 0.02 each; the last has 1.0.
VAF_BINS = 50
#: Longer indels are counted together.
LONGEST_INDEL = 50
#: Fewer fragments tell nothing about shares of alleles.
MIN_SHARE_DEPTH = 10
#: The genotypes by which shares of reads are told apart.
HOM_REF, HET, HOM_ALT, TWO_ALTS, HAPLOID = GENOTYPES = ("0/0", "0/1", "1/1", "1/2", "1")
FIELDS = ("GT", "GQ", "DP", "AD or VAF")

_BASES = frozenset("ACGTN")
_TRANSITIONS = frozenset({("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")})


@dataclass(slots=True)
class ContigTally:
    """Passing variants of one contig.

    Attributes
    ----------
    records, refused
        Records with ALT bases, and those of them that a filter refuses.
    snvs, insertions, deletions, others
        Called ALT alleles.
    transitions, transversions
        Called ALT alleles that are SNVs.
    het, hom
        Records by genotype: two alleles, or one ALT on both copies.
    depth, with_depth
        Sum of DP, and the records that have it.
    blocks
        Blocks of `BLOCK` bases with a variant.
    """

    length: int | None = None
    records: int = 0
    refused: int = 0
    variants: int = 0
    snvs: int = 0
    insertions: int = 0
    deletions: int = 0
    others: int = 0
    transitions: int = 0
    transversions: int = 0
    het: int = 0
    hom: int = 0
    depth: int = 0
    with_depth: int = 0
    blocks: int = 0


class Uncertain(NamedTuple):
    """A passing variant, by how little it is sure: the least of these is kept longest.

    `line` is the record's line, of the one sample.
    """

    quality: float
    number: int
    contig: str
    line: str


@dataclass(slots=True)
class CallTally:
    """What a report counts of one sample of a VCF.

    Attributes
    ----------
    header
        Header of the VCF with the one sample.
    seen
        Passing variants that have each of `FIELDS`.
    variants
        Passing records with an ALT in the genotype.
    reference_blocks
        Records without ALT bases, as a gVCF has.
    filters
        Records with ALT bases by FILTER.
    depths, qualities
        Passing variants by DP and by GQ.
    shares
        Records by share of reads with ALT (`VAF_BINS` bins), by genotype.
    lengths
        Called indel alleles by bases inserted (negative: deleted), at most `LONGEST_INDEL`.
    substitutions
        Called SNV alleles by (REF, ALT).
    causes
        Refused records by CAUSE; `cause_probabilities` are the sums of CAUSEP.
    hom_reads, hom_ref_reads
        Reads at passing homozygous SNVs of autosomes, and those of them that show REF.
    not_autosomes
        X, Y and the mitochondrial genome, where genotypes are others.
    x_snvs, x_het
        Passing diploid SNVs of X outside its pseudo-autosomal regions, and the heterozygous among
        them.
    uncertain
        The variants of least GQ (of least QUAL where there is no GQ), the least first.
    """

    sample: str
    origin: Origin
    header: str
    contigs: dict[str, ContigTally]
    not_autosomes: frozenset[str] = frozenset()
    seen: Counter[str] = field(default_factory=Counter)
    variants: int = 0
    reference_blocks: int = 0
    filters: Counter[str] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    qualities: Counter[int] = field(default_factory=Counter)
    shares: dict[str, list[int]] = field(
        default_factory=lambda: {name: [0] * VAF_BINS for name in GENOTYPES}
    )
    lengths: Counter[int] = field(default_factory=Counter)
    substitutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    cause_probabilities: dict[str, float] = field(default_factory=dict)
    hom_reads: int = 0
    hom_ref_reads: int = 0
    x_snvs: int = 0
    x_het: int = 0
    uncertain: list[Uncertain] = field(default_factory=list)

    def total(self, name: str, *, autosomes: bool = False) -> int:
        """Return the sum of a count of `ContigTally` over contigs."""
        return sum(
            getattr(tally, name)
            for contig, tally in self.contigs.items()
            if not (autosomes and contig in self.not_autosomes)
        )


def median_of(counts: Mapping[int, int]) -> int:
    """Return the median of what is counted by value; 0 without any.

    >>> median_of({10: 1, 30: 2, 40: 1}), median_of({})
    (30, 0)
    """
    middle, passed = sum(counts.values()) / 2, 0
    for value in sorted(counts):
        passed += counts[value]
        if passed >= middle:
            return value
    return 0


def tally_calls(path: Path, sample: str | None = None, uncertain: int = 0) -> CallTally:
    """Count a VCF or BCF, record by record.

    Parameters
    ----------
    sample
        Name of the sample; None takes the only one.
    uncertain
        How many of the least certain variants to keep.

    Raises
    ------
    InputError
        The file is damaged, no VCF, or lacks the sample.
    """
    with _open(path) as file:
        names = list(file.header.samples)
        chosen = _choose(path, names, sample)
        if len(names) > 1:
            file.subset_samples([chosen])
        header = str(file.header)
        lengths = {name: contig.length or 0 for name, contig in file.header.contigs.items()}
        x = find_x(lengths)
        tally = CallTally(
            chosen,
            Origin.of_header(header.splitlines()),
            header,
            {name: ContigTally(length or None) for name, length in lengths.items()},
            frozenset(_not_autosomes(lengths, x)),
        )
        counter = _Counter(tally, uncertain, x)
        for record in _records(file, path):
            counter.add(record)
        tally.uncertain = counter.least_certain()
    return tally


def _open(path: Path) -> closing[Any]:
    try:
        if is_gzipped(path):
            with BgzfFile(path) as blocks:
                if not blocks.has_eof_block:
                    raise InputError(
                        f"{path} has no BGZF end block, so it was cut: copy or write it again"
                    )
        return closing(pysam.VariantFile(str(path)))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read the calls {path}: {reason}; give a VCF or BCF") from None
    except ValueError as error:
        raise InputError(f"cannot read the calls {path}: {error}; give a VCF or BCF") from None


def _choose(path: Path, names: Sequence[str], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in names:
            raise InputError(
                f"{path} has no sample {wanted!r} (it has: {', '.join(names) or 'none'}): choose "
                "another with --sample"
            )
        return wanted
    if not names:
        raise InputError(f"{path} has no sample column: a report needs genotypes")
    if len(names) > 1 and list(names[1:]) != [CONTAMINANT_SAMPLE]:
        raise InputError(
            f"{path} has {len(names)} samples ({', '.join(names[:5])}): choose one with --sample"
        )
    return names[0]


def _not_autosomes(lengths: Mapping[str, int], x: SexChromosome | None) -> Iterator[str]:
    yield from (one.name for one in (x, find_y(lengths)) if one is not None)
    yield from (name for name, length in lengths.items() if is_mitochondrial(name, length))


def _records(file: Any, path: Path) -> Iterator[Any]:
    number, place = 0, "the header"
    try:
        for record in file:
            number += 1
            place = f"{record.contig}:{record.pos}"
            yield record
    except (OSError, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is damaged after record {number:,} ({place}): {error}; write it again"
        ) from None


class _Counter:
    """Adds records to a tally."""

    def __init__(self, tally: CallTally, uncertain: int, x: SexChromosome | None) -> None:
        self._tally = tally
        self._keep = uncertain
        self._x = x
        self._heap: list[tuple[float, int, str, str]] = []
        self._number = 0
        self._block: tuple[str, int] | None = None

    def least_certain(self) -> list[Uncertain]:
        """Return the kept variants, the least certain first."""
        found = [Uncertain(-key, -turn, *rest) for key, turn, *rest in self._heap]
        return sorted(found)

    def add(self, record: Any) -> None:
        tally = self._tally
        self._number += 1
        alts = record.alts or ()
        if not any(_is_bases(alt) for alt in alts):
            tally.reference_blocks += 1
            return
        contig = tally.contigs.setdefault(record.contig, ContigTally())
        contig.records += 1
        names = list(record.filter.keys()) or ["."]
        tally.filters[";".join(names)] += 1
        passes = names in (["PASS"], ["."])
        if not passes:
            contig.refused += 1
            self._cause(record)
        call = record.samples[0]
        genotype = _genotype(call)
        if genotype is None:
            return
        kind, alleles = genotype
        depth, counts = _depth(record, call), _counts(call, len(alts))
        share = _share(call, counts, depth, alleles)
        # Refused genotypes count where their shares are looked at by genotype: as 0/0 if so called.
        if share is not None and (passes or kind == HOM_REF):
            tally.shares[kind][min(VAF_BINS - 1, int(share * VAF_BINS + 1e-9))] += 1
        if not passes or kind == HOM_REF:
            return
        self._variant(record, contig, kind, depth, share is not None, call)
        single = self._alleles(record, contig, alleles)
        if single and kind == HOM_ALT and counts and record.contig not in tally.not_autosomes:
            if sum(counts) >= MIN_SHARE_DEPTH:
                tally.hom_reads += sum(counts)
                tally.hom_ref_reads += counts[0]
        if single and kind != HAPLOID and self._is_x(record):
            tally.x_snvs += 1
            tally.x_het += kind in (HET, TWO_ALTS)

    def _is_x(self, record: Any) -> bool:
        """Tell whether a record is of X outside its pseudo-autosomal regions."""
        if self._x is None or record.contig != self._x.name:
            return False
        return not any(start <= record.start < end for start, end in self._x.par or ())

    def _cause(self, record: Any) -> None:
        if "CAUSE" in record.info:
            cause = str(record.info["CAUSE"]).replace("_", " ")
            self._tally.causes[cause] += 1
            probability = float(record.info.get("CAUSEP") or 0)
            sums = self._tally.cause_probabilities
            sums[cause] = sums.get(cause, 0.0) + probability

    def _variant(
        self,
        record: Any,
        contig: ContigTally,
        kind: str,
        depth: int | None,
        has_share: bool,
        call: Any,
    ) -> None:
        tally = self._tally
        tally.variants += 1
        contig.variants += 1
        contig.het += kind in (HET, TWO_ALTS)
        contig.hom += kind == HOM_ALT
        quality = _number(call, "GQ")
        tally.seen["GT"] += 1
        tally.seen["AD or VAF"] += has_share
        if depth is not None:
            tally.seen["DP"] += 1
            tally.depths[depth] += 1
            contig.depth += depth
            contig.with_depth += 1
        if quality is not None:
            tally.seen["GQ"] += 1
            tally.qualities[round(quality)] += 1
        block = (record.contig, record.start // BLOCK)
        if block != self._block:
            contig.blocks += 1
            self._block = block
        certainty = quality if quality is not None else record.qual
        if self._keep and certainty is not None:
            # The heap's least item goes first: the surest, and of equals the later.
            key = (-float(certainty), -self._number)
            if len(self._heap) < self._keep:
                heapq.heappush(self._heap, (*key, record.contig, str(record)))
            elif key > self._heap[0][:2]:
                heapq.heapreplace(self._heap, (*key, record.contig, str(record)))

    def _alleles(self, record: Any, contig: ContigTally, alleles: Sequence[int]) -> bool:
        """Count the called ALTs; whether they are SNVs."""
        tally, single = self._tally, True
        for index in alleles:
            alt = record.alts[index - 1]
            if not _is_bases(alt):
                single = False
                continue
            _, ref, (alt,) = trim(0, record.ref.upper(), [alt.upper()])
            change = len(alt) - len(ref)
            single &= len(ref) == len(alt) == 1
            if len(ref) == len(alt) == 1:
                contig.snvs += 1
                contig.transitions += (ref, alt) in _TRANSITIONS
                contig.transversions += (ref, alt) not in _TRANSITIONS
                tally.substitutions[ref, alt] += 1
            elif change:
                contig.insertions += change > 0
                contig.deletions += change < 0
                tally.lengths[max(-LONGEST_INDEL, min(LONGEST_INDEL, change))] += 1
            else:
                contig.others += 1
        return single


def _is_bases(allele: str) -> bool:
    return _BASES.issuperset(allele.upper())


def _genotype(call: Any) -> tuple[str, tuple[int, ...]] | None:
    """Return which of `GENOTYPES` a call is, and its ALTs; None where an allele is not called."""
    indices = call.allele_indices
    if not indices or None in indices:
        return None
    alleles = tuple(sorted({index for index in indices if index}))
    if not alleles:
        return HOM_REF, ()
    if len(indices) == 1:
        return HAPLOID, alleles
    if len(alleles) > 1:
        return TWO_ALTS, alleles
    return (HET if 0 in indices else HOM_ALT), alleles


def _number(call: Any, key: str) -> float | None:
    value = call.get(key)
    value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    return value if isinstance(value, int | float) else None


def _depth(record: Any, call: Any) -> int | None:
    """DP of the sample, else of the site: the file may have the one sample only."""
    depth = _number(call, "DP")
    if depth is None and len(record.samples) == 1 and "DP" in record.info:
        depth = record.info["DP"]
    return None if depth is None else int(depth)


def _counts(call: Any, n_alts: int) -> tuple[int, ...]:
    """Reads of each allele, REF first: AD, or RO and AO as freebayes writes them; else empty."""
    counts = call.get("AD")
    if counts is None and "RO" in call and "AO" in call:
        of_alts = call["AO"]
        counts = (call["RO"], *(of_alts if isinstance(of_alts, tuple) else (of_alts,)))
    if not isinstance(counts, tuple) or len(counts) != n_alts + 1 or None in counts:
        return ()
    return tuple(int(count) for count in counts)


def _share(
    call: Any, counts: Sequence[int], depth: int | None, alleles: Sequence[int]
) -> float | None:
    """Share of the reads that show the called ALTs, of 0/0 the commonest ALT; None if unknown."""
    if counts:
        total = sum(counts)
        shown = sum(counts[index] for index in alleles) if alleles else max(counts[1:])
        return shown / total if total >= MIN_SHARE_DEPTH else None
    value = call.get("VAF")
    values = value if isinstance(value, tuple) else (value,)
    if None in values or (depth is not None and depth < MIN_SHARE_DEPTH):
        return None
    shown = sum(values[index - 1] for index in alleles) if alleles else max(values)
    return min(1.0, float(shown))
