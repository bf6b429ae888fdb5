"""Small pictures of pileup images for contact sheets, and sheets put together from them.

Needs matplotlib (the extra `report`).
"""

import textwrap
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.image import imread, imsave
from numpy.typing import NDArray

from pileup.image.annotated import INK, Label, draw_channels
from pileup.spec import CHANNELS, PANELS

_DPI = 80
# Inches: a tile is as wide as a page column, its picture as high as three channels need.
_WIDTH, _PICTURE_HEIGHT, _LINE_HEIGHT, _MARGIN = 14.0, 9.6, 0.24, 0.14
_TEXT_COLUMNS = 155
_TEXT_SIZE = 11


def render_tile(image: NDArray[np.uint8], label: Label, lines: Sequence[str] = ()) -> bytes:
    """Return a small picture (PNG) of an image (uint8 [224, 224, 3]).

    Parameters
    ----------
    label
        Its title is written above; prompt and answer are not.
    lines
        What is written below the picture.
    """
    below = _wrapped(lines)
    text_height = _height(below)
    height = _PICTURE_HEIGHT + text_height
    figure = _figure(height)
    figure.text(
        0.05, 1 - 0.32 / height, label.title, size=14, weight="bold", color=INK, parse_math=False
    )
    grid = GridSpec(
        len(PANELS), CHANNELS, figure, left=0.085, right=0.985, top=1 - 0.75 / height,
        bottom=(text_height + 0.62) / height, hspace=0.42, wspace=0.08,
    )  # fmt: skip
    draw_channels(figure, grid, image, label.start)
    _write(figure, below, text_height)
    return _png(figure)


def render_note(title: str, lines: Sequence[str]) -> bytes:
    """Return a tile (PNG) of a title and lines of text alone."""
    below = _wrapped(lines)
    text_height = _height(below)
    figure = _figure(text_height + 0.5)
    figure.text(
        0.05,
        1 - 0.32 / (text_height + 0.5),
        title,
        size=14,
        weight="bold",
        color=INK,
        parse_math=False,
    )
    _write(figure, below, text_height)
    return _png(figure)


def stack_tiles(tiles: Sequence[bytes]) -> bytes:
    """Put tiles (PNG, all of one width) below each other; return one PNG."""
    # matplotlib reads PNG as floats, which take four times the memory.
    rows = [(255 * imread(BytesIO(tile))).astype(np.uint8) for tile in tiles]
    buffer = BytesIO()
    imsave(buffer, np.concatenate(rows), format="png")
    return buffer.getvalue()


def _wrapped(lines: Sequence[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, _TEXT_COLUMNS) or [""]]


def _height(lines: Sequence[str]) -> float:
    return _LINE_HEIGHT * len(lines) + (2 * _MARGIN if lines else 0.0)


def _figure(height: float) -> Figure:
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _write(figure: Figure, lines: Sequence[str], text_height: float) -> None:
    if lines:
        y = (text_height - _MARGIN) / figure.get_size_inches()[1]
        # A dollar sign would start a formula.
        text = "\n".join(lines).replace("$", r"\$")
        figure.text(
            0.05, y, text, size=_TEXT_SIZE, color=INK, va="top", linespacing=1.3, parse_math=False
        )


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
