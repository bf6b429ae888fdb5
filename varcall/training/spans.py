"""Spans: stretches of real or simulated reads with their truth, kept on disk to train on.

A span keeps the reads, not the pictures: an image is 150 kB and takes 40 microseconds to draw, so
every epoch draws afresh, at another depth.
"""

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from pileup.arrays import ReadArrays, ReferenceArrays
from varcall.errors import InputError
from varcall.evidence.alleles import Allele
from varcall.evidence.window import WINDOW_MARGIN, EvidenceReader, WindowReads
from varcall.inputs.regions import Region
from varcall.output.atomic import AtomicOutput
from varcall.reads.batch import ReadBatch
from varcall.reads.library_profile import LibraryProfile
from varcall.training.labels import TruthRecord, read_truth

FORMAT_VERSION = 2
SPAN_SUFFIX = ".safetensors"
_KEY = "varcall_span"
_ARRAYS = (*ReadArrays._fields, "reference")


@dataclass(frozen=True, slots=True)
class Span:
    """The reads, reference and truth of one stretch of a sample.

    Candidates that start in one of `confident` (0-based half-open, inside the window) become
    examples.
    """

    window: WindowReads
    profile: LibraryProfile
    truth: tuple[TruthRecord, ...]
    confident: tuple[tuple[int, int], ...]


def cut_span(
    reader: EvidenceReader,
    truth: Path,
    profile: LibraryProfile,
    window: Region,
    confident: Sequence[tuple[int, int]],
) -> Span:
    """Read everything that the examples of a window need."""
    contig, reference = window.contig, reader.reference
    length = reference.length(contig)
    low, high = max(0, window.start - WINDOW_MARGIN), min(window.end + WINDOW_MARGIN, length)

    def fetch(start: int, end: int) -> str:
        return reference.fetch_string(contig, max(0, start), min(end, length))

    return Span(
        window=reader.load(window),
        profile=profile,
        truth=tuple(read_truth(truth, contig, low, high, fetch)),
        confident=tuple(confident),
    )


def save_span(span: Span, path: Path) -> None:
    """Write a span as safetensors; the file appears whole or not at all."""
    window, reads = span.window, span.window.reads
    about = {
        "version": FORMAT_VERSION,
        "contig": reads.contig,
        "fetched": [reads.start, reads.end],
        "start": window.start,
        "end": window.end,
        "reference_start": window.reference.start,
        "profile": span.profile.to_mapping(),
        "truth": [asdict(record) for record in span.truth],
        "confident": span.confident,
    }
    arrays = reads.arrays._asdict() | {"reference": window.reference.codes}
    with AtomicOutput(path) as output:
        # Not `save_file`: it takes no path that is not UTF-8.
        output.path.write_bytes(save(arrays, metadata={_KEY: json.dumps(about)}))


def load_span(path: Path) -> Span:
    """Read what `save_span` wrote.

    Raises
    ------
    InputError
        Where the file is none of ours.
    """
    try:
        content = path.read_bytes()
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header["__metadata__"][_KEY])
        arrays = {name: tensors[name] for name in _ARRAYS}
        if about["version"] != FORMAT_VERSION:
            raise InputError(
                f"{path} has examples of format {about['version']}, not {FORMAT_VERSION}; "
                f"make them again with varcall examples"
            )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no file of varcall examples ({error})") from None
    reference = ReferenceArrays(arrays.pop("reference"), about["reference_start"])
    fetched_start, fetched_end = about["fetched"]
    reads = ReadBatch(about["contig"], fetched_start, fetched_end, ReadArrays(**arrays))
    return Span(
        window=WindowReads(about["start"], about["end"], reads, reference),
        profile=LibraryProfile.from_mapping(about["profile"]),
        truth=tuple(_truth_record(record) for record in about["truth"]),
        confident=tuple((low, high) for low, high in about["confident"]),
    )


def _truth_record(about: dict[str, Any]) -> TruthRecord:
    first, second = (tuple(Allele(**a) for a in about[side]) for side in ("first", "second"))
    return TruthRecord(**about | {"first": first, "second": second})


def span_name(reads: Path, window: Region) -> str:
    """Return a file name for a span: the same for the same reads and place."""
    tag = zlib.crc32(os.fsencode(reads.resolve()) + b"\t" + window.contig.encode())
    return f"{reads.stem}.{tag:08x}.{window.start}_{window.end}{SPAN_SUFFIX}"
