"""Edit a real read so that it shows the variants of the haplotype it is put on.

The read keeps its errors and qualities. A short read keeps its length, as a sequencer's reads do:
what an insertion adds is cut off at the 3' end, and what a deletion takes is filled up there with
reference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pileup.sam import ALIGNS, CDEL, CINS, CREF_SKIP, CSOFT_CLIP
from varcall.simulate.edits import Edit
from varcall.simulate.noise import reverse_complement


@dataclass(frozen=True, slots=True)
class Stretch:
    """Reference bases of one part of a contig; `start` is the 0-based coordinate of the first."""

    contig: str
    start: int
    bases: str

    @property
    def end(self) -> int:
        """Coordinate after the last base."""
        return self.start + len(self.bases)

    def text(self, start: int, end: int) -> str:
        """Bases of [start, end), as far as the stretch reaches."""
        return self.bases[max(start - self.start, 0) : max(end - self.start, 0)]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the bases of a read lie: its (reference, read, length) blocks, 0-based, ascending.

    `length` is the number of bases of the whole read in the alignment's orientation.
    """

    blocks: tuple[tuple[int, int, int], ...]
    length: int

    @property
    def start(self) -> int:
        """First reference base with a read base on it."""
        return self.blocks[0][0]

    @property
    def end(self) -> int:
        """Reference base after the last with a read base on it."""
        reference, _, n = self.blocks[-1]
        return reference + n

    @property
    def query_start(self) -> int:
        """First read base on the reference."""
        return self.blocks[0][1]

    @property
    def query_end(self) -> int:
        """Read base after the last on the reference."""
        _, query, n = self.blocks[-1]
        return query + n

    def query_at(self, position: int) -> int | None:
        """The read base on a reference base; None where there is none."""
        index = bisect_right(self.blocks, (position, self.length, 0)) - 1
        if index < 0:
            return None
        reference, query, n = self.blocks[index]
        return query + position - reference if position < reference + n else None

    def query_after(self, position: int) -> int:
        """One past the last read base at or before a reference base at or after the start."""
        index = bisect_right(self.blocks, (position, self.length, 0)) - 1
        reference, query, n = self.blocks[index]
        return query + min(position - reference + 1, n)


def alignment_of(cigar: Sequence[tuple[int, int]], start: int, clipped: int = 0) -> Alignment:
    """Lay out a CIGAR from reference base `start` on.

    Parameters
    ----------
    cigar
        (operation, length) pairs, BAM codes.
    clipped
        Hard-clipped bases before the first base of SEQ.
    """
    blocks: list[tuple[int, int, int]] = []
    reference, query = start, clipped
    for operation, n in cigar:
        if operation in ALIGNS:
            if blocks and sum(blocks[-1][::2]) == reference and sum(blocks[-1][1:]) == query:
                blocks[-1] = (*blocks[-1][:2], blocks[-1][2] + n)
            else:
                blocks.append((reference, query, n))
            reference, query = reference + n, query + n
        elif operation in (CINS, CSOFT_CLIP):
            query += n
        elif operation in (CDEL, CREF_SKIP):
            reference += n
    return Alignment(tuple(blocks), query)


@dataclass(frozen=True, slots=True)
class Read:
    """Bases of a whole read in the orientation of its primary alignment.

    Attributes
    ----------
    bases, qualities
        Letters, and one quality (phred) each.
    position
        0-based reference coordinate of each base, -1 where it has none.
    is_reverse
        Whether the first base is the last one that was sequenced.
    """

    bases: str
    qualities: bytes
    position: tuple[int, ...]
    is_reverse: bool


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """Replace read bases [start, end) by `bases`, which lie at `position`."""

    start: int
    end: int
    bases: str
    position: tuple[int, ...]


def changes_of(
    alignment: Alignment, bases: str, edits: Sequence[Edit], stretch: Stretch
) -> list[Change]:
    """What the edits of a haplotype change in one alignment of a read.

    Parameters
    ----------
    alignment
        Of the read.
    bases
        Of the whole read in the alignment's orientation; what a hard clip hides may be anything.
    edits
        Edits of the haplotype, ascending.
    stretch
        Reference around them.
    """
    changes = []
    for edit in edits:
        if edit.is_snv:
            change = _substitution(alignment, bases, edit, stretch)
        elif edit.alt:
            change = _insertion(alignment, edit)
        else:
            change = _deletion(alignment, edit, stretch)
        if change is not None:
            changes.append(change)
    return changes


def _substitution(alignment: Alignment, bases: str, edit: Edit, stretch: Stretch) -> Change | None:
    at = alignment.query_at(edit.start)
    # A sequencing error stays one.
    if at is None or bases[at] != stretch.text(edit.start, edit.end):
        return None
    return Change(at, at + 1, edit.alt, (edit.start,))


def _insertion(alignment: Alignment, edit: Edit) -> Change | None:
    if not alignment.start < edit.start < alignment.end:
        return None
    at = alignment.query_after(edit.start - 1)
    return Change(at, at, edit.alt, (-1,) * len(edit.alt))


def _deletion(alignment: Alignment, edit: Edit, stretch: Stretch) -> Change | None:
    """Take as many bases as the reference loses, whatever the read's own gaps in them are.

    A read that ends inside the deleted stretch shows, on the other haplotype, the bases beyond it.
    """
    if alignment.end <= edit.start or alignment.start >= edit.end:
        return None
    if alignment.start >= edit.start:
        inside = min(edit.end, alignment.end) - 1
        begin, end = alignment.query_start, alignment.query_after(inside)
        moved = (edit.start - (end - begin), edit.start)
        is_whole = alignment.query_start == 0
    else:
        begin = alignment.query_after(edit.start - 1)
        end = min(begin + edit.end - edit.start, alignment.query_end)
        if alignment.end > edit.end:
            return Change(begin, end, "", ())
        end = alignment.query_end
        moved = (edit.end, edit.end + end - begin)
        is_whole = alignment.query_end == alignment.length
    text = stretch.text(*moved)
    if not is_whole or len(text) != end - begin:
        return Change(begin, end, "", ())
    return Change(begin, end, text, tuple(range(*moved)))


def turned(change: Change, length: int) -> Change:
    """The change in a read of `length` bases, seen from its other strand."""
    return Change(
        length - change.end,
        length - change.start,
        reverse_complement(change.bases),
        (-1,) * len(change.bases),
    )


def extended(read: Read, alignment: Alignment, n: int, stretch: Stretch) -> tuple[Read, Alignment]:
    """The read and its alignment with `n` more bases of reference at the 3' end.

    Nothing changes where that end is clipped: what was sequenced there is not the genome. The
    qualities are those of the last bases, mirrored.
    """
    first, last = alignment.blocks[0], alignment.blocks[-1]
    n = min(n, len(read.bases))
    if read.is_reverse:
        text = stretch.text(alignment.start - n, alignment.start)
        if first[1] or len(text) != n:
            return read, alignment
        position = (*range(alignment.start - n, alignment.start), *read.position)
        qualities = read.qualities[:n][::-1] + read.qualities
        moved = [(r, q + n, k) for r, q, k in alignment.blocks]
        moved[0] = (first[0] - n, 0, first[2] + n)
        longer = replace(read, bases=text + read.bases, qualities=qualities, position=position)
        return longer, Alignment(tuple(moved), alignment.length + n)
    text = stretch.text(alignment.end, alignment.end + n)
    if alignment.query_end != alignment.length or len(text) != n:
        return read, alignment
    position = (*read.position, *range(alignment.end, alignment.end + n))
    qualities = read.qualities + read.qualities[-n:][::-1]
    blocks = (*alignment.blocks[:-1], (last[0], last[1], last[2] + n))
    longer = replace(read, bases=read.bases + text, qualities=qualities, position=position)
    return longer, Alignment(blocks, alignment.length + n)


def shortened(read: Read, length: int) -> Read:
    """The read cut to `length` bases at its 3' end; as it is if it has no more."""
    kept = slice(max(len(read.bases) - length, 0), None) if read.is_reverse else slice(length)
    return replace(
        read,
        bases=read.bases[kept],
        qualities=read.qualities[kept],
        position=read.position[kept],
    )


def apply_changes(read: Read, changes: Sequence[Change]) -> Read:
    """The read with `changes` made; of two that overlap, the one that begins first.

    Inserted bases have the qualities of the bases beside them.
    """
    bases, qualities, position = [], [], []
    at = 0
    for change in sorted(changes):
        if change.start < at:
            continue
        bases += [read.bases[at : change.start], change.bases]
        qualities += [read.qualities[at : change.start], _qualities(read, change)]
        position += [*read.position[at : change.start], *change.position]
        at = change.end
    return replace(
        read,
        bases="".join([*bases, read.bases[at:]]),
        qualities=b"".join([*qualities, read.qualities[at:]]),
        position=(*position, *read.position[at:]),
    )


def _qualities(read: Read, change: Change) -> bytes:
    n = len(change.bases)
    if n == change.end - change.start:
        return read.qualities[change.start : change.end]
    beside = read.qualities[change.start : change.start + n] or read.qualities[-1:]
    return (beside * n)[:n]
