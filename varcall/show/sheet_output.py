"""Contact sheets as an HTML page, as one PNG, or as a folder with the full pictures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from varcall.errors import UsageError
from varcall.formats.text import write_text
from varcall.output.atomic import AtomicOutput, check_writable, output_error
from varcall.output.checks import Output, file_outputs, present_outputs
from varcall.output.html import inline_png, render_template, report_packages
from varcall.show.sheet_locus import MAX_PICTURES, Judged, SheetLocus

if TYPE_CHECKING:
    from pileup.image.annotated import Label

_PAGES = (".html", ".htm")
_PICTURE = ".png"
_INDEX = "index.html"
#: Viewers refuse pictures of many screens; pages have no such end.
MAX_PNG_LOCI = 20
#: The fields of a call that are shown.
CALLED_FIELDS = ("GT", "GQ", "DP", "AD")


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a sheet: the VCF, the sample, and how many loci the VCF holds."""

    vcf: Path
    sample: str
    available: int


def check_output(output: Path) -> None:
    """Check before any work that a sheet can be written.

    Raises
    ------
    OutputError
        It cannot, or a package that draws it is missing.
    UsageError
        The suffix names another kind of file.
    """
    with report_packages():
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    suffix = output.suffix.lower()
    if suffix in (*_PAGES, _PICTURE):
        check_writable(output)
    elif suffix and not output.is_dir():
        raise UsageError(
            f"-o {output} is no page: give a name that ends in .html or .png, or a folder"
        )
    else:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(output, error) from error


def sheet_outputs(output: Path) -> list[Output]:
    """Return what `write_sheet` may write or replace."""
    if output.suffix.lower() in (*_PAGES, _PICTURE):
        return file_outputs("--output", output)
    return [
        Output("--output", output, is_folder=True),
        *file_outputs("--output", output / _INDEX),
        *present_outputs("--output", output, "", f"*{_PICTURE}"),
    ]


def is_png(output: Path) -> bool:
    """Tell whether a name is that of one PNG."""
    return output.suffix.lower() == _PICTURE


def write_sheet(output: Path, heading: Heading, loci: Iterable[SheetLocus]) -> Path:
    """Write a contact sheet; return the file to open.

    Parameters
    ----------
    output
        .html or .png to write; any other name is a folder, which gets index.html and the full
        picture of every question.
    loci
        At most MAX_PNG_LOCI for a .png.
    """
    if is_png(output):
        return _write_png(output, loci)
    if output.suffix.lower() in _PAGES:
        return _write_page(output, heading, loci)
    return _write_page(output / _INDEX, heading, _with_pictures(output, heading, loci))


def _write_png(output: Path, loci: Iterable[SheetLocus]) -> Path:
    from pileup.image.tiles import stack_tiles

    tiles = [tile for locus in loci for tile in _tiles(locus)]
    with AtomicOutput(output) as file:
        file.path.write_bytes(stack_tiles(tiles))
    return output


def _tiles(locus: SheetLocus) -> Iterator[bytes]:
    """Draw the text of a locus, then its pictures with their answers."""
    from pileup.image.tiles import render_note, render_tile

    called = [
        f"called {item.pos:,} {item.ref}>{item.alts} {item.filter} QUAL {item.qual} "
        + " ".join(f"{name} {item.genotype.get(name, '.')}" for name in CALLED_FIELDS)
        for item in locus.called
    ]
    lines = [
        f"The VCF says GT {locus.genotype}. {locus.verdict}",
        f"reads here: {locus.seen}",
        *[f"candidate {line}" for line in locus.counts],
        *(called or ["nothing is called here"]),
    ]
    yield render_note(locus.title, lines)
    for item in locus.pictures:
        shown = ", ".join(f"{name} {value:.2f}" for name, value in item.shown.items())
        yield render_tile(item.asked.image, _label(locus, item), [_answer(item), shown])


def _answer(item: Judged) -> str:
    said = ", ".join(f"P({copies}) {p:.4f}" for copies, p in enumerate(item.asked.answer))
    return said if item.copies is None else f"{said}; the VCF says {_copies(item)}"


def _copies(item: Judged) -> str:
    return "?" if item.copies is None or item.copies < 0 else str(item.copies)


def _label(locus: SheetLocus, item: Judged) -> "Label":
    from pileup.image.annotated import Label

    alleles = item.asked.alleles
    return Label(
        contig=locus.contig,
        start=alleles.start,
        ref=alleles.ref,
        alts=alleles.alts,
        prompt=item.asked.prompt,
        answer=item.asked.answer,
    )


def _write_page(output: Path, heading: Heading, loci: Iterable[SheetLocus]) -> Path:
    entries = [page_entry(number, locus) for number, locus in enumerate(loci, 1)]
    page = render_template(
        "contact_sheet.html", heading=heading, loci=entries, called_fields=CALLED_FIELDS
    )
    with AtomicOutput(output) as file:
        write_text(file.path, page)
    return output


def page_entry(number: int, locus: SheetLocus, most_pictures: int = MAX_PICTURES) -> dict[str, Any]:
    """Return what `locus.html` shows; pictures are drawn here, so that images can go."""
    from pileup.image.tiles import render_tile

    pictures = locus.pictures[:most_pictures]
    return {
        "number": number,
        "title": locus.title,
        "genotype": locus.genotype,
        "qual": locus.record.fields[5],
        "filter": locus.record.fields[6],
        "is_candidate": locus.is_candidate,
        "verdict": locus.verdict,
        "seen": locus.seen,
        "counts": locus.counts,
        "called": locus.called,
        "prompts": list(dict.fromkeys(item.asked.prompt for item in pictures)),
        "questions": [
            {
                "title": _label(locus, item).title,
                "answer": item.asked.answer,
                "best": max(item.asked.answer),
                "copies": _copies(item),
            }
            for item in locus.judged
        ],
        "pictures": [
            {
                "title": _label(locus, item).title,
                "image": inline_png(render_tile(item.asked.image, _label(locus, item))),
                "shown": {name: f"{value:.3f}" for name, value in item.shown.items()},
            }
            for item in pictures
        ],
    }


def _with_pictures(
    folder: Path, heading: Heading, loci: Iterable[SheetLocus]
) -> Iterator[SheetLocus]:
    """Write the full picture of every question on the way.

    Names are numbers and positions alone: a contig may be called anything.
    """
    from pileup.image.annotated import render

    for number, locus in enumerate(loci, 1):
        for count, item in enumerate(locus.judged, 1):
            name = f"{number:04d}_{locus.record.start + 1}.{count}{_PICTURE}"
            label = replace(_label(locus, item), sample=heading.sample)
            with AtomicOutput(folder / name) as file:
                file.path.write_bytes(render(item.asked.image, label))
        yield locus
