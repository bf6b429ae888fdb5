"""The least certain calls as the model saw them: pictures, questions, answers."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysam

from varcall.errors import InputError
from varcall.formats.contig_names import unknown_contig
from varcall.formats.vcf_text import FIXED_COLUMNS
from varcall.inputs.regions import SHARED
from varcall.log import Progress
from varcall.report.tally import CallTally, Uncertain
from varcall.scoring.vcf_records import parse_record
from varcall.show.sheet_locus import look_at
from varcall.show.sheet_output import page_entry
from varcall.show.viewer import Viewer
from varcall.workers.window_worker import Worker

#: Bytes of pictures, as they stand in the page: the page stays below 5 MB with all the rest.
MAX_PICTURE_BYTES = 3_500_000
#: Pictures of one call.
_PICTURES = 1


@dataclass(frozen=True, slots=True)
class Gallery:
    """What the page shows of the least certain calls.

    Attributes
    ----------
    loci
        As `varcall.show.sheet_output.page_entry` gives them, the least certain first.
    note
        What is left out, or why there are none; may be empty.
    """

    loci: Sequence[dict[str, Any]]
    note: str = ""


def look_at_uncertain(viewer: Viewer, tally: CallTally) -> Gallery:
    """Look at the least certain calls again, with the reads.

    Raises
    ------
    InputError
        A call lies on a contig that the reads or the reference lack, or beyond its end.
    """
    contigs = viewer.plan.inputs.contigs
    for item in tally.uncertain:
        if item.contig not in contigs:
            raise InputError(f"the calls: {unknown_contig(item.contig, contigs, SHARED)}")
    loci: list[dict[str, Any]] = []
    size = 0
    caller = Worker(viewer.plan)
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(len(tally.uncertain), unit="calls") as progress,
    ):
        vcf = _write(Path(folder), tally)
        for number, item in enumerate(tally.uncertain, 1):
            record = parse_record(item.line, FIXED_COLUMNS + 1)
            locus = look_at(viewer, caller, item.contig, record, vcf)
            entry = page_entry(number, locus, _PICTURES)
            size += sum(len(picture["image"]) for picture in entry["pictures"])
            if size > MAX_PICTURE_BYTES:
                note = f"{len(tally.uncertain) - len(loci)} more are left out: the page is full."
                return Gallery(loci, note)
            loci.append(entry)
            progress.advance(f"{item.contig}:{record.start + 1}")
    return Gallery(loci)


def _write(folder: Path, tally: CallTally) -> Path:
    """Write the calls by themselves, indexed: the user's file may have no index."""
    path = folder / "uncertain.vcf"
    rank = {name: number for number, name in enumerate(tally.contigs)}

    def place(item: Uncertain) -> tuple[int, int]:
        return rank[item.contig], int(item.line.split("\t", 2)[1])

    lines = [item.line for item in sorted(tally.uncertain, key=place)]
    path.write_text(tally.header + "".join(lines), encoding="utf-8")
    return Path(pysam.tabix_index(str(path), preset="vcf", force=True))
