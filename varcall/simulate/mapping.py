"""Mapping simulated reads: with bwa mem, or exactly where they came from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import pysam

from pileup.sam import (
    CDEL,
    CHARD_CLIP,
    CINS,
    CMATCH,
    CSOFT_CLIP,
    FDUP,
    FMREVERSE,
    FPAIRED,
    FPROPER_PAIR,
    FREAD1,
    FREAD2,
    FREVERSE,
)
from varcall.errors import InputError, WorkerError
from varcall.formats.simulated_origin import ARTEFACT_TAG, MOLECULE_TAG, START_TAG
from varcall.simulate.noise import COMPLEMENT, LETTERS
from varcall.simulate.sequencer import BATCH, SequencedReads

#: Aligned bases an exactly placed read must have.
MIN_ALIGNED = 25
_INDEX_SUFFIXES = (".amb", ".ann", ".bwt", ".pac", ".sa")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the reads belong: the reference's contigs, and the stretch that was simulated.

    Whether reads keep flag 0x2 and their base qualities stands here too.
    """

    contigs: tuple[tuple[str, int], ...]
    contig: str
    start: int
    sample: str
    has_proper_flag: bool = True
    has_qualities: bool = True

    def header(self) -> pysam.AlignmentHeader:
        """SAM header with one read group."""
        return pysam.AlignmentHeader.from_dict(
            {
                "HD": {"VN": "1.6", "SO": "unsorted"},
                "SQ": [{"SN": name, "LN": length} for name, length in self.contigs],
                "RG": [self.read_group()],
            }
        )

    def read_group(self) -> dict[str, str]:
        """Fields of the @RG line."""
        return {"ID": self.sample, "SM": self.sample, "LB": self.sample, "PL": "ILLUMINA"}


def bwa_index(reference: Path, directory: Path) -> Path:
    """Prefix of a bwa index of ``reference``; built in ``directory`` where there is none.

    Raises
    ------
    InputError
        If bwa cannot index the reference.
    """
    if all(Path(f"{reference}{suffix}").exists() for suffix in _INDEX_SUFFIXES):
        return reference
    prefix = directory / "bwa_index"
    done = subprocess.run(
        ["bwa", "index", "-p", str(prefix), str(reference)], capture_output=True, check=False
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InputError(f"bwa index failed on {reference}: {' '.join(last)}")
    return prefix


def map_with_bwa(
    batches: Iterable[SequencedReads],
    placement: Placement,
    index: Path,
    output: Path,
    directory: Path,
    threads: int,
) -> int:
    """Map reads with bwa mem into an unsorted BAM; returns the number of fragments.

    One call a sample, because bwa learns the insert size from the reads it is given; loading the
    index of a chromosome takes under a tenth of a second.

    Raises
    ------
    WorkerError
        If bwa fails.
    """
    fastq = directory / f"{output.name}.fq"
    kept: list[SequencedReads] = []
    with open(fastq, "wb") as file:
        count = 0
        for batch in batches:
            _write_fastq(batch, count, file)
            count += len(batch.duplicate)
            kept.append(batch)
    group = "@RG\\t" + "\\t".join(f"{k}:{v}" for k, v in placement.read_group().items())
    paired = ["-p"] if kept and kept[0].mates == 2 else []
    # Without its third round of seeding (-y 0) bwa takes a seventh less time, and 1 read of 15,000
    # came to another place (20:4.44M of b37, 101 bases; 9 had another mapping quality).
    command = [
        "bwa",
        "mem",
        *paired,
        "-y",
        "0",
        "-t",
        str(threads),
        "-v",
        "1",
        "-R",
        group,
        str(index),
    ]
    log = directory / f"{output.name}.log"
    with (
        open(log, "wb") as errors,
        subprocess.Popen([*command, str(fastq)], stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None, "a pipe was asked for"
        complete = _collect(process.stdout, output, kept, placement)
    if process.returncode or not complete:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise WorkerError(f"bwa mem failed with status {process.returncode}: {' '.join(last)}")
    fastq.unlink()
    return count


def _collect(
    sam_stream: IO[bytes], output: Path, batches: list[SequencedReads], placement: Placement
) -> bool:
    """Copy bwa's SAM to a BAM, finishing each read.

    Returns False where there is no whole SAM.
    """
    try:
        with pysam.AlignmentFile(sam_stream, "r") as sam:
            # bwa's @PG line names temporary files: without it, a seed gives the same bytes.
            fields = {k: v for k, v in sam.header.to_dict().items() if k != "PG"}
            header = pysam.AlignmentHeader.from_dict(fields)
            with pysam.AlignmentFile(str(output), "wbu", header=header) as bam:
                for read in sam:
                    number, fragment = divmod(int(read.query_name or 0), BATCH)
                    batch = batches[number]
                    _finish(read, batch, batch.mates * fragment + read.is_read2, placement)
                    bam.write(read)
    except (OSError, ValueError):
        return False
    return True


def _finish(
    read: pysam.AlignedSegment, reads: SequencedReads, row: int, placement: Placement
) -> None:
    """Give a read what no mapper does, and the tags of ``varcall.formats.simulated_origin``."""
    fragment = row // reads.mates
    if reads.duplicate[fragment]:
        read.flag |= FDUP
    if not placement.has_proper_flag:
        read.flag &= ~FPROPER_PAIR
    if reads.mapq_limit[fragment] < read.mapping_quality:
        read.mapping_quality = int(reads.mapq_limit[fragment])
    if not placement.has_qualities:
        read.query_qualities = None
    cigar = read.cigartuples
    clipped = cigar[0][1] if cigar and cigar[0][0] in (CSOFT_CLIP, CHARD_CLIP) else 0
    start = reads.start_of(row, clipped, read.is_reverse)
    read.set_tag(MOLECULE_TAG, int(reads.origin[fragment]), "i")
    read.set_tag(START_TAG, start + placement.start if start >= 0 else -1, "i")
    read.set_tag(ARTEFACT_TAG, int(reads.artefacts[row]), "i")


def _write_fastq(batch: SequencedReads, first: int, file: BinaryIO) -> None:
    """FASTQ, mates interleaved; the name of a fragment is its number."""
    text = LETTERS[batch.bases].tobytes()
    quality = (batch.qualities + 33).tobytes()
    width = batch.bases.shape[1]
    lines = []
    for row, length in enumerate(batch.length.tolist()):
        at = row * width
        lines.append(
            b"@%d\n%b\n+\n%b\n"
            % (first + row // batch.mates, text[at : at + length], quality[at : at + length])
        )
    file.write(b"".join(lines))


def place_exactly(batches: Iterable[SequencedReads], placement: Placement, output: Path) -> int:
    """Write every read where it came from, with its true CIGAR, into an unsorted BAM.

    Fragments with a read of fewer than ``MIN_ALIGNED`` reference bases are left out.

    Returns
    -------
    int
        Fragments written.
    """
    header = placement.header()
    count = 0
    with pysam.AlignmentFile(str(output), "wbu", header=header) as bam:
        for batch in batches:
            for first in range(0, len(batch.length), batch.mates):
                rows = range(first, first + batch.mates)
                made = [_exact_read(batch, row, placement, header) for row in rows]
                reads = [read for read in made if read is not None]
                if len(reads) < batch.mates:
                    continue
                if batch.mates == 2:
                    _join_mates(reads[0], reads[1])
                for row, read in zip(rows, reads, strict=True):
                    read.query_name = str(count)
                    _finish(read, batch, row, placement)
                    bam.write(read)
                count += 1
    return count


def exact_cigar(position: np.ndarray) -> tuple[int, list[tuple[int, int]]]:
    """Start and CIGAR of a read from the reference position of each of its bases.

    Parameters
    ----------
    position
        int32 [n], ascending in the order of the reference; -1 where the reference has no base.

    Returns
    -------
    tuple
        Start (-1 if nothing is aligned) and (operation, length) pairs, BAM codes.
    """
    aligned = np.flatnonzero(position >= 0)
    if not len(aligned):
        return -1, []
    first, last = int(aligned[0]), int(aligned[-1])
    cigar: list[tuple[int, int]] = [(CSOFT_CLIP, first)] if first else []
    steps = np.diff(position[aligned])
    inserted = np.diff(aligned) - 1
    begin = 0
    for i in np.flatnonzero((steps != 1) | (inserted != 0)).tolist():
        cigar.append((CMATCH, i + 1 - begin))
        if inserted[i]:
            cigar.append((CINS, int(inserted[i])))
        if steps[i] > 1:
            cigar.append((CDEL, int(steps[i]) - 1))
        begin = i + 1
    cigar.append((CMATCH, len(aligned) - begin))
    if last < len(position) - 1:
        cigar.append((CSOFT_CLIP, len(position) - 1 - last))
    return int(position[first]), cigar


def exact_record(
    bases: np.ndarray,
    qualities: np.ndarray,
    position: np.ndarray,
    placement: Placement,
    header: pysam.AlignmentHeader,
    *,
    reverse: bool,
) -> pysam.AlignedSegment | None:
    """Return the record of a read where it came from, or None for one with hardly a base of it.

    Parameters
    ----------
    bases, qualities
        uint8 [n], in the order of the reference.
    position
        int32 [n], where each base is from in the stretch, -1 where the reference has none.
    reverse
        Whether the machine read the other strand.
    """
    if int((position >= 0).sum()) < MIN_ALIGNED:
        return None
    start, cigar = exact_cigar(position)
    read = pysam.AlignedSegment(header)
    read.query_sequence = LETTERS[bases].tobytes().decode()
    read.query_qualities = pysam.qualitystring_to_array((qualities + 33).tobytes().decode())
    read.reference_name = placement.contig
    read.reference_start = start + placement.start
    read.cigartuples = cigar
    read.mapping_quality = 60
    read.flag = FREVERSE if reverse else 0
    return read


def _exact_read(
    batch: SequencedReads, row: int, placement: Placement, header: pysam.AlignmentHeader
) -> pysam.AlignedSegment | None:
    length = int(batch.length[row])
    bases = batch.bases[row, :length]
    quality = batch.qualities[row, :length]
    position = batch.position[row, :length]
    reverse = bool(batch.reverse[row])
    if reverse:
        bases, quality, position = COMPLEMENT[bases[::-1]], quality[::-1], position[::-1]
    position = _one_place(position)
    read = exact_record(bases, quality, position, placement, header, reverse=reverse)
    if read is None:
        return None
    if batch.mates == 2:
        read.flag |= FPAIRED | (FREAD2 if row % 2 else FREAD1)
    read.set_tag("RG", placement.sample)
    return read


def _one_place(position: np.ndarray) -> np.ndarray:
    """The longer part of a read that goes back on the reference, at a mate-pair junction."""
    aligned = np.flatnonzero(position >= 0)
    back = np.flatnonzero(np.diff(position[aligned]) < 0)
    if not len(back):
        return position
    cut = int(aligned[back[0] + 1])
    index = np.arange(len(position))
    kept = index < cut if 2 * int(back[0] + 1) >= len(aligned) else index >= cut
    return np.where(kept, position, -1)


def _join_mates(one: pysam.AlignedSegment, two: pysam.AlignedSegment) -> None:
    low = min(one.reference_start, two.reference_start)
    span = max(one.reference_end or 0, two.reference_end or 0) - low
    for read, mate in ((one, two), (two, one)):
        read.next_reference_id = mate.reference_id
        read.next_reference_start = mate.reference_start
        read.flag |= FPROPER_PAIR | (FMREVERSE if mate.is_reverse else 0)
        leftmost = read.reference_start == low and (read.is_read1 or mate.reference_start != low)
        read.template_length = span if leftmost else -span


def lower_mapq(
    reads: Iterable[pysam.AlignedSegment],
    stretches: list[tuple[int, int, float]],
    rng: np.random.Generator,
) -> Iterator[pysam.AlignedSegment]:
    """Lower the mapping quality of a share of the reads that start in ``stretches``.

    Parameters
    ----------
    reads
        Reads of one contig.
    stretches
        (start, end, share), 0-based half-open.
    rng
        Source of all randomness.
    """
    for read in reads:
        for start, end, share in stretches:
            if start <= read.reference_start < end and rng.random() < share:
                read.mapping_quality = min(read.mapping_quality, int(rng.integers(0, 50)))
        yield read
