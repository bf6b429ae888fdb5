"""Edits of the reference: the atomic variants of a simulated haplotype, and its truth VCF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from varcall.errors import InputError
from varcall.evidence import alleles
from varcall.formats.simulated_origin import CONTAMINANT_SAMPLE

#: Records that change more bases than this are structural, and left out.
MAX_EDIT = 200


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace reference bases [start, end) by ``alt``.

    Attributes
    ----------
    start, end
        0-based half-open on the contig; equal for an insertion.
    alt
        Bases in their place; empty for a deletion, one base for an SNV.
    """

    start: int
    end: int
    alt: str

    @property
    def is_snv(self) -> bool:
        """Whether one base is replaced by one base."""
        return self.end - self.start == 1 and len(self.alt) == 1

    @property
    def anchored_start(self) -> int:
        """0-based start of the VCF record, which gives an indel the base before it."""
        return self.start if self.is_snv else self.start - 1


def left_align(edit: Edit, reference: str, offset: int) -> Edit:
    """The leftmost form of a pure insertion or deletion.

    Parameters
    ----------
    edit
        An insertion or a deletion; an SNV comes back as it is.
    reference
        Reference bases from ``offset`` on.
    offset
        0-based contig coordinate of the first of them.
    """
    if edit.is_snv:
        return edit

    def fetch(start: int, end: int) -> str:
        missing = min(max(offset - start, 0), end - start)
        return "N" * missing + reference[start + missing - offset : end - offset]

    allele = _allele(edit, reference, offset)
    start, ref, (alt,) = alleles.left_align(allele.start, allele.ref, [allele.alt], fetch)
    return Edit(start + 1, start + len(ref), alt[1:])


def _allele(edit: Edit, reference: str, offset: int) -> alleles.Allele:
    """The edit as VCF writes it, an indel with the base before it."""
    start = edit.anchored_start
    ref = reference[start - offset : edit.end - offset]
    return alleles.Allele(start, ref, ref[: edit.start - start] + edit.alt)


def atomic_edits(start: int, ref: str, alt: str, reference: str, offset: int) -> list[Edit]:
    """Atomic, left-aligned edits that together turn ``ref`` at ``start`` into ``alt``.

    A record that replaces several bases by another number of bases becomes an insertion or
    deletion and the SNVs beside it.
    """
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    shared = min(len(ref), len(alt))
    if len(ref) == len(alt) or not shared:
        indel: list[Edit] = []
    else:
        gap = Edit(start, start + len(ref) - shared, alt[: len(alt) - shared])
        indel = [left_align(gap, reference, offset)]
        start, ref, alt = start + len(ref) - shared, ref[-shared:], alt[-shared:]
    if not shared and (ref or alt):
        return [left_align(Edit(start, start + len(ref), alt), reference, offset)]
    snvs = [Edit(start + i, start + i + 1, alt[i]) for i in range(shared) if ref[i] != alt[i]]
    return indel + snvs


class Haplotype:
    """Edits of one haplotype that do not touch each other (anchor bases included)."""

    def __init__(self) -> None:
        self._edits: set[Edit] = set()
        self._taken: set[int] = set()

    def fits(self, edits: Sequence[Edit]) -> bool:
        """Whether none of ``edits`` overlaps what is there, or another of them."""
        places = [p for e in edits for p in range(e.anchored_start, e.end)]
        return len(set(places)) == len(places) and self._taken.isdisjoint(places)

    def add(self, edits: Sequence[Edit]) -> bool:
        """Add all of ``edits``, or none where one of them does not fit; says which."""
        if not self.fits(edits):
            return False
        self._edits.update(edits)
        for edit in edits:
            self._taken.update(range(edit.anchored_start, edit.end))
        return True

    def edits(self) -> list[Edit]:
        """The edits, in the order of the contig."""
        return sorted(self._edits)


@dataclass(frozen=True, slots=True)
class PhasedEdits:
    """Edits of one record: those of the first and those of the second haplotype."""

    first: tuple[Edit, ...]
    second: tuple[Edit, ...]
    phased: bool


def read_truth(
    vcf: Path, contig: str, start: int, end: int, reference: str, offset: int
) -> list[PhasedEdits]:
    """Edits of the small variants of a truth VCF inside [start, end) of ``contig``.

    Symbolic, structural (over ``MAX_EDIT`` bases) and half-called records are left out.

    Raises
    ------
    InputError
        If the VCF cannot be read, has no index or no sample, or does not agree with the reference.
    """
    # Old truth sets declare PS as they please; htslib's warning would be repeated by every sample.
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(vcf)) as file:
            if not len(file.header.samples):
                raise InputError(f"{vcf} has no sample column: a truth VCF needs genotypes")
            if contig not in file.header.contigs:
                return []
            records = [_phased_edits(r, reference, offset) for r in file.fetch(contig, start, end)]
    except (OSError, ValueError) as error:
        raise InputError(f"{vcf} cannot be read by region: index it with tabix -p vcf") from error
    finally:
        pysam.set_verbosity(verbosity)
    return [r for r in records if r is not None]


def _phased_edits(record: pysam.VariantRecord, reference: str, offset: int) -> PhasedEdits | None:
    """The edits of one record, or None where it cannot be used."""
    spelled = record.alleles or ()
    genotype = record.samples[0].allele_indices or ()
    indices = [i for i in genotype if i is not None]
    start = record.start - offset
    # The first bases of the stretch are left alone: an anchor base has to fit before any edit.
    if (
        len(genotype) != 2
        or len(indices) != 2
        or start < 2
        or record.stop - offset > len(reference)
    ):
        return None
    if any(len(a) > MAX_EDIT or set(a) - set("ACGT") for a in spelled):
        return None
    if reference[start : start + len(spelled[0])] != spelled[0]:
        raise InputError(
            f"the truth says {spelled[0]} at {record.chrom}:{record.pos}, the reference does not: "
            "give the reference that the truth was made for"
        )
    first, second = (
        tuple(atomic_edits(record.start, spelled[0], spelled[i], reference, offset)) if i else ()
        for i in indices
    )
    return PhasedEdits(first, second, bool(record.samples[0].phased))


def write_truth(
    path: Path,
    contigs: Iterable[tuple[str, int]],
    contig: str,
    sample: str,
    haplotypes: tuple[Sequence[Edit], Sequence[Edit]],
    reference: str,
    offset: int,
    contaminant: tuple[Sequence[Edit], Sequence[Edit]] = ((), ()),
) -> int:
    """Write the phased truth VCF (bgzipped and indexed).

    Edits of both haplotypes at one POS share a record, with the longest REF. The second sample
    column has the person who contaminates the library. What only that person carries stands in
    records of its own, behind the sample's at the same POS, so that contamination does not
    change how the sample's variants are spelled.

    Returns
    -------
    int
        Records of variants that the sample carries.
    """
    header = pysam.VariantHeader()
    header.add_line("##source=varcall simulate")
    for name, length in contigs:
        header.contigs.add(name, length=length)
    header.add_line('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
    for name in (sample, CONTAMINANT_SAMPLE):
        header.add_sample(name)
    own, other = _by_place(haplotypes), _by_place(contaminant)
    with pysam.VariantFile(str(path), "wz", header=header) as out:
        for place in sorted(own.keys() | other.keys()):
            mine, theirs = own.get(place, _NO_EDITS), other.get(place, _NO_EDITS)
            shared = {e for e in mine if e is not None}
            foreign = {e for e in theirs if e is not None} - shared
            for chosen in (shared, foreign):
                if not chosen:
                    continue
                different = sorted(chosen, key=(*mine, *theirs).index)
                start, ref, alts = alleles.merge_alleles(
                    [_allele(e, reference, offset) for e in different]
                )
                record = out.new_record(contig=contig, start=start, alleles=(ref, *alts))
                for column, pair in enumerate((mine, theirs)):
                    record.samples[column].allele_indices = tuple(
                        1 + different.index(e) if e in chosen else 0 for e in pair
                    )
                    record.samples[column].phased = True
                out.write(record)
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return len(own)


_Pair = tuple[Edit | None, Edit | None]
_NO_EDITS: _Pair = (None, None)


def _by_place(haplotypes: tuple[Sequence[Edit], Sequence[Edit]]) -> dict[int, _Pair]:
    """Edits of the two haplotypes by the start of their VCF record."""
    first, second = ({e.anchored_start: e for e in edits} for edits in haplotypes)
    return {p: (first.get(p), second.get(p)) for p in first.keys() | second.keys()}
