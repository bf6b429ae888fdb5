"""Map edited reads again: with bwa mem or minimap2, or exactly where they came from.

The mapper sees the stretches alone. What else in the genome a read resembles is known from its
first mapping: no mapping quality rises above that.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from pileup.sam import (
    FDUP,
    FMREVERSE,
    FMUNMAP,
    FPAIRED,
    FPROPER_PAIR,
    FQCFAIL,
    FREAD1,
    FREAD2,
)
from varcall.errors import InputError, WorkerError
from varcall.simulate.mapping import MIN_ALIGNED, bwa_index, exact_cigar
from varcall.simulate.noise import reverse_complement
from varcall.simulate.spike.background import Background, Fragment, is_paired
from varcall.simulate.spike.editing import Read, Stretch

MAPPERS = ("auto", "bwa", "minimap2", "exact")
#: minimap2's presets by PL of the read groups.
_PRESETS = {"PACBIO": "map-hifi", "ONT": "map-ont"}
#: Tags that say how a read lies; those of the mapper replace them.
_ALIGNMENT_TAGS = ("NM", "MD", "AS", "XS")
#: FASTQ has a quality for each base, records may have none.
_NO_QUALITY = 30
_UNKNOWN_MAPQ = 255


@dataclass(frozen=True, slots=True)
class Edited:
    """A fragment with its reads as they shall be.

    Attributes
    ----------
    fragment
        The fragment.
    reads
        One for each of its segments.
    changed
        Whether the read of each segment differs from what was sequenced.
    molecule
        Haplotype of the fragment where it matters (0 or 1), 2 for another sample's; None elsewhere.
    """

    fragment: Fragment
    reads: tuple[Read, ...]
    changed: tuple[bool, ...]
    molecule: int | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """How reads are mapped."""

    mapper: str
    threads: int
    directory: Path


def choose_mapper(mapper: str, background: Background) -> str:
    """The mapper that is meant, and is there.

    Raises
    ------
    InputError
        If it is not installed.
    """
    if mapper == "auto":
        mapper = "minimap2" if background.is_long() else "bwa"
    if mapper != "exact" and shutil.which(mapper) is None:
        raise InputError(f"{mapper} is not on PATH: install it, or use --mapper exact")
    return mapper


def remap(
    edited: Sequence[Edited], background: Background, mapping: Mapping
) -> Iterator[pysam.AlignedSegment]:
    """Yield the records of all fragments, in no useful order.

    Raises
    ------
    WorkerError
        If the mapper fails.
    """
    header = pysam.AlignmentHeader.from_dict(background.header)
    if mapping.mapper == "exact":
        for one in edited:
            yield from _exact_records(one, header)
        return
    fasta = mapping.directory / "stretches.fa"
    fasta.write_text("".join(f">{i}\n{s.bases}\n" for i, s in enumerate(background.stretches)))
    fastq = mapping.directory / "reads.fq"
    with open(fastq, "w", encoding="ascii") as file:
        for number, one in enumerate(edited):
            file.writelines(
                _fastq(number, read, segment.primary.query_qualities is not None)
                for read, segment in zip(one.reads, one.fragment.segments, strict=True)
            )
    for record in _mapped(_command(mapping, background, fasta, fastq), mapping.directory):
        one = edited[int(record.query_name or 0)]
        yield _record(record, one, background.stretches, header)


def _fastq(number: int, read: Read, has_qualities: bool) -> str:
    values = read.qualities if has_qualities else bytes([_NO_QUALITY]) * len(read.bases)
    quality = bytes(min(q, 93) + 33 for q in values).decode()
    bases = read.bases
    if read.is_reverse:
        bases, quality = reverse_complement(bases), quality[::-1]
    return f"@{number}\n{bases}\n+\n{quality}\n"


def _command(mapping: Mapping, background: Background, fasta: Path, fastq: Path) -> list[str]:
    threads = ["-t", str(mapping.threads)]
    if mapping.mapper == "bwa":
        index = bwa_index(fasta, mapping.directory)
        # -K: with batches of a size of their own, pairs do not depend on the threads.
        return ["bwa", "mem", "-p", "-v", "1", "-K", "100000000", "-Y", *threads, str(index),
                str(fastq)]  # fmt: skip
    platforms = [str(g.get("PL", "")).upper() for g in background.header.get("RG", [])]
    preset = next((_PRESETS[p] for p in platforms if p in _PRESETS), _PRESETS["ONT"])
    cigar = background.fragments[0].segments[0].primary.cigartuples or []
    equal = ["--eqx"] if any(operation == pysam.CEQUAL for operation, _ in cigar) else []
    return ["minimap2", "-a", "-x", preset, "-Y", "--MD", "--secondary=no", *equal, *threads,
            str(fasta), str(fastq)]  # fmt: skip


def _mapped(command: list[str], directory: Path) -> Iterator[pysam.AlignedSegment]:
    log = directory / "mapper.log"
    complete = False
    with (
        open(log, "wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None, "a pipe was asked for"
        try:
            with pysam.AlignmentFile(process.stdout, "r") as sam:
                yield from sam
            complete = True
        except (OSError, ValueError):
            process.kill()
    if process.returncode or not complete:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise WorkerError(f"{command[0]} failed with status {process.returncode}: {' '.join(last)}")


def _record(
    mapped: pysam.AlignedSegment,
    edited: Edited,
    stretches: Sequence[Stretch],
    header: pysam.AlignmentHeader,
) -> pysam.AlignedSegment:
    """The mapper's record in the coordinates of the genome, with what the original one says."""
    segments = edited.fragment.segments
    segment = segments[int(mapped.is_read2 and len(segments) > 1)]
    original = segment.primary
    record = pysam.AlignedSegment(header)
    record.query_name = edited.fragment.name
    record.flag = mapped.flag | (original.flag & (FDUP | FQCFAIL))
    record.query_sequence = mapped.query_sequence
    record.query_qualities = None if original.query_qualities is None else mapped.query_qualities
    record.cigartuples = mapped.cigartuples
    _place(record, mapped, original, stretches)
    if len(segments) == 1 and is_paired(edited.fragment):
        _keep_far_mate(record, original)
    for tag in _ALIGNMENT_TAGS:
        if mapped.has_tag(tag):
            record.set_tag(tag, mapped.get_tag(tag))
    if mapped.has_tag("SA"):
        record.set_tag("SA", _other_parts(str(mapped.get_tag("SA")), stretches))
    _set_origin(record, original, edited)
    return record


def _place(
    record: pysam.AlignedSegment,
    mapped: pysam.AlignedSegment,
    original: pysam.AlignedSegment,
    stretches: Sequence[Stretch],
) -> None:
    if mapped.reference_id >= 0:
        stretch = stretches[mapped.reference_id]
        record.reference_name = stretch.contig
        record.reference_start = mapped.reference_start + stretch.start
    if mapped.next_reference_id >= 0:
        stretch = stretches[mapped.next_reference_id]
        record.next_reference_name = stretch.contig
        record.next_reference_start = mapped.next_reference_start + stretch.start
    record.template_length = mapped.template_length
    quality = mapped.mapping_quality
    known = original.mapping_quality
    record.mapping_quality = quality if known == _UNKNOWN_MAPQ else min(quality, known)


def _keep_far_mate(record: pysam.AlignedSegment, original: pysam.AlignedSegment) -> None:
    """Keep what is known of a mate that the stretches do not hold."""
    mate = FPAIRED | FREAD1 | FREAD2 | FMREVERSE | FMUNMAP
    if record.is_reverse == original.is_reverse and not record.is_supplementary:
        mate |= FPROPER_PAIR
    record.flag |= original.flag & mate
    record.next_reference_id = original.next_reference_id
    record.next_reference_start = original.next_reference_start
    record.template_length = original.template_length


def _other_parts(text: str, stretches: Sequence[Stretch]) -> str:
    """SA in the coordinates of the genome."""
    parts = []
    for part in text.rstrip(";").split(";"):
        name, position, *rest = part.split(",")
        stretch = stretches[int(name)]
        parts.append(",".join([stretch.contig, str(int(position) + stretch.start), *rest]) + ";")
    return "".join(parts)


def _set_origin(
    record: pysam.AlignedSegment, original: pysam.AlignedSegment, edited: Edited
) -> None:
    if original.has_tag("RG"):
        record.set_tag("RG", original.get_tag("RG"))
    if edited.molecule is not None:
        record.set_tag("mo", edited.molecule, "i")


def _exact_records(edited: Edited, header: pysam.AlignmentHeader) -> Iterable[pysam.AlignedSegment]:
    """The original records, those of a changed read with the CIGAR that its bases have now."""
    records, kept = [], []
    for segment, read, changed in zip(
        edited.fragment.segments, edited.reads, edited.changed, strict=True
    ):
        record = pysam.AlignedSegment.from_dict(segment.primary.to_dict(), header)
        if changed:
            _lay_exactly(record, read)
            record.set_tag("SA", None)
        else:
            kept += [pysam.AlignedSegment.from_dict(p.to_dict(), header) for p in segment.parts]
        records.append(record)
    if len(records) == 2 and any(edited.changed):
        for one, two in (records, records[::-1]):
            one.next_reference_start = two.reference_start
    for record in (*records, *kept):
        record.query_name = edited.fragment.name
        _set_origin(record, record, edited)
    return [*records, *kept]


def _lay_exactly(record: pysam.AlignedSegment, read: Read) -> None:
    position = np.array(read.position, np.int32)
    record.query_sequence = read.bases
    record.query_qualities = pysam.qualitystring_to_array(
        bytes(min(q, 93) + 33 for q in read.qualities).decode()
    )
    start, cigar = exact_cigar(position)
    if int((position >= 0).sum()) >= MIN_ALIGNED:
        record.reference_start, record.cigartuples = start, cigar
    for tag in _ALIGNMENT_TAGS:
        record.set_tag(tag, None)
