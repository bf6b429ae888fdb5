"""Small pictures and sheets of them."""

from io import BytesIO

import numpy as np
from matplotlib.image import imread

from pileup.image.annotated import Label
from pileup.image.tiles import render_note, render_tile, stack_tiles
from pileup.spec import HEIGHT, WIDTH

LABEL = Label("chr1", 300, "CA", ("C",))
EMPTY = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def height(png: bytes) -> int:
    return int(imread(BytesIO(png)).shape[0])


def test_text_makes_a_tile_taller() -> None:
    plain, labelled = render_tile(EMPTY, LABEL), render_tile(EMPTY, LABEL, ["a", "b" * 200])
    assert height(labelled) > height(plain) > 400
    assert height(render_note("title", ["a", "b", "c"])) > height(render_note("title", ["a"]))


def test_a_sheet_is_as_tall_as_its_tiles() -> None:
    tiles = [render_note("$x^2$ <b>", ["100 $ and {"]), render_tile(EMPTY, LABEL)]
    sheet = imread(BytesIO(stack_tiles(tiles)))
    assert sheet.shape == (sum(map(height, tiles)), 1120, 4)
    np.testing.assert_array_equal(sheet[: height(tiles[0])], imread(BytesIO(tiles[0])))
