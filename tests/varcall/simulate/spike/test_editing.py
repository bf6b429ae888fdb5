"""Reads that are put on a haplotype: what they spell afterwards."""

import numpy as np
import pytest

from varcall.simulate.edits import Edit, left_align
from varcall.simulate.genome import random_reference, spell
from varcall.simulate.noise import base_text
from varcall.simulate.spike.editing import (
    Alignment,
    Read,
    Stretch,
    alignment_of,
    apply_changes,
    changes_of,
    extended,
    shortened,
    turned,
)

REFERENCE = "GATTACAGGCTTAACCGTTTTTACGATCCA"
STRETCH = Stretch("c", 100, REFERENCE)


def read_at(start: int, end: int, *, is_reverse: bool = False) -> tuple[Read, Alignment]:
    n = end - start
    bases = STRETCH.text(start, end)
    read = Read(bases, bytes(range(10, 10 + n)), tuple(range(start, end)), is_reverse)
    return read, Alignment(((start, 0, n),), n)


def edited(read: Read, alignment: Alignment, *edits: Edit) -> Read:
    return apply_changes(read, changes_of(alignment, read.bases, edits, STRETCH))


def test_an_snv_keeps_quality_and_position() -> None:
    read, alignment = read_at(102, 112)
    made = edited(read, alignment, Edit(105, 106, "T"))
    assert made.bases == "TTATAGGCTT"
    assert (made.qualities, made.position) == (read.qualities, read.position)


def test_a_sequencing_error_stays_one() -> None:
    read, alignment = read_at(102, 112)
    wrong = Read("TTAGAGGCTT", read.qualities, read.position, False)
    assert edited(wrong, alignment, Edit(105, 106, "T")) == wrong


def test_an_insertion_has_the_qualities_beside_it() -> None:
    read, alignment = read_at(102, 112)
    made = edited(read, alignment, Edit(105, 105, "GG"))
    assert made.bases == "TTAGGCAGGCTT"
    assert made.qualities == bytes([10, 11, 12, 13, 14, 13, 14, 15, 16, 17, 18, 19])
    assert made.position[3:5] == (-1, -1)


def test_a_deletion_takes_bases_whatever_gap_the_read_has() -> None:
    """A slipped read of T5 with one T fewer shows T3 where one more is deleted."""
    # CGTTTTTACG with one T missing, as the mapper writes it: 3M1D6M.
    alignment = alignment_of([(0, 3), (2, 1), (0, 6)], 114)
    read = Read("CCGTTTTAC", bytes([30] * 9), (-1,) * 9, False)
    made = edited(read, alignment, Edit(117, 118, ""))
    assert made.bases == "CCGTTTAC"


def test_reads_that_end_in_a_deletion_show_what_lies_beyond() -> None:
    deletion = Edit(110, 116, "")
    read, alignment = read_at(103, 113)
    assert edited(read, alignment, deletion).bases == STRETCH.text(103, 110) + STRETCH.text(
        116, 119
    )
    read, alignment = read_at(113, 123)
    assert edited(read, alignment, deletion).bases == STRETCH.text(107, 110) + STRETCH.text(
        116, 123
    )


def test_a_clipped_end_is_not_filled_up() -> None:
    deletion = Edit(110, 116, "")
    read, _ = read_at(103, 113)
    clipped = Alignment(((103, 2, 8),), 12)
    longer = Read("AA" + read.bases[:8] + "AA", bytes([20] * 12), (-1,) * 12, False)
    assert edited(longer, clipped, deletion).bases == "AA" + read.bases[:7] + "AA"


@pytest.mark.parametrize("is_reverse", [False, True])
def test_short_reads_keep_their_length(is_reverse: bool) -> None:
    read, alignment = read_at(106, 118, is_reverse=is_reverse)
    deletion = Edit(110, 112, "")
    longer, wider = extended(read, alignment, 2, STRETCH)
    made = shortened(edited(longer, wider, deletion), 12)
    if is_reverse:
        assert made.bases == STRETCH.text(104, 110) + STRETCH.text(112, 118)
        assert made.position == (*range(104, 110), *range(112, 118))
    else:
        assert made.bases == STRETCH.text(106, 110) + STRETCH.text(112, 120)
    inserted = shortened(edited(read, alignment, Edit(110, 110, "CC")), 12)
    assert len(inserted.bases) == len(inserted.qualities) == len(inserted.position) == 12
    assert inserted.bases.endswith("GT") is is_reverse


def test_changes_of_a_part_on_the_other_strand() -> None:
    read, alignment = read_at(102, 112)
    (change,) = changes_of(alignment, read.bases, [Edit(105, 105, "GG")], STRETCH)
    other = turned(change, 10)
    assert (other.start, other.end, other.bases) == (7, 7, "CC")


@pytest.mark.parametrize("seed", range(8))
def test_whole_reads_spell_their_haplotype(seed: int) -> None:
    """A read over all edits spells just what the haplotype spells."""
    rng = np.random.default_rng(seed)
    stretch = Stretch("c", 0, random_reference(600, rng))
    edits = []
    for start in range(40, 560, 40):
        text = stretch.bases
        gap = int(rng.integers(1, 9))
        drawn = [
            Edit(start, start + 1, "ACGT"[("ACGT".index(text[start]) + 1) % 4]),
            Edit(start, start + gap, ""),
            Edit(start, start, text[start : start + gap]),
        ][int(rng.integers(3))]
        edits.append(left_align(drawn, text, 0))
    edits.sort()
    read = Read(stretch.bases, bytes([30] * 600), tuple(range(600)), False)
    changes = changes_of(Alignment(((0, 0, 600),), 600), read.bases, edits, stretch)
    expected = base_text(spell(stretch.bases, 0, edits, 1.0, 0).bases)
    assert apply_changes(read, changes).bases == expected
