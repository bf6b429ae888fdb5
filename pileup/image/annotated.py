"""One pileup image as an annotated picture for people: channels apart, axes, legends, the answer.

Needs matplotlib (the extra `report`). Coordinates are 0-based inside and 1-based on the axes.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, GridSpecBase
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pileup.spec import (
    BASE_A,
    BASE_C,
    BASE_G,
    BASE_OTHER,
    BASE_QUALITY_CAP,
    BASE_T,
    CENTRE,
    DIFFERS_DELETION,
    DIFFERS_INSERTION,
    DIFFERS_MISMATCH,
    DIFFERS_NOT,
    HEADER_ROWS,
    HEIGHT,
    LOWER_CHANNELS,
    MAPQ_CAP,
    MAX_PIXEL,
    PANEL_HEIGHT,
    REFERENCE_ROWS,
    STRAND_FORWARD,
    STRAND_REVERSE,
    SUPPORT_OTHER,
    SUPPORT_PUTATIVE,
    SUPPORT_REFERENCE,
    SUPPORT_UNKNOWN,
    UPPER_CHANNELS,
    WIDTH,
)

_DPI = 120
INK, PALE = "#22262b", "#8b929a"
_CANDIDATE = "#e0218a"
_LEFT, _RIGHT = 0.066, 0.972
_FEWEST_ROWS = 24
# Columns of the spelled-out header rows on either side of the candidate.
_CLOSE_UP = 20
_LONGEST_TITLE_ALLELE = 24
_CAPTION_COLUMNS = 205


@dataclass(frozen=True, slots=True)
class Code:
    """A pixel value of a channel, its name in the legend and its colour."""

    pixel: int
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A channel of graded values: the largest stands for `cap` and more."""

    cap: int
    colours: str


BASES = (
    Code(BASE_A, "A", "#2a9d4a"),
    Code(BASE_C, "C", "#2b6cb8"),
    Code(BASE_G, "G", "#f0a81e"),
    Code(BASE_T, "T", "#d8343f"),
    Code(BASE_OTHER, "N", "#9aa0a6"),
)
_CHANNELS: tuple[tuple[tuple[Code, ...] | Scale, ...], ...] = (
    (BASES, Scale(BASE_QUALITY_CAP, "viridis"), Scale(MAPQ_CAP, "magma")),
    (
        (
            Code(STRAND_FORWARD, "forward", "#5b8fd0"),
            Code(STRAND_REVERSE, "reverse", "#e58a4e"),
        ),
        (
            Code(SUPPORT_PUTATIVE, "putative", _CANDIDATE),
            Code(SUPPORT_OTHER, "other", "#7a5fc0"),
            Code(SUPPORT_REFERENCE, "reference", "#9fc1dc"),
            Code(SUPPORT_UNKNOWN, "unknown", "#dcdfe3"),
        ),
        (
            Code(DIFFERS_NOT, "no", "#e4e7ea"),
            Code(DIFFERS_MISMATCH, "mismatch", "#d8343f"),
            Code(DIFFERS_DELETION, "deletion", "#30343a"),
            Code(DIFFERS_INSERTION, "insertion after", "#7b3fbf"),
        ),
    ),
)
_GROUPS = (
    (SUPPORT_PUTATIVE, "putative"),
    (SUPPORT_OTHER, "other"),
    (SUPPORT_REFERENCE, "reference"),
    (SUPPORT_UNKNOWN, "unknown"),
)


@dataclass(frozen=True, slots=True)
class Label:
    """What stands around the picture.

    `start` is the candidate's, 0-based; `answer` holds P of 0, 1 and 2 copies, or nothing.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    sample: str = ""
    prompt: str = ""
    answer: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        """The site and its alleles, POS 1-based, long alleles by their length."""
        alleles = [_brief(allele) for allele in (self.ref, *self.alts)]
        return f"{self.contig}:{self.start + 1:,}  {alleles[0]}>{' or '.join(alleles[1:])}"


def _brief(allele: str) -> str:
    if len(allele) <= _LONGEST_TITLE_ALLELE:
        return allele
    return f"{allele[:6]}…{allele[-6:]} ({len(allele)} bp)"


def render(image: NDArray[np.uint8], label: Label) -> bytes:
    """Return the annotated picture of an image (uint8 [224, 224, 3]) as PNG."""
    figure = Figure(figsize=(18, 11), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    outer = GridSpec(
        1, 2, figure, left=_LEFT, right=_RIGHT, top=0.885, bottom=0.2, wspace=0.13,
        width_ratios=(3.1, 1.1),
    )  # fmt: skip
    grid = outer[0].subgridspec(2, 3, hspace=0.36, wspace=0.07)
    figure.text(_LEFT, 0.953, label.title, size=21, weight="bold", color=INK, parse_math=False)
    if label.sample:
        figure.text(_RIGHT, 0.953, label.sample, size=14, color=PALE, ha="right", parse_math=False)
    draw_channels(figure, grid, image, label.start)
    side = outer[1].subgridspec(3, 1, height_ratios=(4.6, 0.7, 1.5), hspace=0.3)
    _draw_packed(figure.add_subplot(side[0]), image)
    _draw_close_up(figure.add_subplot(side[1]), image, label)
    _draw_answer(figure.add_subplot(side[2]), label.answer)
    _write_caption(figure, label.prompt)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_channels(figure: Figure, grid: GridSpecBase, image: NDArray[np.uint8], start: int) -> None:
    """Draw the six channels of an image into a grid of 2 rows and 3 columns.

    `start` is the candidate's, 0-based.
    """
    for panel, names in enumerate((UPPER_CHANNELS, LOWER_CHANNELS)):
        for channel, name in enumerate(names):
            axes = figure.add_subplot(grid[panel, channel])
            _draw_channel(axes, image, panel, channel, start)
            axes.set_title(name, size=12, color=INK, loc="left", pad=9)


def _rows_in_use(image: NDArray[np.uint8]) -> int:
    """Return how many rows of a panel hold something."""
    used = np.flatnonzero(image[:PANEL_HEIGHT].any((1, 2)))
    return int(used[-1]) + 1 if len(used) else 0


def _draw_channel(
    axes: Axes, image: NDArray[np.uint8], panel: int, channel: int, start: int
) -> None:
    rows = max(_rows_in_use(image) + 1, _FEWEST_ROWS)
    top = panel * PANEL_HEIGHT
    pixels = image[top : top + rows, :, channel]
    first = start - CENTRE + 1
    extent = (first - 0.5, first + WIDTH - 0.5, rows - 0.5, -0.5)
    meaning = _CHANNELS[panel][channel]
    if isinstance(meaning, Scale):
        _draw_scale(axes, pixels, image[:rows, :, 2] == 0, meaning, extent)
    else:
        _draw_codes(axes, pixels, meaning, extent)
    _mark_rows(axes, image, with_names=channel == 0)
    _mark_candidate(axes, start + 1)
    # A label at the edge would run into that of the next panel.
    ticks = [at for at in range(first + 20, first + WIDTH - 20) if at % 50 == 0]
    axes.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    axes.tick_params(labelsize=8, colors=INK, length=3)
    for spine in axes.spines.values():
        spine.set_color(PALE)


def _draw_scale(
    axes: Axes,
    pixels: NDArray[np.uint8],
    blank: NDArray[np.bool_],
    scale: Scale,
    extent: tuple[float, float, float, float],
) -> None:
    values = np.ma.masked_array(pixels.astype(float) * scale.cap / MAX_PIXEL, blank)
    drawn = axes.imshow(
        values, cmap=scale.colours, norm=Normalize(0, scale.cap), extent=extent, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    bar_axes = axes.inset_axes((0.3, -0.2, 0.4, 0.035))
    bar = axes.figure.colorbar(drawn, cax=bar_axes, orientation="horizontal")
    ticks = range(0, scale.cap + 1, 20)
    bar.set_ticks(list(ticks), labels=[f"{tick}{'+' * (tick == scale.cap)}" for tick in ticks])
    bar.ax.tick_params(labelsize=8, length=2, colors=INK)
    bar.outline.set_visible(False)


def _draw_codes(
    axes: Axes,
    pixels: NDArray[np.uint8],
    codes: Sequence[Code],
    extent: tuple[float, float, float, float],
) -> None:
    indices = np.full(pixels.shape, -1)
    for index, code in enumerate(codes):
        # What lies between the codes is an insertion: its code grows with its length.
        indices[pixels == code.pixel] = index
    insertion = [index for index, code in enumerate(codes) if code.pixel == DIFFERS_INSERTION]
    for index in insertion:
        indices[(pixels >= DIFFERS_INSERTION) & (pixels < DIFFERS_MISMATCH)] = index
    colours: Colormap = ListedColormap([code.colour for code in codes])
    axes.imshow(
        np.ma.masked_less(indices, 0), cmap=colours, norm=Normalize(-0.5, len(codes) - 0.5),
        extent=extent, aspect="auto", interpolation="nearest",
    )  # fmt: skip
    handles = [Patch(color=code.colour, label=code.name) for code in codes]
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=len(codes),
        frameon=False, fontsize=9, handlelength=0.9, handleheight=0.9, columnspacing=1.2,
        handletextpad=0.45, labelcolor=INK,
    )  # fmt: skip


def _groups(image: NDArray[np.uint8]) -> list[tuple[float, float, str]]:
    """Return (first row, end row, name) of the header and of each group of reads."""
    support = image[PANEL_HEIGHT + HEADER_ROWS :, :, 1].max(1)
    # One name for both kinds of header rows: two would lie on top of each other.
    groups: list[tuple[float, float, str]] = [(0, HEADER_ROWS, "REF, ALT")]
    for pixel, name in _GROUPS:
        rows = np.flatnonzero(support == pixel) + HEADER_ROWS
        if len(rows):
            groups.append((rows[0], rows[-1] + 1, f"{name} ({len(rows)})"))
    return groups


def _mark_rows(axes: Axes, image: NDArray[np.uint8], *, with_names: bool) -> None:
    groups = _groups(image)
    for _, end, _ in groups:
        is_header = end == HEADER_ROWS
        axes.axhline(end - 0.5, color=INK, linewidth=1.6 if is_header else 0.7)
    axes.set_yticks([(first + end - 1) / 2 for first, end, _ in groups])
    axes.set_yticklabels([name for _, _, name in groups] if with_names else [])


def _mark_candidate(axes: Axes, position: int) -> None:
    # A little apart, so that the column itself stays visible.
    for edge in (position - 1.5, position + 1.5):
        axes.axvline(edge, color=_CANDIDATE, linewidth=0.7)
    _point_at(axes, position)


def _point_at(axes: Axes, x: float) -> None:
    axes.plot(
        [x], [1.012], marker="v", color=_CANDIDATE, markersize=7, clip_on=False,
        transform=axes.get_xaxis_transform(),
    )  # fmt: skip


def _draw_packed(axes: Axes, image: NDArray[np.uint8]) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_anchor("N")
    axes.axhline(PANEL_HEIGHT - 0.5, color="white", linewidth=0.8, linestyle="--")
    axes.set_title("packed as RGB, as the model sees it", size=12, loc="left",
                   color=INK, pad=9)  # fmt: skip
    _point_at(axes, CENTRE)
    axes.set_xticks([0, CENTRE, WIDTH - 1])
    axes.set_yticks([0, PANEL_HEIGHT, HEIGHT - 1])
    axes.tick_params(labelsize=8, colors=INK, length=3)


def _draw_close_up(axes: Axes, image: NDArray[np.uint8], label: Label) -> None:
    """Spell the reference and the putative allele(s) around the candidate."""
    letters = {code.pixel: code for code in BASES}
    lines = [("REF", 0), ("ALT", REFERENCE_ROWS)]
    if len(label.alts) > 1:
        lines.append(("ALT", REFERENCE_ROWS + 1))
    columns = range(CENTRE - _CLOSE_UP, CENTRE + _CLOSE_UP + 1)
    for line, (_, row) in enumerate(lines):
        for column in columns:
            code = letters.get(int(image[row, column, 0]))
            own = image[PANEL_HEIGHT + row, column, 2] == DIFFERS_MISMATCH
            if code is not None:
                axes.text(
                    column, line, code.name, ha="center", va="center", size=9.5,
                    family="monospace", weight="bold", color=code.colour,
                    bbox={"facecolor": "#fbd3e8", "edgecolor": "none", "pad": 1.2} if own else None,
                )  # fmt: skip
    axes.axvspan(CENTRE - 0.5, CENTRE + 0.5, color=_CANDIDATE, alpha=0.13, linewidth=0)
    axes.set_xlim(columns[0] - 0.7, columns[-1] + 0.7)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_yticks(range(len(lines)), labels=[name for name, _ in lines], size=9, color=INK)
    axes.set_xticks([CENTRE], labels=[f"{label.start + 1:,}"], size=9, color=_CANDIDATE)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_answer(axes: Axes, answer: Sequence[float]) -> None:
    axes.set_title("the model's answer", size=12, color=INK, loc="left", pad=6)
    for spine in ("top", "right", "bottom"):
        axes.spines[spine].set_visible(False)
    axes.set_xticks([])
    if not answer:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.text(0, 0.6, "no model was asked", size=11, color=PALE, transform=axes.transAxes)
        return
    best = int(np.argmax(answer))
    colours = [_CANDIDATE if copies == best else "#c9ced4" for copies in range(len(answer))]
    axes.barh(range(len(answer)), answer, color=colours, height=0.66)
    for copies, probability in enumerate(answer):
        axes.text(probability + 0.012, copies, f"{probability:.4f}", va="center", size=11,
                  weight="bold" if copies == best else "normal", color=INK)  # fmt: skip
    names = [f"{copies} cop{'y' if copies == 1 else 'ies'}" for copies in range(len(answer))]
    axes.set_yticks(range(len(answer)), labels=names, size=11, color=INK)
    axes.set_xlim(0, 1.14)
    axes.invert_yaxis()
    axes.tick_params(length=0)


def _write_caption(figure: Figure, prompt: str) -> None:
    if not prompt:
        return
    lines = [
        line
        for paragraph in prompt.split("\n")
        for line in textwrap.wrap(paragraph, _CAPTION_COLUMNS)
    ]
    axes = figure.add_axes((_LEFT, 0.025, _RIGHT - _LEFT, 0.108), facecolor="#f4f5f7")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#dfe2e6")
    axes.text(0.008, 0.5, "\n".join(lines), size=10, color=INK, va="center", linespacing=1.45,
              transform=axes.transAxes)  # fmt: skip
