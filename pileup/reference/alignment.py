"""Reads and sites as plain objects, unpacked from the arrays that the kernels take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pileup.kernels.walk import DELETED, OUTSIDE

UNKNOWN_BASE = 4
_CIGAR_LETTERS = "MIDNSHP=X"


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


@dataclass(frozen=True, slots=True)
class Alt:
    """What an ALT takes from the reference (after the anchor of an indel) and puts there."""

    deleted: int
    bases: tuple[int, ...]

    @property
    def change(self) -> int:
        """Net change of length."""
        return len(self.bases) - self.deleted


@dataclass(frozen=True, slots=True)
class Site:
    """A candidate site: 0-based start, and the end of the repeat its indels can shift over."""

    start: int
    is_indel: bool
    ref_length: int
    repeat_end: int
    alts: tuple[Alt, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Base codes (0 A, 1 C, 2 G, 3 T, 4 other) of the contig from `start` on."""

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


def unpack_reads(batch: Any) -> list[Read]:
    """Return the reads of a batch of arrays (see varcall.reads.ReadBatch)."""
    reads = []
    for index in range(len(batch.read_start)):
        bases = slice(batch.base_offset[index], batch.base_offset[index + 1])
        cigar = range(batch.cigar_offset[index], batch.cigar_offset[index + 1])
        reads.append(
            Read(
                start=int(batch.read_start[index]),
                end=int(batch.read_end[index]),
                mapq=int(batch.mapq[index]),
                flag=int(batch.flag[index]),
                fragment=int(batch.fragment[index]),
                name_hash=int(batch.name_hash[index]),
                first_base=int(batch.base_offset[index]),
                bases=_integers(batch.bases[bases]),
                qualities=_integers(batch.qualities[bases]),
                cigar=tuple(
                    (_CIGAR_LETTERS[batch.cigar_op[at]], int(batch.cigar_length[at]))
                    for at in cigar
                ),
            )
        )
    return reads


def unpack_sites(sites: Any) -> list[Site]:
    """Return the sites of a struct of arrays (see varcall.candidates.Sites)."""
    unpacked = []
    for index in range(len(sites.start)):
        alts = range(sites.alt_offset[index], sites.alt_offset[index + 1])
        unpacked.append(
            Site(
                start=int(sites.start[index]),
                is_indel=bool(sites.kind[index] == 1),
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
            )
        )
    return unpacked


def _integers(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
