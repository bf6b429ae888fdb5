"""Put fragments on haplotypes: which of their reads change, and how."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pysam

from varcall.simulate.edits import MAX_EDIT, Edit
from varcall.simulate.noise import reverse_complement
from varcall.simulate.spike.background import Background, Fragment, Segment
from varcall.simulate.spike.editing import (
    Alignment,
    Change,
    Read,
    Stretch,
    apply_changes,
    changes_of,
    extended,
    shortened,
    turned,
)
from varcall.simulate.spike.placing import Spiked
from varcall.simulate.spike.remap import Edited

#: Share of the fragments that each haplotype has at a balanced site.
_BALANCE = 0.3
#: Molecule of a fragment from another sample, as simulated reads have it.
FOREIGN = 2


@dataclass(frozen=True, slots=True)
class SpikedStretch:
    """A stretch, its spiked variants, and where each haplotype's edits begin."""

    stretch: Stretch
    spiked: Spiked

    def edits(self, haplotype: int, start: int, end: int) -> Sequence[Edit]:
        """The edits of a haplotype that may touch [start, end]."""
        edits = self.spiked.haplotypes[haplotype]
        low = bisect_left(edits, start - MAX_EDIT, key=lambda edit: edit.start)
        high = bisect_right(edits, end, key=lambda edit: edit.start)
        return edits[low:high]

    def sites(self, start: int, end: int) -> list[tuple[int, int]]:
        """The extents of the spiked variants in [start, end)."""
        extents = self.spiked.extents
        low = bisect_left(extents, (start - MAX_EDIT, 0))
        near = extents[low : bisect_right(extents, (end, 0))]
        return [(s, e) for s, e in near if s < end and e > start]


def whole_read(record: pysam.AlignedSegment) -> Read:
    """The bases of a primary record; positions are not laid out."""
    bases = record.query_sequence or ""
    qualities = bytes(record.query_qualities or bytes(len(bases)))
    return Read(bases, qualities, (), record.is_reverse)


class Haplotyper:
    """Edits the fragments of a background.

    Parameters
    ----------
    background
        The real reads.
    spiked
        What is spiked into its stretches.
    haplotypes
        Haplotype of each molecule.
    """

    def __init__(
        self,
        background: Background,
        spiked: Sequence[SpikedStretch],
        haplotypes: Mapping[str, int],
    ) -> None:
        self._spiked = spiked
        self._haplotypes = haplotypes
        self._seen: dict[tuple[str, int, int], list[int]] = {}
        # A long read is the molecule: it is as long as what it shows.
        self._keeps_length = not background.is_long()

    def edit(self, fragment: Fragment) -> Edited:
        """The fragment as its haplotype would have been sequenced."""
        if fragment.is_foreign:
            reads = tuple(whole_read(s.primary) for s in fragment.segments)
            return Edited(fragment, reads, (False,) * len(reads), FOREIGN)
        haplotype = self._haplotypes[fragment.molecule]
        made = [self._edit(segment, haplotype) for segment in fragment.segments]
        sites = {site for segment in fragment.segments for site in self._sites(segment)}
        for site in sites:
            self._seen.setdefault(site, [0, 0])[haplotype] += 1
        return Edited(
            fragment,
            tuple(read for read, _ in made),
            tuple(changed for _, changed in made),
            haplotype if sites else None,
        )

    def _stretch_of(self, record: pysam.AlignedSegment) -> SpikedStretch | None:
        for one in self._spiked:
            stretch = one.stretch
            inside = stretch.start <= record.reference_start < stretch.end
            if inside and stretch.contig == record.reference_name:
                return one
        return None

    def is_balanced(self, contig: str, start: int, end: int) -> bool:
        """Whether both haplotypes have a good share of the fragments edited so far at a site."""
        counts = self._seen.get((contig, start, end), [0, 0])
        return min(counts) >= _BALANCE * max(sum(counts), 1)

    def _sites(self, segment: Segment) -> list[tuple[str, int, int]]:
        """The spiked sites that a read covers: contig and extent."""
        found = []
        for record, alignment in segment.alignments():
            there = self._stretch_of(record)
            if there is not None:
                near = there.sites(alignment.start, alignment.end)
                found += [(there.stretch.contig, *site) for site in near]
        return found

    def _edit(self, segment: Segment, haplotype: int) -> tuple[Read, bool]:
        """The read of a segment, and whether it differs from what was sequenced."""
        read = whole_read(segment.primary)
        original, length, pad = read, len(read.bases), 0
        changes: list[Change] = []
        for record, alignment in segment.alignments():
            there = self._stretch_of(record)
            if there is None:
                continue
            edits = there.edits(haplotype, alignment.start, alignment.end)
            if not edits:
                continue
            alignment = replace(alignment, length=length)
            if record is segment.primary:
                read = _laid_out(read, alignment)
                if self._keeps_length:
                    lost = sum(e.end - e.start for e in edits if not e.alt)
                    read, alignment = extended(read, alignment, lost, there.stretch)
                pad = len(read.bases) - length if read.is_reverse else 0
                changes += changes_of(alignment, read.bases, edits, there.stretch)
            else:
                found = _of_a_part(record, original, alignment, edits, there.stretch)
                changes += [replace(c, start=c.start + pad, end=c.end + pad) for c in found]
        if not changes:
            return original, False
        if not read.position:
            read = replace(read, position=(-1,) * len(read.bases))
        made = apply_changes(read, changes)
        made = shortened(made, length) if self._keeps_length else made
        return made, made.bases != original.bases


def _laid_out(read: Read, alignment: Alignment) -> Read:
    position = [-1] * len(read.bases)
    for reference, query, n in alignment.blocks:
        position[query : query + n] = range(reference, reference + n)
    return replace(read, position=tuple(position))


def _of_a_part(
    record: pysam.AlignedSegment,
    read: Read,
    alignment: Alignment,
    edits: Sequence[Edit],
    stretch: Stretch,
) -> list[Change]:
    """The changes of a supplementary record, in the orientation of the primary one."""
    if record.is_reverse == read.is_reverse:
        return changes_of(alignment, read.bases, edits, stretch)
    bases = reverse_complement(read.bases)
    found = changes_of(alignment, bases, edits, stretch)
    return [turned(change, len(read.bases)) for change in found]
