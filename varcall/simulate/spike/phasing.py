"""Which haplotype a fragment is put on: the one whose real heterozygous variants it shows."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pileup.codes import N_BASES
from varcall.simulate.edits import PhasedEdits
from varcall.simulate.noise import base_text
from varcall.simulate.spike.background import Columns, Fragment

#: A column is heterozygous, where no truth says so: depth, and share of its second base.
_HET_DEPTH, _HET_SHARE = 8, (0.3, 0.7)
#: Fragments that must agree, net, for two neighbouring variants to be phased with each other.
_MIN_LINKS = 2


@dataclass(frozen=True, slots=True)
class Het:
    """A heterozygous SNV of the background: the bases of its first and second haplotype."""

    contig: str
    position: int
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Hets:
    """Phased SNVs, ascending on each contig."""

    by_contig: Mapping[str, tuple[Het, ...]]

    def votes(self, fragment: Fragment) -> list[tuple[Het, int]]:
        """The SNVs that a fragment shows: +1 for the first haplotype's base, -1 for the other."""
        found = []
        for segment in fragment.segments:
            for record, alignment in segment.alignments():
                hets = self.by_contig.get(record.reference_name or "", ())
                if record.is_supplementary or not hets:
                    continue
                first = bisect_left(hets, alignment.start, key=lambda het: het.position)
                for het in hets[first:]:
                    if het.position >= alignment.end:
                        break
                    at = alignment.query_at(het.position)
                    base = "" if at is None else (record.query_sequence or "")[at]
                    if base in (het.first, het.second):
                        found.append((het, 1 if base == het.first else -1))
        return found


def assign_haplotypes(fragments: Sequence[Fragment], hets: Hets, seed: int) -> dict[str, int]:
    """Haplotype (0 or 1) of each molecule: by what it shows of the SNVs, else by its hash."""
    sums: dict[str, int] = {}
    for fragment in fragments:
        vote = sum(value for _, value in hets.votes(fragment))
        sums[fragment.molecule] = sums.get(fragment.molecule, 0) + vote
    return {
        molecule: int(total < 0) if total else zlib.crc32(f"{seed}/{molecule}".encode()) & 1
        for molecule, total in sums.items()
    }


def truth_hets(contig: str, records: Sequence[PhasedEdits]) -> list[Het]:
    """The heterozygous SNVs of a phased truth that replace a single base."""
    found = []
    for record in records:
        edits = {*record.first, *record.second}
        if not record.phased or len(edits) != 1 or record.first == record.second:
            continue
        (edit,) = edits
        if edit.is_snv:
            sides = (edit.alt, "") if record.first else ("", edit.alt)
            found.append(Het(contig, edit.start, *sides))
    return found


def with_reference(hets: Sequence[Het], columns: Sequence[Columns]) -> list[Het]:
    """The same, with the reference's base in the place of an empty one."""
    filled = []
    for het in hets:
        for one in columns:
            stretch = one.stretch
            if stretch.contig == het.contig and stretch.start <= het.position < stretch.end:
                base = stretch.text(het.position, het.position + 1)
                filled.append(replace(het, first=het.first or base, second=het.second or base))
                break
    return filled


def hets_of_columns(columns: Sequence[Columns]) -> list[Het]:
    """Columns with two bases, each in a good share of the reads; not yet phased."""
    found = []
    for one in columns:
        order = np.argsort(one.bases, axis=1)
        rows = np.arange(len(order))
        top, next_ = order[:, N_BASES - 1], order[:, N_BASES - 2]
        first, second = one.bases[rows, top], one.bases[rows, next_]
        depth = one.depth
        share = second / np.maximum(depth, 1)
        is_het = (depth >= _HET_DEPTH) & (share >= _HET_SHARE[0])
        # The rest may be neither a third base nor gaps.
        is_het &= (first + second >= 0.9 * depth) & (first / np.maximum(depth, 1) <= _HET_SHARE[1])
        for at in np.flatnonzero(is_het):
            pair = base_text(np.array([top[at], next_[at]], np.uint8))
            found.append(Het(one.stretch.contig, one.stretch.start + int(at), pair[0], pair[1]))
    return found


def phased(hets: Sequence[Het], fragments: Sequence[Fragment]) -> Hets:
    """Put each SNV in phase with the one before it, by the fragments that show both.

    Where too few do, the order stays as it is: whatever it is, no fragment contradicts it.
    """
    links: dict[tuple[Het, Het], int] = {}
    plain = by_contig(hets)
    for fragment in fragments:
        votes = sorted(plain.votes(fragment), key=lambda vote: vote[0].position)
        for (one, a), (two, b) in pairwise(votes):
            if one != two:
                links[one, two] = links.get((one, two), 0) + a * b
    turned = []
    for found in plain.by_contig.values():
        flip = False
        for i, het in enumerate(found):
            link = links.get((found[i - 1], het), 0) if i else 0
            if abs(link) >= _MIN_LINKS:
                flip ^= link < 0
            turned.append(replace(het, first=het.second, second=het.first) if flip else het)
    return by_contig(turned)


def by_contig(hets: Sequence[Het]) -> Hets:
    """Sort SNVs by contig and position."""
    groups: dict[str, list[Het]] = {}
    for het in sorted(hets, key=lambda h: (h.contig, h.position)):
        groups.setdefault(het.contig, []).append(het)
    return Hets({contig: tuple(found) for contig, found in groups.items()})
