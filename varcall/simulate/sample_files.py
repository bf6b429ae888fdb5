"""The files of a sample that was made: they appear together, when all are finished."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from varcall.errors import OutputError

#: A sample's files, in the order in which they appear.
SUFFIXES = (".truth.vcf.gz", ".truth.vcf.gz.tbi", ".bed", ".bam.bai", ".bam", ".json")


@dataclass(frozen=True, slots=True)
class SimulatedSample:
    """Files of one simulated sample."""

    bam: Path
    truth: Path
    bed: Path
    description: Path
    reference: Path


@contextmanager
def work_folder(home: Path, prefix: str) -> Iterator[Path]:
    """Make a folder to work in, inside the folder of the output; it is gone afterwards.

    Raises
    ------
    OutputError
        If the folder of the output cannot be written to.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
    except OSError as error:
        raise OutputError(f"{home} cannot be written to: {error.strerror}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def publish(draft: Path, prefix: Path, reference: Path) -> SimulatedSample:
    """Move the finished files ``draft``.* to ``prefix``.*."""
    for suffix in SUFFIXES:
        os.replace(f"{draft}{suffix}", f"{prefix}{suffix}")
    return SimulatedSample(
        Path(f"{prefix}.bam"),
        Path(f"{prefix}.truth.vcf.gz"),
        Path(f"{prefix}.bed"),
        Path(f"{prefix}.json"),
        reference,
    )
