"""Where things stand in a pileup image, by hand; everything else is in kernels/test_image."""

from pathlib import Path

import numpy as np
import pytest

from pileup import spec
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.window import Evidence

# A plain stretch, and a run of A at [300, 310).
SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV = 200
PIXEL = dict(zip("ACGT", (spec.BASE_A, spec.BASE_C, spec.BASE_G, spec.BASE_T), strict=True))
LOWER = spec.PANEL_HEIGHT


def other(base: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base]


@pytest.fixture
def het(tmp_path: Path) -> Evidence:
    """Three reads of REF, two of ALT, one of another base and one of low quality."""
    locus = Locus(tmp_path, SEQUENCE)
    alt = other(SEQUENCE[SNV])
    locus.show(2, 150, "80M", flag=0, mapq=30).show(1, 140, "80M", flag=16)
    locus.show(2, 170, "80M", {SNV: alt}, flag=16, qual=20)
    locus.show(1, 160, "80M", {SNV: other(alt)}, flag=0)
    locus.show(1, 165, "80M", {SNV: alt}, qual=5, flag=0)
    return locus.evidence()


def centre(image: np.ndarray, panel: int, channel: int, rows: int) -> list[int]:
    top = panel * LOWER
    column: list[int] = image[top : top + rows, spec.CENTRE, channel].tolist()
    return column


def test_the_candidate_column(het: Evidence) -> None:
    (image,) = het.images()
    ref, alt = SEQUENCE[SNV], other(SEQUENCE[SNV])
    reads = [alt, alt, other(alt), ref, ref, ref, alt]
    letters = [ref, ref, alt, alt, *reads]
    assert centre(image, 0, 0, 12) == [*(PIXEL[base] for base in letters), 0]
    qualities = [20, 20, 30, 30, 30, 30, 5]
    assert centre(image, 0, 1, 12) == [254] * 4 + [q * 254 // 40 for q in qualities] + [0]
    assert centre(image, 0, 2, 12) == [254] * 4 + [254, 254, 254, 254, 127, 127, 254, 0]
    forward, reverse = spec.STRAND_FORWARD, spec.STRAND_REVERSE
    strands = [reverse, reverse, forward, reverse, forward, forward, forward]
    assert centre(image, 1, 0, 12) == [0] * 4 + [*strands, 0]
    support = [spec.SUPPORT_PUTATIVE] * 2 + [spec.SUPPORT_OTHER] + [spec.SUPPORT_REFERENCE] * 3
    header = [0, 0, spec.SUPPORT_PUTATIVE, spec.SUPPORT_PUTATIVE]
    assert centre(image, 1, 1, 12) == [*header, *support, spec.SUPPORT_UNKNOWN, 0]
    same, differs = spec.DIFFERS_NOT, spec.DIFFERS_MISMATCH
    header = [same, same, differs, differs]
    assert centre(image, 1, 2, 12) == [*header, *[differs] * 3, *[same] * 3, differs, 0]


def test_a_column_is_a_reference_base(het: Evidence) -> None:
    (image,) = het.images()
    for column in range(spec.WIDTH):
        position = SNV - spec.CENTRE + column
        assert image[0, column, 0] == PIXEL[SEQUENCE[position]]
        covered = 170 <= position < 250
        assert (image[spec.HEADER_ROWS, column, 2] > 0) == covered


def test_nothing_below_the_last_read(het: Evidence) -> None:
    (image,) = het.images()
    assert not image[11:LOWER].any()
    assert not image[LOWER + 11 :].any()


def test_deletion_and_insertion(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(3, 260, "41M2D40M").show(3, 261, "40M3I40M", inserted="AAA").show(3, 262, "80M")
    evidence = locus.evidence()
    deletion, insertion, both = evidence.images()
    c = spec.CENTRE
    row = LOWER + spec.HEADER_ROWS
    gap = deletion[row, c : c + 4, 2].tolist()
    assert gap == [spec.DIFFERS_NOT, *[spec.DIFFERS_DELETION] * 2, spec.DIFFERS_NOT]
    assert deletion[spec.HEADER_ROWS, c + 1 : c + 3, :2].tolist() == [[0, 0], [0, 0]]
    assert deletion[spec.HEADER_ROWS, c + 1, 2] == spec.MAX_PIXEL
    mark = spec.DIFFERS_INSERTION + 3 * spec.DIFFERS_INSERTION_STEP
    assert insertion[row, c : c + 2, 2].tolist() == [mark, spec.DIFFERS_NOT]
    # The haplotype rows are spelled with the allele in place: eight and thirteen A.
    spelled = "".join({v: k for k, v in PIXEL.items()}[p] for p in deletion[2, c : c + 10, 0])
    assert spelled == "C" + "A" * 8 + "G"
    assert insertion[2, c : c + 15, 0].tolist() == [PIXEL[b] for b in "C" + "A" * 13 + "G"]
    assert (deletion[2] == deletion[3]).all()
    # Two alleles asked about: one row each.
    assert (both[2] == deletion[2]).all()
    assert (both[3] == insertion[2]).all()
    assert both[LOWER + 4 : LOWER + 10, c, 1].tolist() == [spec.SUPPORT_PUTATIVE] * 6


def test_the_picture_is_the_specified_size() -> None:
    layout = spec.SPEC.to_dict()
    assert (layout["height"], layout["width"], layout["channels"]) == (224, 224, 3)
    assert [len(panel) for panel in layout["panels"]] == [3, 3]
    assert 2 * spec.PANEL_HEIGHT == spec.HEIGHT
    assert spec.HEADER_ROWS + spec.READ_ROWS == spec.PANEL_HEIGHT
    codes = [*PIXEL.values(), spec.BASE_OTHER]
    assert len(set(codes)) == 5
    assert 0 < min(codes) < max(codes) <= spec.MAX_PIXEL
