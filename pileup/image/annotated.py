"""One pileup image as an annotated picture for people: channels apart, axes, legends, the answer.

Needs matplotlib (the extra `report`). Coordinates are 0-based inside and 1-based on the axes.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, GridSpecBase
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pileup.spec import (
    ALLELE_ROWS,
    ALLELES_PANEL,
    BASE_A,
    BASE_C,
    BASE_G,
    BASE_OTHER,
    BASE_QUALITY_CAP,
    BASE_T,
    CENTRE,
    CHANNELS,
    DIFFERS_DELETION,
    DIFFERS_INSERTION,
    DIFFERS_MISMATCH,
    DIFFERS_NOT,
    DIVERGENCE_LEAST,
    DIVERGENCE_STEP,
    DIVERGENCE_STEPS,
    HAPLOTYPE_FIRST,
    HAPLOTYPE_SECOND,
    HAPLOTYPE_UNKNOWN,
    HEADER_CHANNELS,
    HEADER_NO,
    HEADER_ROWS,
    HEADER_YES,
    HEIGHT,
    MAPQ_CAP,
    MAX_PIXEL,
    PAIRING_IMPROPER,
    PAIRING_NONE,
    PAIRING_PROPER,
    PANELS,
    READS_PANEL,
    REFERENCE_ROWS,
    SECOND_NO,
    SECOND_UNKNOWN,
    SECOND_YES,
    STRAND_FORWARD,
    STRAND_REVERSE,
    SUPPORT_OTHER,
    SUPPORT_PUTATIVE,
    SUPPORT_REFERENCE,
    SUPPORT_UNKNOWN,
    WIDTH,
    panel_top,
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
# Colours of what reads of the first and second haplotype are drawn in, and of those of neither.
_FIRST, _SECOND, _NEITHER = "#3a9c8f", "#c77f2a", "#dcdfe3"
_DIVERGENCES = tuple(
    Code(
        DIVERGENCE_LEAST + DIVERGENCE_STEP * step,
        {0: "usual", DIVERGENCE_STEPS // 2: "7x", DIVERGENCE_STEPS: "63x"}.get(step, ""),
        to_hex(colormaps["YlOrRd"](step / DIVERGENCE_STEPS)),
    )
    for step in range(DIVERGENCE_STEPS + 1)
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
    (
        (
            Code(HAPLOTYPE_FIRST, "first", _FIRST),
            Code(HAPLOTYPE_SECOND, "second", _SECOND),
            Code(HAPLOTYPE_UNKNOWN, "not known", _NEITHER),
        ),
        (
            Code(PAIRING_NONE, "none", "#dcdfe3"),
            Code(PAIRING_PROPER, "proper", "#9fc1dc"),
            Code(PAIRING_IMPROPER, "improper", "#d8343f"),
        ),
        _DIVERGENCES,
    ),
)
# What stands in place of pairing in pictures that name a second variant.
_SECOND_VARIANT = (
    Code(SECOND_YES, "yes", _CANDIDATE),
    Code(SECOND_NO, "no", "#9fc1dc"),
    Code(SECOND_UNKNOWN, "not known", _NEITHER),
)
_MARKS = (Code(HEADER_YES, "yes", _CANDIDATE), Code(HEADER_NO, "no", "#e4e7ea"))
# Of the header's channels, which stand above those of the first panel.
_HEADER_CODES = (BASES, _MARKS, _MARKS)
_SUPPORTS = {
    SUPPORT_PUTATIVE: "putative",
    SUPPORT_OTHER: "other",
    SUPPORT_REFERENCE: "reference",
    SUPPORT_UNKNOWN: "unknown",
}
_HAPLOTYPES = {HAPLOTYPE_FIRST: "1: ", HAPLOTYPE_SECOND: "2: ", HAPLOTYPE_UNKNOWN: ""}


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
    figure = Figure(figsize=(18, 14), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    outer = GridSpec(
        1, 2, figure, left=_LEFT, right=_RIGHT, top=0.91, bottom=0.17, wspace=0.13,
        width_ratios=(3.1, 1.1),
    )  # fmt: skip
    grid = outer[0].subgridspec(len(PANELS), CHANNELS, hspace=0.36, wspace=0.07)
    figure.text(_LEFT, 0.962, label.title, size=21, weight="bold", color=INK, parse_math=False)
    if label.sample:
        figure.text(_RIGHT, 0.962, label.sample, size=14, color=PALE, ha="right", parse_math=False)
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
    """Draw the nine channels of an image into a grid of 3 rows and 3 columns.

    The header's channels stand above those of the first panel. `start` is the candidate's, 0-based.
    """
    for panel, names in enumerate(PANELS):
        for channel, own_name in enumerate(names):
            axes = figure.add_subplot(grid[panel, channel])
            _draw_channel(axes, image, panel, channel, start)
            above = f" (above: {HEADER_CHANNELS[channel]})" if panel == 0 and channel else ""
            is_second = _tells_second(image, panel, channel)
            name = "supports the second variant" if is_second else own_name
            axes.set_title(name + above, size=12, color=INK, loc="left", pad=9)


def _rows_in_use(image: NDArray[np.uint8]) -> int:
    """Return how many rows of a panel hold something."""
    used = np.flatnonzero(image[panel_top(READS_PANEL) :].any((1, 2)))
    return int(used[-1]) + 1 if len(used) else 0


def _tells_second(image: NDArray[np.uint8], panel: int, channel: int) -> bool:
    """Tell whether a channel is that of pairing, and shows a second variant in its place."""
    if PANELS[panel][channel] != "pairing":
        return False
    pixels = [code.pixel for code in _SECOND_VARIANT]
    return bool(np.isin(image[panel_top(panel) :, :, channel], pixels).any())


def _draw_channel(
    axes: Axes, image: NDArray[np.uint8], panel: int, channel: int, start: int
) -> None:
    rows = max(_rows_in_use(image) + 1, _FEWEST_ROWS)
    above = HEADER_ROWS if panel == 0 else 0
    reads = image[panel_top(panel) :][:rows]
    first = start - CENTRE + 1
    left, right = first - 0.5, first + WIDTH - 0.5
    extent = (left, right, rows - 0.5, -0.5)
    is_second = _tells_second(image, panel, channel)
    meaning = _SECOND_VARIANT if is_second else _CHANNELS[panel][channel]
    if isinstance(meaning, Scale):
        _draw_scale(axes, reads[..., channel], reads[..., 2] == 0, meaning, extent)
    else:
        _draw_codes(axes, reads[..., channel], meaning, extent)
        _explain_codes(axes, meaning)
    if above:
        header = image[:HEADER_ROWS, :, channel]
        _draw_codes(axes, header, _HEADER_CODES[channel], (left, right, -0.5, -above - 0.5))
    axes.set_ylim(rows - 0.5, -above - 0.5)
    _mark_rows(axes, image, with_header=above > 0, with_names=channel == 0)
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


def _explain_codes(axes: Axes, codes: Sequence[Code]) -> None:
    handles = [Patch(color=code.colour, label=code.name) for code in codes if code.name]
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=len(codes),
        frameon=False, fontsize=9, handlelength=0.9, handleheight=0.9, columnspacing=1.2,
        handletextpad=0.45, labelcolor=INK,
    )  # fmt: skip


def _groups(image: NDArray[np.uint8]) -> list[tuple[int, int, str]]:
    """Return (first row, end row, name) of each group of reads: haplotype and allele alike."""
    rows = slice(_rows_in_use(image))
    support = image[panel_top(ALLELES_PANEL) :][rows, :, 1].max(1, initial=0)
    haplotype = image[panel_top(READS_PANEL) :][rows, :, 0].max(1, initial=0)
    groups = []
    first = 0
    for kind, members in groupby(zip(haplotype.tolist(), support.tolist(), strict=True)):
        end = first + len(list(members))
        if all(kind):
            name = f"{_HAPLOTYPES[kind[0]]}{_SUPPORTS[kind[1]]} ({end - first})"
            groups.append((first, end, name))
        first = end
    return groups


def _mark_rows(
    axes: Axes, image: NDArray[np.uint8], *, with_header: bool, with_names: bool
) -> None:
    groups = _groups(image)
    for _, end, _ in groups:
        axes.axhline(end - 0.5, color=INK, linewidth=0.7)
    if with_header:
        axes.axhline(-0.5, color=INK, linewidth=1.6)
        groups = [
            (-HEADER_ROWS, -ALLELE_ROWS, "REF"),
            (-ALLELE_ROWS, 0, "ALT"),
            *groups,
        ]
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
    tops = [panel_top(panel) for panel in range(len(PANELS))]
    for top in tops:
        axes.axhline(top - 0.5, color="white", linewidth=0.8, linestyle="--")
    axes.set_title("packed as RGB, as the model sees it", size=12, loc="left",
                   color=INK, pad=9)  # fmt: skip
    _point_at(axes, CENTRE)
    axes.set_xticks([0, CENTRE, WIDTH - 1])
    axes.set_yticks([*tops, HEIGHT - 1])
    axes.tick_params(labelsize=8, colors=INK, length=3)


def _draw_close_up(axes: Axes, image: NDArray[np.uint8], label: Label) -> None:
    """Spell the reference and the putative allele(s) around the candidate."""
    letters = {code.pixel: code for code in BASES}
    lines = [("REF", 0), ("ALT", REFERENCE_ROWS)]
    if len(label.alts) > 1:
        lines.append(("ALT", REFERENCE_ROWS + ALLELE_ROWS // 2))
    columns = range(CENTRE - _CLOSE_UP, CENTRE + _CLOSE_UP + 1)
    for line, (_, row) in enumerate(lines):
        for column in columns:
            code = letters.get(int(image[row, column, 0]))
            own = image[row, column, 1] == HEADER_YES
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
