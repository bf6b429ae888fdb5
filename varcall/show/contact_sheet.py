"""The loci of a VCF, each with what the model was shown and asked, what it answered and called.

Made for the false positives and negatives that ``varcall eval`` writes.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.formats.contig_names import unknown_contig
from varcall.inputs.open import Inputs
from varcall.inputs.regions import SHARED
from varcall.log import Progress
from varcall.options import CallOptions
from varcall.output.checks import (
    check_outputs,
    vcf_inputs,
)
from varcall.pipeline import open_sample, sample_inputs
from varcall.scoring.vcf_file import read_call_set
from varcall.scoring.vcf_records import Record
from varcall.show.sheet_locus import SheetLocus, look_at
from varcall.show.sheet_output import (
    MAX_PNG_LOCI,
    Heading,
    check_output,
    is_png,
    sheet_outputs,
    write_sheet,
)
from varcall.show.viewer import Viewer, open_viewer
from varcall.workers.window_worker import Worker

logger = logging.getLogger(__name__)

TYPES = ("snp", "indel")
DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class ContactSheetOptions:
    """Options of ``varcall show --vcf``.

    Attributes
    ----------
    call
        The reads, and how `varcall call` would call them; its output and regions count for nothing.
    vcf
        The loci, with genotypes (of the first sample), indexed.
    output
        .html or .png to write; any other name is a folder.
    limit
        Loci shown at most, the first ones.
    kind
        "snp" or "indel": only these; None takes both.
    """

    call: CallOptions
    vcf: Path
    output: Path = Path("loci.html")
    limit: int = DEFAULT_LIMIT
    kind: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.limit < 1:
            raise UsageError(f"--limit {self.limit} shows nothing: give at least 1")
        if self.kind is not None and self.kind not in TYPES:
            raise UsageError(f"--type {self.kind!r} is not known: choose {', '.join(TYPES)}")


def run_contact_sheet(options: ContactSheetOptions) -> Path:
    """Write the contact sheet of a VCF's loci; return the file to open.

    Raises
    ------
    InputError
        Files cannot be used, or the VCF holds nothing to show.
    OutputError
        The sheet cannot be written, or a package that draws it is missing.
    """
    call = options.call
    check_outputs(
        sheet_outputs(options.output),
        [*sample_inputs(call), *vcf_inputs("the VCF of --vcf", options.vcf)],
    )
    check_output(options.output)
    records = _records(options)
    inputs = open_sample(call)
    chosen = _in_order(records, inputs, options)
    with open_viewer(call, inputs) as viewer:
        loci = _looked_at(viewer, chosen, options)
        return write_sheet(options.output, Heading(options.vcf, inputs.sample, len(records)), loci)


def _records(options: ContactSheetOptions) -> list[tuple[str, Record]]:
    """Read the records with alleles that can be looked for, of the wanted type."""
    calls = read_call_set(options.vcf, "VCF", "ALT")
    found = [
        (contig, record)
        for contig, records in calls.contigs.items()
        for record in records
        if _is_wanted(record, options.kind)
    ]
    if not found:
        which = f"{options.kind} " if options.kind else ""
        raise InputError(f"{options.vcf} holds no {which}record with ALT bases: nothing to show")
    return found


def _is_wanted(record: Record, kind: str | None) -> bool:
    alts = [alt for alt in record.alts if set(alt.upper()) <= set("ACGTN")]
    is_indel = any(len(alt) != len(record.ref) for alt in alts)
    return bool(alts) and (kind is None or is_indel == (kind == "indel"))


def _in_order(
    records: Sequence[tuple[str, Record]], inputs: Inputs, options: ContactSheetOptions
) -> list[tuple[str, Record]]:
    """Sort the records by the reads' contigs and by position, and keep the first."""
    rank = {contig: number for number, contig in enumerate(inputs.contigs)}
    for contig, _ in records:
        if contig not in rank:
            raise InputError(f"{options.vcf}: {unknown_contig(contig, inputs.contigs, SHARED)}")
    ordered = sorted(records, key=lambda item: (rank[item[0]], item[1].start))
    limit, why = options.limit, "--limit"
    if is_png(options.output) and limit > MAX_PNG_LOCI:
        limit, why = MAX_PNG_LOCI, "a .png holds no more; an .html page does"
    if len(ordered) > limit:
        logger.info("showing the first %d of %d loci (%s)", limit, len(ordered), why)
    return ordered[:limit]


def _looked_at(
    viewer: Viewer, records: Sequence[tuple[str, Record]], options: ContactSheetOptions
) -> Iterator[SheetLocus]:
    caller = Worker(viewer.plan)
    with Progress(len(records)) as progress:
        for contig, record in records:
            yield look_at(viewer, caller, contig, record, options.vcf)
            progress.advance(f"{contig}:{record.start + 1}")
