"""Open reads and reference, cross-checked before any work.

`open_inputs` stops at the first error; `check_inputs` runs every check that still makes sense and
reports them all (`varcall check`).
"""

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from varcall.formats.alignment_header import AlignmentHeader
from varcall.formats.contig_names import partial_contigs
from varcall.inputs.alignment_index import occupied_spans
from varcall.inputs.checks import (
    Checks,
    Checksums,
    Files,
    Finding,
    check_bases,
    check_checksums,
    check_contigs,
    check_index,
    check_reads,
    check_reads_covered,
    check_reference,
    check_sample,
    read_header,
    require_file,
)
from varcall.inputs.reference_match import BaseAgreement, other_reference_warning
from varcall.inputs.regions import Region, select_regions

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Reads and reference that fit each other; can be sent to worker processes.

    Attributes
    ----------
    read_groups
        @RG IDs of the sample's reads; None where all reads are its reads.
    platform
        PL of the sample's read groups, lower case; empty where it is not stated.
    basecaller
        Name of the basecalling model as the header states it; empty where it states none, or
        several.
    contigs
        Contigs in both files, in the header's order, with the FASTA's lengths.
    md5
        MD5 of the contigs whose checksum was verified.
    mapped
        Mapped reads by contig; None where the index does not say (CRAM).
    regions
        What is to be called: sorted, merged, clipped.
    header
        The SAM header text.
    header_contigs
        Name and length of all contigs of the header, in the order of the numbers that records
        and indexes use.
    other_contigs
        Contigs whose checksum is not the one that the reads' header states.
    warnings
        What is odd but no error, one sentence each.
    """

    reads: Path
    index: Path
    reference: Path
    is_cram: bool
    sample: str
    read_groups: frozenset[str] | None
    platform: str
    contigs: Mapping[str, int]
    md5: Mapping[str, str]
    mapped: Mapping[str, int | None]
    regions: tuple[Region, ...]
    header: str
    header_contigs: Mapping[str, int]
    basecaller: str = ""
    other_contigs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Request:
    """What the user named."""

    reads: Path
    reference: Path
    index: Path | None
    sample: str | None
    regions: tuple[str, ...]
    regions_file: Path | None
    allow_other_reference: bool

    @property
    def is_partial(self) -> bool:
        """Whether regions were named."""
        return bool(self.regions) or self.regions_file is not None


def open_inputs(
    reads: Path | str,
    reference: Path,
    *,
    index: Path | None = None,
    sample: str | None = None,
    regions: Sequence[str] = (),
    regions_file: Path | None = None,
    allow_other_reference: bool = False,
) -> Inputs:
    """Check the inputs and return what is needed to read them; warnings are logged.

    Parameters
    ----------
    reads
        BAM or CRAM; `READS##idx##INDEX` names its index too, as in htslib.
    reference
        FASTA, plain or bgzipped, with its .fai (and .gzi).
    index
        Where the index does not lie beside the reads.
    sample
        SM of the reads to use, where there are several.
    regions, regions_file
        Region strings or comma-lists, and a BED; their union. Only their contigs have to fit.
        Without both, all contigs that have reads have to.
    allow_other_reference
        Go on where checksums differ from those of the header, if the reads agree.

    Raises
    ------
    InputError
        The first thing that is wrong, and how to mend it.
    """
    checks = Checks(strict=True)
    name, index = _reads_and_index(reads, index)
    request = _Request(
        name, Path(reference), index, sample, tuple(regions), regions_file, allow_other_reference
    )
    inputs = _examine(request, checks)
    assert inputs is not None  # a strict run raises instead
    for warning in inputs.warnings:
        logger.warning("%s", warning)
    return inputs


def check_inputs(
    reads: Path | str,
    reference: Path,
    *,
    index: Path | None = None,
    sample: str | None = None,
    regions: Sequence[str] = (),
    regions_file: Path | None = None,
    allow_other_reference: bool = False,
    then: Callable[[Inputs, Checks], None] | None = None,
) -> tuple[Finding, ...]:
    """Run all checks of `open_inputs` and report every finding, in order.

    `then` checks further inputs that can be read.
    """
    checks = Checks(strict=False)
    name, index = _reads_and_index(reads, index)
    request = _Request(
        name, Path(reference), index, sample, tuple(regions), regions_file, allow_other_reference
    )
    inputs = _examine(request, checks)
    if inputs is not None and then is not None:
        then(inputs, checks)
    return tuple(checks.findings)


def _reads_and_index(reads: Path | str, index: Path | None) -> tuple[Path, Path | None]:
    """Separate `READS##idx##INDEX`; an index named apart wins."""
    name, _, named_index = str(reads).partition("##idx##")
    return Path(name), index or (Path(named_index) if named_index else None)


def _examine(request: _Request, checks: Checks) -> Inputs | None:
    """Run the checks in the order in which they can be understood."""
    reads = request.reads
    is_cram = checks.run("reads", lambda: check_reads(reads))
    fasta = checks.run("reference", lambda: check_reference(request.reference))
    if is_cram is None:
        return None
    header = checks.run("header", lambda: read_header(reads, request.reference, is_cram))
    if header is None:
        return None
    index = checks.run("index", lambda: check_index(reads, request.index, header, is_cram, checks))
    sample = checks.run("sample", lambda: check_sample(header, request.sample, reads, checks))
    if fasta is None:
        return None
    contigs = checks.run("contigs", lambda: check_contigs(header, fasta, reads, request.reference))
    if contigs is None:
        return None
    regions = checks.run("regions", lambda: _check_regions(request, contigs))
    if index is None or sample is None or regions is None:
        return None
    mapped = dict(zip(header.contigs, index[1].mapped, strict=False))
    asked = list(dict.fromkeys(region.contig for region in regions)) if request.is_partial else None
    checks.run("coverage", lambda: check_reads_covered(header, contigs, mapped, asked, checks))
    files = Files(reads, index[0], request.reference, is_cram)
    match = _check_match(
        files, header, contigs, mapped, regions, index[1].occupied, checks,
        allow_other=request.allow_other_reference,
    )  # fmt: skip
    if match is None:
        return None
    return Inputs(
        reads=reads,
        index=index[0],
        reference=request.reference,
        is_cram=is_cram,
        sample=sample.name,
        read_groups=sample.read_groups,
        platform=sample.platform,
        basecaller=sample.basecaller,
        contigs=contigs,
        md5=match.verified,
        mapped={name: mapped.get(name, 0) for name in contigs},
        regions=regions,
        header=header.text,
        header_contigs=header.contigs,
        other_contigs=match.other,
        warnings=checks.warnings,
    )


def _check_regions(request: _Request, contigs: Mapping[str, int]) -> tuple[tuple[Region, ...], str]:
    if request.regions_file is not None:
        require_file(request.regions_file, "the regions file")
    regions = select_regions(request.regions, request.regions_file, contigs)
    return regions, f"{len(regions)} regions, {sum(map(len, regions)):,} bases"


def _with_reads(
    regions: Sequence[Region], occupied: Sequence[tuple[int, int, int]], names: Sequence[str]
) -> list[Region]:
    """Cut regions to where the index says that reads lie; those of a contig without stay whole.

    `occupied` may overlap, and contigs in it are numbers, those of `names`.
    """
    spans: dict[str, list[tuple[int, int]]] = {region.contig: [] for region in regions}
    for number, start, end in sorted(span for span in occupied if names[span[0]] in spans):
        known = spans[names[number]]
        if known and start <= known[-1][1]:
            known[-1] = known[-1][0], max(end, known[-1][1])
        else:
            known.append((start, end))
    starts = {name: [start for start, _ in known] for name, known in spans.items()}
    ends = {name: [end for _, end in known] for name, known in spans.items()}
    cut = []
    for region in regions:
        low = bisect_right(ends[region.contig], region.start)
        high = bisect_left(starts[region.contig], region.end)
        cut += [
            Region(region.contig, max(start, region.start), min(end, region.end))
            for start, end in spans[region.contig][low:high]
        ]
    found = {region.contig for region in cut}
    return cut + [region for region in regions if region.contig not in found]


def _check_match(
    files: Files,
    header: AlignmentHeader,
    contigs: Mapping[str, int],
    mapped: Mapping[str, int | None],
    regions: Sequence[Region],
    occupied: Sequence[tuple[int, int, int]],
    checks: Checks,
    *,
    allow_other: bool,
) -> Checksums | None:
    """Hold the FASTA against the header's lengths and checksums and against the reads."""
    asked = dict.fromkeys(region.contig for region in regions)
    used = [name for name in asked if mapped.get(name, 0) != 0]
    partial = checks.run(
        "lengths", lambda: (partial_contigs(used, header.contigs, contigs), "contig lengths fit")
    )
    if partial is None:
        return None
    checksums = checks.run(
        "checksums",
        lambda: check_checksums(files, header, used, set(partial), allow_other=allow_other),
    )
    sampled = _with_reads(regions, occupied, list(header.contigs))
    agreements = checks.run(
        "bases", lambda: check_bases(files, contigs, mapped, sampled, header, checks)
    )
    if checksums is None or agreements is None:
        return None
    for name in used:
        whole, ours = header.contigs[name], contigs[name]
        agreement = agreements.get(name, BaseAgreement(0, 0, 0))
        seen = f"{agreement.rate:.1%} of {agreement.compared:,} sampled bases differ"
        if name in partial:
            text = f"the reference holds only {ours:,} of the {whole:,} bases of {name!r}; {seen}"
            checks.warn("lengths", text)
        elif name in checksums.masked:
            text = f"most of {name!r} is N in the reference, so its M5 cannot be compared; {seen}"
            checks.warn("checksums", text)
    if checksums.other:
        text = other_reference_warning(checksums.other, agreements, files.reference)
        checks.warn("checksums", text)
    return checksums


def occupied_spans_of(inputs: Inputs, cell: int) -> list[tuple[str, int, int]]:
    """Return where the index says that there are reads, in the order of the reads file.

    Contigs that the reference lacks are left out. Spans that share or touch one of the cells of
    `cell` bases are joined, so that no cell is in two of them. Coordinates are 0-based half-open.
    """
    names = {
        number: name for number, name in enumerate(inputs.header_contigs) if name in inputs.contigs
    }
    joined: list[tuple[str, int, int]] = []
    for number, start, end in sorted(occupied_spans(inputs.index)):
        name = names.get(number)
        if name is None or start >= inputs.contigs[name]:
            continue
        end = min(end, inputs.contigs[name])
        if joined and joined[-1][0] == name and start // cell <= (joined[-1][2] - 1) // cell + 1:
            joined[-1] = (name, joined[-1][1], max(end, joined[-1][2]))
        else:
            joined.append((name, start, end))
    return joined
