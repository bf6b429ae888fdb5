"""The annotated picture of one image."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from pileup.image.annotated import Label, render
from pileup.spec import HEIGHT, WIDTH
from tests.varcall.evidence.loci import Locus, sequence_with
from varcall.reads.library_profile import LibraryProfile

SEQUENCE = sequence_with("C" + "A" * 10 + "G")
LABEL = Label("chr1", 300, "CA", ("C",), "NA00001", "Question\nAnother line", (0.1, 0.7, 0.2))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    locus = Locus(tmp_path_factory.mktemp("show"), SEQUENCE)
    locus.show(60, 260, "41M2D40M").show(60, 262, "80M").show(9, 261, "40M1I40M", inserted="A")
    return locus.evidence().images(LibraryProfile())


def test_a_png_of_a_size_to_read(images: np.ndarray) -> None:
    before = images[0].copy()
    content = render(images[0], LABEL)
    picture = imread(BytesIO(content))
    assert picture.shape == (1680, 2160, 4)
    assert picture.min() < 0.2
    assert picture.max() == 1
    np.testing.assert_array_equal(images[0], before)
    assert render(images[0], LABEL) == content


def test_two_alleles_without_answer_or_prompt(images: np.ndarray) -> None:
    label = Label("chr1", 300, "CAA", ("C", "CAAA"))
    assert imread(BytesIO(render(images[-1], label))).shape == (1680, 2160, 4)


def test_an_empty_image() -> None:
    empty = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert render(empty, LABEL).startswith(b"\x89PNG")


def test_titles() -> None:
    assert LABEL.title == "chr1:301  CA>C"
    assert Label("20", 10_000_116, "C", ("T", "G")).title == "20:10,000,117  C>T or G"
    long = Label("20", 9, "C", ("C" + "ACGT" * 20,)).title
    assert long == "20:10  C>CACGTA…GTACGT (81 bp)"
