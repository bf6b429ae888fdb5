"""The header of a BAM or CRAM: contigs, read groups, sort order; which sample to call."""

import logging
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from varcall.errors import InputError
from varcall.formats.basecaller import (
    basecaller_of,
    described_basecaller,
    programs_basecaller,
)
from varcall.formats.bgzf import BgzfFile
from varcall.formats.contig_names import some_names
from varcall.formats.htslib import silent_htslib

_log = logging.getLogger(__name__)

UNNAMED_SAMPLE = "SAMPLE"
MAX_HEADER_BYTES = 1 << 28  # headers with 3 million contigs are below; more is not a genome


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """One @RG line; empty where a tag is missing.

    `basecaller` is the name of the basecalling model that the line or, where it states none, the
    @PG lines state.
    """

    name: str
    sample: str
    platform: str
    basecaller: str = ""


@dataclass(frozen=True, slots=True)
class AlignmentHeader:
    """Header of an alignment file.

    Attributes
    ----------
    contigs
        Name and length of each @SQ, in order.
    md5
        M5 of the contigs that state it, lower case.
    sort_order
        SO of @HD, empty where there is none.
    text
        The header as it stands in the file.
    basecaller
        Name of the basecalling model that the @PG lines state; empty where they state none.
    records_start
        Virtual offset of the first record (BAM only, 0 for CRAM).
    """

    contigs: Mapping[str, int]
    md5: Mapping[str, str]
    read_groups: tuple[ReadGroup, ...]
    sort_order: str
    text: str
    basecaller: str = ""
    records_start: int = 0


def read_bam_header(bam: BgzfFile) -> AlignmentHeader:
    """Read the header of a BAM (SAM specification, section 4.2).

    Raises
    ------
    InputError
        No BAM, or cut or corrupt in its header.
    """
    raw, position = bam.read(0, 8)
    if raw[:4] != b"BAM\1" or len(raw) < 8:
        raise InputError(f"{bam.path} is not a BAM file")
    (length,) = struct.unpack_from("<i", raw, 4)
    corrupt = InputError(f"{bam.path} is cut short or corrupt in its header")
    if not 0 <= length <= MAX_HEADER_BYTES:
        raise corrupt
    text, position = bam.read(position, length)
    raw, position = bam.read(position, 4)
    if len(text) < length or len(raw) < 4:
        raise corrupt
    contigs: dict[str, int] = {}
    for _ in range(struct.unpack("<i", raw)[0]):
        raw, position = bam.read(position, 4)
        name_length = struct.unpack("<i", raw)[0] if len(raw) == 4 else -1
        if not 0 < name_length <= MAX_HEADER_BYTES:
            raise corrupt
        raw, position = bam.read(position, name_length + 4)
        if len(raw) < name_length + 4:
            raise corrupt
        name = raw[: name_length - 1].decode("utf-8", "replace")
        contigs[name] = struct.unpack_from("<i", raw, name_length)[0]
    decoded = text.rstrip(b"\0").decode("utf-8", "replace")
    return _parse(decoded, contigs, position)


def read_cram_header(path: Path, reference: Path) -> AlignmentHeader:
    """Read the header of a CRAM with htslib (its blocks may use any of five compressions)."""
    try:
        # It would name an index that is missing, which is looked for later, in other places too.
        with (
            silent_htslib(),
            pysam.AlignmentFile(
                str(path), "rc", reference_filename=str(reference), check_sq=False
            ) as file,
        ):
            contigs = dict(zip(file.references, file.lengths, strict=True))
            return _parse(str(file.header), contigs, 0)
    except UnicodeDecodeError as error:
        raise InputError(
            f"the header of {path} is not UTF-8 text (does it name a path that is none?): "
            "mend it with samtools reheader"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is corrupt in its header: {error}") from error


def _parse(text: str, contigs: Mapping[str, int], records_start: int) -> AlignmentHeader:
    md5: dict[str, str] = {}
    groups: list[Mapping[str, str]] = []
    programs: list[Mapping[str, str]] = []
    sort_order = ""
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        tags = {field[:2]: field[3:] for field in fields if field[2:3] == ":"}
        if kind == "@HD":
            sort_order = tags.get("SO", "")
        elif kind == "@SQ" and "M5" in tags:
            md5[tags.get("SN", "")] = tags["M5"].lower()
        elif kind == "@RG":
            groups.append(tags)
        elif kind == "@PG":
            programs.append(tags)
    basecaller = programs_basecaller(programs)
    read_groups = tuple(_read_group(tags, basecaller) for tags in groups)
    return AlignmentHeader(contigs, md5, read_groups, sort_order, text, basecaller, records_start)


def _read_group(tags: Mapping[str, str], by_programs: str) -> ReadGroup:
    basecaller = basecaller_of(described_basecaller(tags.get("DS", "")), by_programs)
    return ReadGroup(tags.get("ID", ""), tags.get("SM", ""), tags.get("PL", ""), basecaller)


@dataclass(frozen=True, slots=True)
class SampleChoice:
    """The sample to call; `read_groups` None means all reads are its reads.

    `platform` and `basecaller` are empty where its read groups state none, or several.
    """

    name: str
    read_groups: frozenset[str] | None = None
    platform: str = ""
    basecaller: str = ""
    warning: str = ""


def choose_sample(header: AlignmentHeader, wanted: str | None, reads: Path) -> SampleChoice:
    """Pick the sample: the only one, or the one asked for.

    Raises
    ------
    InputError
        Several samples and none asked for, or one asked for that is not there.
    """
    samples = list(dict.fromkeys(group.sample for group in header.read_groups if group.sample))
    if wanted is not None and wanted not in samples:
        found = f"its samples are {some_names(samples)}" if samples else "it names no sample"
        raise InputError(f"there is no sample {wanted!r} in {reads}: {found}")
    if wanted is None and len(samples) > 1:
        raise InputError(
            f"{reads} holds {len(samples)} samples ({some_names(samples)}): choose one with "
            f"-s, for instance -s {samples[0]}"
        )
    name = wanted or (samples[0] if samples else UNNAMED_SAMPLE)
    groups = [group for group in header.read_groups if not samples or group.sample == name]
    platforms = {group.platform.lower() for group in groups if group.platform}
    return SampleChoice(
        name,
        frozenset(group.name for group in groups) if len(samples) > 1 else None,
        platforms.pop() if len(platforms) == 1 else "",
        _basecaller(header, groups, reads),
        "" if samples else f"{reads} names no sample (@RG SM): it is called {UNNAMED_SAMPLE}",
    )


def _basecaller(header: AlignmentHeader, groups: Sequence[ReadGroup], reads: Path) -> str:
    """Return the basecalling model of a sample's read groups, where those that state one agree."""
    found = sorted({group.basecaller for group in groups} - {""})
    if len(found) > 1:
        _log.debug(
            "the read groups of %s state several basecalling models (%s): it counts as unknown",
            reads, some_names(found),
        )  # fmt: skip
        return ""
    # Without read groups all reads are the sample's.
    return found[0] if found else "" if groups else header.basecaller
