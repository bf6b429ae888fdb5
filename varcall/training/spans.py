"""Spans: stretches of real or simulated reads with their truth, kept on disk to train on.

A span keeps the reads, not the pictures: an image is 150 kB and takes 40 microseconds to draw, so
every epoch draws afresh, at another depth.
"""

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from pileup.arrays import ReadArrays, ReferenceArrays
from varcall.errors import InputError
from varcall.evidence.alleles import Allele
from varcall.evidence.window import WINDOW_MARGIN, EvidenceReader, WindowReads
from varcall.formats.simulated_origin import CONTAMINANT_SAMPLE
from varcall.inputs.regions import Region
from varcall.output.atomic import AtomicOutput
from varcall.reads.batch import ReadBatch
from varcall.reads.library_profile import LibraryProfile
from varcall.training.labels import TruthRecord, has_sample, read_truth
from varcall.training.origins import Origins, read_origins

FORMAT_VERSION = 2
SPAN_SUFFIX = ".safetensors"
_KEY = "varcall_span"
_SIDES = ("first", "second")
_ARRAYS = (*ReadArrays._fields, "reference", *Origins._fields)


@dataclass(frozen=True, slots=True)
class SpanHeader:
    """What a file of a span says of it before its arrays.

    Candidates that start in one of `confident` (0-based half-open, inside the window) become
    examples.
    """

    profile: LibraryProfile
    truth: tuple[TruthRecord, ...]
    confident: tuple[tuple[int, int], ...]

    def bases(self) -> int:
        """How many bases candidates may start at."""
        return sum(high - low for low, high in self.confident)

    def snvs(self) -> int:
        """How many SNVs truth has there, an allele of both haplotypes once."""
        alleles = {allele for record in self.truth for allele in (*record.first, *record.second)}
        return sum(
            len(allele.ref) == len(allele.alt) == 1
            and any(low <= allele.start < high for low, high in self.confident)
            for allele in alleles
        )


@dataclass(frozen=True, slots=True)
class Span(SpanHeader):
    """The reads, reference and truth of one stretch of a sample.

    Attributes
    ----------
    origins
        Where each of the window's reads comes from, in their order.
    contaminant
        Truth of the person whose fragments contaminate the library; None where it is not known.
    contamination
        Share of that person's molecules; None where it is not known.
    """

    window: WindowReads
    origins: Origins
    contaminant: tuple[TruthRecord, ...] | None = None
    contamination: float | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether most of its reads say where they come from, as spiked real reads do not."""
        known = self.origins.true_start >= 0
        return 2 * int(known.sum()) > len(known)


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """Alignments, their reference, and the truth VCF of one sample."""

    reads: Path
    reference: Path
    truth: Path


def cut_span(
    reader: EvidenceReader,
    sample: SampleFiles,
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

    def truth_of(sample_name: int | str) -> tuple[TruthRecord, ...]:
        records = read_truth(sample.truth, contig, low, high, fetch, sample_name)
        # Of two samples' records most are of one of them only.
        return tuple(r for r in records if r.first or r.second or not r.known)

    loaded = reader.load(window)
    has_contaminant = has_sample(sample.truth, CONTAMINANT_SAMPLE)
    return Span(
        window=loaded,
        profile=profile,
        truth=truth_of(0),
        confident=tuple(confident),
        origins=read_origins(sample.reads, sample.reference, loaded.reads),
        contaminant=truth_of(CONTAMINANT_SAMPLE) if has_contaminant else None,
        contamination=_contamination(sample.reads.with_suffix(".json")),
    )


def _contamination(description: Path) -> float | None:
    """Return what a simulated sample's JSON says of it; None where there is no such file."""
    try:
        return float(
            json.loads(description.read_text(encoding="utf-8"))["library"]["contamination"]
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


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
        "truth": _spell_records(span.truth),
        "confident": span.confident,
        "contaminant": None if span.contaminant is None else _spell_records(span.contaminant),
        "contamination": span.contamination,
    }
    arrays = reads.arrays._asdict() | span.origins._asdict()
    arrays["reference"] = window.reference.codes
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
    with _reading(path):
        content = path.read_bytes()
        tensors = load(content)
        about = _about(content[8 : 8 + _header_length(content)], path)
        arrays = {name: tensors[name] for name in _ARRAYS}
    reference = ReferenceArrays(arrays.pop("reference"), about["reference_start"])
    fetched_start, fetched_end = about["fetched"]
    origins = Origins(*(arrays.pop(name) for name in Origins._fields))
    reads = ReadBatch(about["contig"], fetched_start, fetched_end, ReadArrays(**arrays))
    contaminant = about["contaminant"]
    return Span(
        **_header(about),
        window=WindowReads(about["start"], about["end"], reads, reference),
        origins=origins,
        contaminant=None if contaminant is None else _truth_records(contaminant),
        contamination=about["contamination"],
    )


def read_header(path: Path) -> SpanHeader:
    """Read what a file that `save_span` wrote says without its arrays.

    Raises
    ------
    InputError
        Where the file is none of ours.
    """
    with _reading(path), path.open("rb") as file:
        return SpanHeader(**_header(_about(file.read(_header_length(file.read(8))), path)))


def _header(about: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a `SpanHeader`."""
    return {
        "profile": LibraryProfile.from_mapping(about["profile"]),
        "truth": _truth_records(about["truth"]),
        "confident": tuple((low, high) for low, high in about["confident"]),
    }


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read that it is none of ours."""
    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no file of varcall examples ({error})") from None


def _header_length(content: bytes) -> int:
    """Return the length of the header, which safetensors puts into the first 8 bytes."""
    return int.from_bytes(content[:8], "little")


def _about(header: bytes, path: Path) -> dict[str, Any]:
    """Return what the header says of a span."""
    about: dict[str, Any] = json.loads(json.loads(header)["__metadata__"][_KEY])
    if about["version"] != FORMAT_VERSION:
        raise InputError(
            f"{path} has examples of format {about['version']}, not {FORMAT_VERSION}; "
            f"make them again with varcall examples"
        )
    return about


def _spell_records(records: Sequence[TruthRecord]) -> list[dict[str, Any]]:
    """Write truth as JSON has it: tuples, since it is read again for each draw of the span."""
    return [
        {name: getattr(record, name) for name in TruthRecord.__slots__}
        | {side: [astuple(allele) for allele in getattr(record, side)] for side in _SIDES}
        for record in records
    ]


def _truth_records(about: Sequence[dict[str, Any]]) -> tuple[TruthRecord, ...]:
    return tuple(
        TruthRecord(**record | {side: tuple(Allele(*a) for a in record[side]) for side in _SIDES})
        for record in about
    )


def span_name(reads: Path, window: Region) -> str:
    """Return a file name for a span: the same for the same reads and place."""
    tag = zlib.crc32(os.fsencode(reads.resolve()) + b"\t" + window.contig.encode())
    return f"{reads.stem}.{tag:08x}.{window.start}_{window.end}{SPAN_SUFFIX}"
