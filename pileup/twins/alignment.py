"""Reads and sites as plain objects, unpacked from the arrays that the kernels take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pileup.arrays import ReadArrays, ReferenceArrays, SiteArrays
from pileup.codes import INDEL, UNKNOWN_BASE
from pileup.kernels.reads.walk import DELETED, OUTSIDE
from pileup.sam import CIGAR_LETTERS


@dataclass(frozen=True, slots=True)
class Read:
    """One alignment; `cigar` holds (letter, length), `start` is 0-based on the contig."""

    start: int
    end: int
    mapq: int
    flag: int
    fragment: int
    name_hash: int
    first_base: int
    bases: tuple[int, ...]
    qualities: tuple[int, ...]
    cigar: tuple[tuple[str, int], ...]

    def blocks(self) -> list[tuple[str, int, int, int]]:
        """Return (letter, length, contig position, index into `bases`) of each operation."""
        position, query = self.start, 0
        blocks = []
        for letter, length in self.cigar:
            blocks.append((letter, length, position, query))
            if letter in "M=XDN":
                position += length
            if letter in "M=XIS":
                query += length
        return blocks

    def columns(self) -> dict[int, int]:
        """Map contig positions to indices into `bases`, or to DELETED; skips (N) are absent."""
        where: dict[int, int] = {}
        for letter, length, position, query in self.blocks():
            for step in range(length):
                if letter in "M=X":
                    where[position + step] = query + step
                elif letter == "D":
                    where[position + step] = DELETED
        return where

    def index_at(self, position: int) -> int:
        """Return the index into `bases` of the base at a position, or DELETED or OUTSIDE."""
        return self.columns().get(position, OUTSIDE)

    def first_base_from(self, position: int) -> tuple[int, int]:
        """Return (index into `bases`, position) of the first base from a position on."""
        columns = self.columns()
        while columns.get(position) == DELETED:
            position += 1
        return columns.get(position, OUTSIDE), position


@dataclass(frozen=True, slots=True)
class Alt:
    """What an ALT takes from the reference (after the anchor of an indel) and puts there."""

    deleted: int
    bases: tuple[int, ...]

    @property
    def change(self) -> int:
        """Net change of length."""
        return len(self.bases) - self.deleted

    @property
    def replaces(self) -> bool:
        """Whether bases are put in the place of others."""
        return self.deleted > 0 and len(self.bases) > 0


@dataclass(frozen=True, slots=True)
class Site:
    """A candidate site: 0-based start, and the end of the repeat its indels can shift over."""

    start: int
    is_indel: bool
    ref_length: int
    repeat_end: int
    alts: tuple[Alt, ...]
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class Stretch:
    """Base codes (pileup.codes) of the contig from `start` on."""

    start: int
    codes: tuple[int, ...]

    @property
    def end(self) -> int:
        """End of what is known, exclusive."""
        return self.start + len(self.codes)

    def covers(self, position: int) -> bool:
        """Return whether the base at a contig position is known to this stretch."""
        return self.start <= position < self.end

    def base(self, position: int) -> int:
        """Return the code at a contig position, `UNKNOWN_BASE` outside."""
        return self.codes[position - self.start] if self.covers(position) else UNKNOWN_BASE

    def bases(self, start: int, end: int) -> tuple[int, ...]:
        """Return the codes of a span, with `UNKNOWN_BASE` outside."""
        return tuple(self.base(position) for position in range(start, end))


def unpack_reads(arrays: ReadArrays) -> list[Read]:
    """Return the reads of a window."""
    reads = []
    for index in range(len(arrays.read_start)):
        bases = slice(arrays.base_offset[index], arrays.base_offset[index + 1])
        cigar = range(arrays.cigar_offset[index], arrays.cigar_offset[index + 1])
        reads.append(
            Read(
                start=int(arrays.read_start[index]),
                end=int(arrays.read_end[index]),
                mapq=int(arrays.mapq[index]),
                flag=int(arrays.flag[index]),
                fragment=int(arrays.fragment[index]),
                name_hash=int(arrays.name_hash[index]),
                first_base=int(arrays.base_offset[index]),
                bases=_integers(arrays.bases[bases]),
                qualities=_integers(arrays.qualities[bases]),
                cigar=tuple(
                    (CIGAR_LETTERS[arrays.cigar_op[at]], int(arrays.cigar_length[at]))
                    for at in cigar
                ),
            )
        )
    return reads


def unpack_sites(sites: SiteArrays) -> list[Site]:
    """Return the sites of a window."""
    unpacked = []
    for index in range(len(sites.start)):
        alts = range(sites.alt_offset[index], sites.alt_offset[index + 1])
        unpacked.append(
            Site(
                start=int(sites.start[index]),
                is_indel=bool(sites.kind[index] == INDEL),
                ref_length=int(sites.ref_length[index]),
                repeat_end=int(sites.repeat_end[index]),
                alts=tuple(
                    Alt(
                        int(sites.alt_deleted[alt]),
                        _integers(
                            sites.alt_bases[
                                sites.alt_base_offset[alt] : sites.alt_base_offset[alt + 1]
                            ]
                        ),
                    )
                    for alt in alts
                ),
                is_shown=bool(sites.is_shown[index]),
            )
        )
    return unpacked


def unpack_reference(reference: ReferenceArrays) -> Stretch:
    """Return a stretch of reference."""
    return Stretch(reference.start, _integers(reference.codes))


def _integers(values: NDArray[np.uint8]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
