"""Where things stand in a pileup image, by hand; everything else is in kernels/test_image."""

from pathlib import Path

import numpy as np
import pytest

from pileup import spec
from tests.builders import PAIRED, PROPER
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.evidence.window import Evidence
from varcall.reads.library_profile import LibraryProfile

# A plain stretch, and a run of A at [300, 310).
SEQUENCE = sequence_with("C" + "A" * 10 + "G")
SNV = 200
PIXEL = dict(zip("ACGT", (spec.BASE_A, spec.BASE_C, spec.BASE_G, spec.BASE_T), strict=True))
TOPS = [spec.panel_top(panel) for panel in range(3)]
PAIRS = LibraryProfile(proper_share=0.95, error_rate=0.001)


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


def centre(image: np.ndarray, top: int, channel: int, rows: int) -> list[int]:
    column: list[int] = image[top : top + rows, spec.CENTRE, channel].tolist()
    return column


def test_the_header(het: Evidence) -> None:
    (image,) = het.images(PAIRS)
    ref, alt = SEQUENCE[SNV], other(SEQUENCE[SNV])
    assert centre(image, 0, 0, 8) == [PIXEL[ref]] * 4 + [PIXEL[alt]] * 4
    assert centre(image, 0, 1, 8) == [spec.HEADER_YES] * 8
    assert centre(image, 0, 2, 8) == [spec.HEADER_YES] * 8
    beside = image[:8, [spec.CENTRE - 1, spec.CENTRE + 1], 1:]
    assert (beside == spec.HEADER_NO).all()


def test_the_candidate_column(het: Evidence) -> None:
    (image,) = het.images(PAIRS)
    ref, alt = SEQUENCE[SNV], other(SEQUENCE[SNV])
    reads = [alt, alt, other(alt), ref, ref, ref, alt]
    bases, alleles, of_reads = TOPS
    assert centre(image, bases, 0, 8) == [*(PIXEL[base] for base in reads), 0]
    qualities = [20, 20, 30, 30, 30, 30, 5]
    assert centre(image, bases, 1, 8) == [q * 254 // 40 for q in qualities] + [0]
    assert centre(image, bases, 2, 8) == [254, 254, 254, 254, 127, 127, 254, 0]
    forward, reverse = spec.STRAND_FORWARD, spec.STRAND_REVERSE
    strands = [reverse, reverse, forward, reverse, forward, forward, forward]
    assert centre(image, alleles, 0, 8) == [*strands, 0]
    support = [spec.SUPPORT_PUTATIVE] * 2 + [spec.SUPPORT_OTHER] + [spec.SUPPORT_REFERENCE] * 3
    assert centre(image, alleles, 1, 8) == [*support, spec.SUPPORT_UNKNOWN, 0]
    same, differs = spec.DIFFERS_NOT, spec.DIFFERS_MISMATCH
    assert centre(image, alleles, 2, 8) == [*[differs] * 3, *[same] * 3, differs, 0]
    assert centre(image, of_reads, 0, 8) == [spec.HAPLOTYPE_UNKNOWN] * 7 + [0]
    assert centre(image, of_reads, 1, 8) == [spec.PAIRING_NONE] * 7 + [0]
    # One mismatch of 80 bases, beside the allele: 5 times what is usual.
    low = spec.DIVERGENCE_LEAST
    assert centre(image, of_reads, 2, 8) == [low, low, low + 5 * 18, *[low] * 4, 0]


def test_haplotypes_come_first_in_the_order_of_rows(het: Evidence) -> None:
    het.observations.haplotype[:] = 2
    het.observations.haplotype[-1] = 1
    het.observations.haplotype[0] = 0
    (image,) = het.images(PAIRS)
    first, second, unknown = (
        spec.HAPLOTYPE_FIRST, spec.HAPLOTYPE_SECOND, spec.HAPLOTYPE_UNKNOWN,
    )  # fmt: skip
    assert centre(image, TOPS[2], 0, 8) == [first, *[second] * 5, unknown, 0]
    support = centre(image, TOPS[1], 1, 6)[1:]
    assert support == sorted(support, reverse=True)


def test_pairs_show_where_the_library_is_of_pairs(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    alt = {SNV: other(SEQUENCE[SNV])}
    locus.show(2, 150, "80M", alt, flag=PAIRED | PROPER).show(2, 155, "80M", alt, flag=PAIRED)
    evidence = locus.show(2, 160, "80M", alt, flag=PROPER).evidence()
    (image,) = evidence.images(PAIRS)
    proper, improper, none = spec.PAIRING_PROPER, spec.PAIRING_IMPROPER, spec.PAIRING_NONE
    expected = [proper, proper, improper, improper, none, none]
    assert centre(image, TOPS[2], 1, 6) == expected
    (image,) = evidence.images(LibraryProfile(proper_share=0.1))
    assert centre(image, TOPS[2], 1, 6) == [none] * 6


def test_divergence_is_relative_to_the_library(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    alt = {SNV: other(SEQUENCE[SNV])}
    more = alt | {place: other(SEQUENCE[place]) for place in (160, 165, 170, 175)}
    locus.show(2, 150, "80M", alt).show(2, 150, "80M", more).show(2, 190, "40S40M", alt)
    evidence = locus.evidence()
    question = int(np.flatnonzero(evidence.sites.start[evidence.questions.site] == SNV)[0])

    def divergences(error_rate: float) -> list[int]:
        (image,) = evidence.images(
            LibraryProfile(error_rate=error_rate), slice(question, question + 1)
        )
        column = image[TOPS[2] : TOPS[2] + 6, spec.CENTRE + 1, 2]
        return [int(pixel - spec.DIVERGENCE_LEAST) // spec.DIVERGENCE_STEP for pixel in column]

    assert sorted(divergences(0.001)) == [0, 0, 8, 8, 12, 12]
    assert sorted(divergences(0.05)) == [0, 0, 1, 1, 8, 8]


def test_a_column_is_a_reference_base(het: Evidence) -> None:
    (image,) = het.images(PAIRS)
    for column in range(spec.WIDTH):
        position = SNV - spec.CENTRE + column
        assert image[0, column, 0] == PIXEL[SEQUENCE[position]]
        covered = 170 <= position < 250
        assert [(image[top, column] > 0).all() for top in TOPS] == [covered] * 3


def test_nothing_below_the_last_read(het: Evidence) -> None:
    (image,) = het.images(PAIRS)
    for top in TOPS:
        assert image[top + 6].any()
        assert not image[top + 7 : top + spec.READ_ROWS].any()


def test_deletion_and_insertion(tmp_path: Path) -> None:
    locus = Locus(tmp_path, SEQUENCE)
    locus.show(3, 260, "41M2D40M").show(3, 261, "40M3I40M", inserted="AAA").show(3, 262, "80M")
    evidence = locus.evidence()
    deletion, insertion, both = evidence.images(PAIRS)
    c = spec.CENTRE
    bases, alleles, of_reads = TOPS
    gap = deletion[alleles, c : c + 4, 2].tolist()
    assert gap == [spec.DIFFERS_NOT, *[spec.DIFFERS_DELETION] * 2, spec.DIFFERS_NOT]
    assert deletion[bases, c + 1 : c + 3, :2].tolist() == [[0, 0], [0, 0]]
    assert deletion[bases, c + 1, 2] == spec.MAX_PIXEL
    assert deletion[of_reads, c : c + 4, 2].tolist() == [spec.DIVERGENCE_LEAST] * 4
    mark = spec.DIFFERS_INSERTION + 3 * spec.DIFFERS_INSERTION_STEP
    assert insertion[alleles, c : c + 2, 2].tolist() == [mark, spec.DIFFERS_NOT]
    # The haplotype rows are spelled with the allele in place: eight and thirteen A.
    spelled = "".join({v: k for k, v in PIXEL.items()}[p] for p in deletion[4, c : c + 10, 0])
    assert spelled == "C" + "A" * 8 + "G"
    assert insertion[4, c : c + 15, 0].tolist() == [PIXEL[b] for b in "C" + "A" * 13 + "G"]
    assert (deletion[4:8] == deletion[4]).all()
    # Bases taken away are marked in the reference, those put there in the allele.
    no, yes = spec.HEADER_NO, spec.HEADER_YES
    assert deletion[0, c : c + 5, 1].tolist() == [no, yes, yes, no, no]
    assert insertion[4, c : c + 5, 1].tolist() == [no, yes, yes, yes, no]
    assert (deletion[4, :, 1] == no).all()
    assert (insertion[0, :, 1] == no).all()
    # The run of A, from its anchor on.
    assert np.flatnonzero(deletion[0, :, 2] == yes).tolist() == [*range(c, c + 11)]
    assert np.flatnonzero(insertion[4, :, 2] == yes).tolist() == [*range(c, c + 14)]
    # Two alleles asked about: two rows each.
    assert (both[4:6, :, 0] == deletion[4, :, 0]).all()
    assert (both[6:8, :, 0] == insertion[4, :, 0]).all()
    assert both[alleles : alleles + 6, c, 1].tolist() == [spec.SUPPORT_PUTATIVE] * 6


def test_the_picture_is_the_specified_size() -> None:
    layout = spec.SPEC.to_dict()
    assert (layout["height"], layout["width"], layout["channels"]) == (224, 224, 3)
    assert [len(panel) for panel in layout["panels"]] == [3, 3, 3]
    assert spec.panel_top(3) == spec.HEIGHT
    codes = [*PIXEL.values(), spec.BASE_OTHER]
    assert len(set(codes)) == 5
    assert 0 < min(codes) < max(codes) <= spec.MAX_PIXEL
