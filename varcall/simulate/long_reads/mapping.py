"""Mapping simulated long reads: with minimap2, or exactly where they came from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from pileup.sam import CHARD_CLIP, CSOFT_CLIP
from varcall.errors import InputError, WorkerError
from varcall.formats.simulated_origin import (
    ARTEFACT_TAG,
    FIRST_HIDDEN_COPY,
    MOLECULE_TAG,
    START_TAG,
)
from varcall.simulate.long_reads.library import PRESETS, LongLibrary
from varcall.simulate.long_reads.sequencer import LongRead
from varcall.simulate.mapping import Placement, exact_record
from varcall.simulate.noise import COMPLEMENT, LETTERS

#: Tags that minimap2 writes and that other mappers do not: `tp` is the simulator's as well.
_DROPPED_TAGS = ("tp", "cm", "s1", "s2", "rl", "zd")


@dataclass(frozen=True, slots=True)
class LongMapper:
    """How reads are mapped.

    Attributes
    ----------
    index
        Index of minimap2; None places reads exactly.
    directory
        For temporary files.
    threads
        Of minimap2.
    """

    index: Path | None
    directory: Path
    threads: int

    def map(
        self, reads: Iterable[LongRead], placement: Placement, library: LongLibrary, output: Path
    ) -> int:
        """Write reads, mapped, into an unsorted BAM; returns their number.

        Raises
        ------
        WorkerError
            If minimap2 fails.
        """
        header = _header(placement, library)
        if self.index is not None:
            return self._with_minimap2(list(reads), placement, library, output, header)
        count = 0
        with pysam.AlignmentFile(str(output), "wbu", header=header) as bam:
            for read in reads:
                record = _exact_record(read, placement, header)
                if record is not None:
                    record.query_name = _name(library, placement, count)
                    bam.write(record)
                    count += 1
        return count

    def _with_minimap2(
        self,
        reads: list[LongRead],
        placement: Placement,
        library: LongLibrary,
        output: Path,
        header: pysam.AlignmentHeader,
    ) -> int:
        fastq, log = (self.directory / f"{output.name}.{end}" for end in ("fq", "log"))
        with open(fastq, "wb") as file:
            for number, read in enumerate(reads):
                quality = (read.qualities + 33).tobytes()
                file.write(b"@%d\n%b\n+\n%b\n" % (number, LETTERS[read.bases].tobytes(), quality))
        command = [
            "minimap2", "-a", "-x", PRESETS[library.platform], "--secondary=no",
            "-t", str(self.threads), *(["--eqx"] if library.extended_cigar else []),
        ]  # fmt: skip
        with (
            open(log, "wb") as errors,
            subprocess.Popen(
                [*command, str(self.index), str(fastq)], stdout=subprocess.PIPE, stderr=errors
            ) as process,
        ):
            assert process.stdout is not None, "a pipe was asked for"
            complete = True
            try:
                with (
                    pysam.AlignmentFile(process.stdout, "r") as sam,
                    pysam.AlignmentFile(str(output), "wbu", header=header) as bam,
                ):
                    order = [header.get_tid(name) for name in sam.references]
                    for record in sam:
                        _finish(record, reads, placement, library, order)
                        bam.write(record)
            except (OSError, ValueError):
                complete = False
        if process.returncode or not complete:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise WorkerError(f"minimap2 failed with status {process.returncode}: {' '.join(last)}")
        fastq.unlink()
        return len(reads)


def minimap2_index(reference: Path, platform: str, directory: Path) -> Path:
    """Build the index that a platform's preset needs, in ``directory``.

    Raises
    ------
    InputError
        If minimap2 cannot index the reference.
    """
    index = directory / f"{platform}.mmi"
    done = subprocess.run(
        ["minimap2", "-x", PRESETS[platform], "-d", str(index), str(reference)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InputError(f"minimap2 cannot index {reference}: {' '.join(last)}")
    return index


def _header(placement: Placement, library: LongLibrary) -> pysam.AlignmentHeader:
    fields = placement.header().to_dict()
    group = {k: v for k, v in placement.read_group().items() if k != "PL"}
    return pysam.AlignmentHeader.from_dict({**fields, "RG": [{**group, **library.read_group()}]})


def _name(library: LongLibrary, placement: Placement, number: int) -> str:
    """Name a read as its platform does: movie and well, or a UUID (here without meaning)."""
    if library.platform == "hifi":
        machine = (
            "m84011_220902_175841_s1" if library.chemistry == "revio" else "m64017_191110_150028"
        )
        return f"{machine}/{number * 17 + 1000}/ccs"
    mixed = (number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128
    text = f"{mixed ^ placement.start:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _finish(
    record: pysam.AlignedSegment,
    reads: list[LongRead],
    placement: Placement,
    library: LongLibrary,
    order: list[int],
) -> None:
    """Give a record of minimap2 its name, read group, contig's number and tags."""
    number = int(record.query_name or 0)
    record.query_name = _name(library, placement, number)
    if record.reference_id >= 0:
        record.reference_id = order[record.reference_id]
    for tag in _DROPPED_TAGS:
        record.set_tag(tag, None)
    _tag(record, reads[number], placement)


def _tag(record: pysam.AlignedSegment, read: LongRead, placement: Placement) -> None:
    """Write RG and the tags of ``varcall.formats.simulated_origin``."""
    record.set_tag("RG", placement.sample)
    record.set_tag(MOLECULE_TAG, read.molecule, "i")
    start = true_start(record, read)
    record.set_tag(START_TAG, start + placement.start if start >= 0 else -1, "i")
    record.set_tag(ARTEFACT_TAG, read.artefacts, "i")


def true_start(record: pysam.AlignedSegment, read: LongRead) -> int:
    """Where the record's first aligned base comes from, 0-based in the stretch; -1 unknown."""
    cigar = record.cigartuples
    if not cigar or read.molecule >= FIRST_HIDDEN_COPY:
        return -1
    clipped = cigar[0][1] if cigar[0][0] in (CSOFT_CLIP, CHARD_CLIP) else 0
    places = (read.position[::-1] if record.is_reverse else read.position)[clipped:]
    known = np.flatnonzero(places[: record.query_alignment_length] >= 0)
    return int(places[known[0]]) if len(known) else -1


def _exact_record(
    read: LongRead, placement: Placement, header: pysam.AlignmentHeader
) -> pysam.AlignedSegment | None:
    """A read where it came from; None for one with hardly a base of the reference."""
    bases, qualities, position = read.bases, read.qualities, read.position
    if read.reverse:
        bases, qualities, position = COMPLEMENT[bases[::-1]], qualities[::-1], position[::-1]
    record = exact_record(bases, qualities, position, placement, header, reverse=read.reverse)
    if record is not None:
        _tag(record, read, placement)
    return record
