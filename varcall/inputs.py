"""Open reads and reference, cross-checked before any work.

`open_inputs` stops at the first error; `check_inputs` runs every check that still makes sense and
reports them all (`varcall check`).
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pysam

from varcall.alignment_header import (
    AlignmentHeader,
    SampleChoice,
    choose_sample,
    read_bam_header,
    read_cram_header,
)
from varcall.alignment_index import (
    AlignmentIndex,
    check_bam_index,
    check_cram_index,
    find_index,
    read_index,
)
from varcall.bgzf import GZIP_MAGIC, BgzfFile, is_bgzf
from varcall.contigs import partial_contigs, shared_contigs, some_names
from varcall.cram import CramFile
from varcall.errors import InputError
from varcall.fasta_index import check_fasta
from varcall.reference import Reference
from varcall.reference_match import BaseAgreement, check_bases, check_checksum
from varcall.regions import Region, select_regions

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inputs:
    """Reads and reference that fit each other; can be sent to worker processes.

    Attributes
    ----------
    read_groups
        @RG IDs of the sample's reads; None where all reads are its reads.
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
    warnings
        What is odd but no error, one sentence each.
    """

    reads: Path
    index: Path
    reference: Path
    is_cram: bool
    sample: str
    read_groups: frozenset[str] | None
    contigs: Mapping[str, int]
    md5: Mapping[str, str]
    mapped: Mapping[str, int | None]
    regions: tuple[Region, ...]
    header: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check: level is "ok", "warning" or "error"."""

    check: str
    level: str
    message: str


@dataclass(slots=True)
class _Checks:
    """Runs the checks and collects their findings; stops at the first error where `strict`."""

    strict: bool
    findings: list[Finding] = field(default_factory=list)

    def run(self, check: str, action: Callable[[], tuple[T, str]]) -> T | None:
        """Run one check, which returns its value and a word on what is right."""
        try:
            value, summary = action()
        except InputError as error:
            if self.strict:
                raise
            self.findings.append(Finding(check, "error", str(error)))
            return None
        self.findings.append(Finding(check, "ok", summary))
        return value

    def warn(self, check: str, message: str) -> None:
        """Record what is odd but no error."""
        self.findings.append(Finding(check, "warning", message))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages of the warnings so far."""
        return tuple(f.message for f in self.findings if f.level == "warning")


@dataclass(frozen=True, slots=True)
class _Request:
    """What the user named."""

    reads: Path
    reference: Path
    index: Path | None
    sample: str | None
    regions: tuple[str, ...]
    regions_file: Path | None


def open_inputs(
    reads: Path | str,
    reference: Path,
    *,
    index: Path | None = None,
    sample: str | None = None,
    regions: Sequence[str] = (),
    regions_file: Path | None = None,
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

    Raises
    ------
    InputError
        The first thing that is wrong, and how to mend it.
    """
    checks = _Checks(strict=True)
    request = _request(reads, reference, index, sample, regions, regions_file)
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
) -> tuple[Finding, ...]:
    """Run all checks of `open_inputs` and report every finding, in order."""
    checks = _Checks(strict=False)
    _examine(_request(reads, reference, index, sample, regions, regions_file), checks)
    return tuple(checks.findings)


def _request(
    reads: Path | str,
    reference: Path,
    index: Path | None,
    sample: str | None,
    regions: Sequence[str],
    regions_file: Path | None,
) -> _Request:
    """Separate `READS##idx##INDEX`; an index named apart wins."""
    name, _, named_index = str(reads).partition("##idx##")
    index = index or (Path(named_index) if named_index else None)
    return _Request(Path(name), Path(reference), index, sample, tuple(regions), regions_file)


@contextmanager
def open_alignments(inputs: Inputs) -> Iterator[pysam.AlignmentFile]:
    """Open the reads for fetching; one handle per process (htslib's are not shared safely).

    Raises
    ------
    InputError
        They cannot be opened.
    """
    with _alignments(inputs.reads, inputs.index, inputs.reference) as alignments:
        yield alignments


@contextmanager
def _alignments(reads: Path, index: Path, reference: Path) -> Iterator[pysam.AlignmentFile]:
    # htslib would print its own, less helpful messages beside ours.
    pysam.set_verbosity(0)
    try:
        alignments = pysam.AlignmentFile(
            str(reads), "rb", index_filename=str(index), reference_filename=str(reference)
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot open {reads} with its index {index}: {error}") from error
    try:
        yield alignments
    finally:
        # After corrupt data closing fails as well, and would hide the error that matters.
        with suppress(OSError):
            alignments.close()


def _examine(request: _Request, checks: _Checks) -> Inputs | None:
    """Run the checks in the order in which they can be understood."""
    reads = request.reads
    is_cram = checks.run("reads", lambda: _check_reads(reads))
    fasta = checks.run("reference", lambda: _check_reference(request.reference, ()))
    if is_cram is None:
        return None
    header = checks.run("header", lambda: _read_header(reads, request.reference, is_cram))
    if header is None:
        return None
    index = checks.run("index", lambda: _check_index(reads, request.index, header, is_cram, checks))
    sample = checks.run("sample", lambda: _check_sample(header, request.sample, reads, checks))
    if fasta is None:
        return None
    contigs = checks.run("contigs", lambda: _check_contigs(header, fasta, reads, request.reference))
    if contigs is None:
        return None
    regions = checks.run("regions", lambda: _check_regions(request, contigs))
    if index is None or sample is None or regions is None:
        return None
    mapped = dict(zip(header.contigs, index[1].mapped, strict=False))
    if not (request.regions or request.regions_file):
        _warn_of_missing(header, contigs, mapped, checks)
    files = _Files(reads, index[0], request.reference, is_cram)
    md5 = _check_match(files, header, contigs, mapped, regions, checks)
    if md5 is None:
        return None
    return Inputs(
        reads=reads,
        index=index[0],
        reference=request.reference,
        is_cram=is_cram,
        sample=sample.name,
        read_groups=sample.read_groups,
        contigs=contigs,
        md5=md5,
        mapped={name: mapped.get(name, 0) for name in contigs},
        regions=regions,
        header=header.text,
        warnings=checks.warnings,
    )


@dataclass(frozen=True, slots=True)
class _Files:
    reads: Path
    index: Path
    reference: Path
    is_cram: bool


def _require_file(path: Path, what: str) -> None:
    if "://" in str(path):
        raise InputError(f"{what} {path} is a URL: only local files are read; download it first")
    if not path.exists():
        raise InputError(f"{what} {path} does not exist")
    if not path.is_file():
        raise InputError(f"{what} {path} is not a regular file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{what} {path} cannot be read: check its permissions")


def _check_reads(reads: Path) -> tuple[bool, str]:
    """Tell BAM from CRAM and see that the file is complete."""
    _require_file(reads, "the reads file")
    with reads.open("rb") as file:
        magic = file.read(4)
    remedy = f"run: samtools sort -o {reads.stem}.bam {reads} && samtools index {reads.stem}.bam"
    cut = InputError(f"{reads} is cut short (no end-of-file mark): copy it again or make it again")
    if magic == b"CRAM":
        with CramFile(reads) as cram:
            if not cram.has_eof_container:
                raise cut
        return True, f"{reads} is a complete CRAM"
    if magic[:2] != GZIP_MAGIC or not is_bgzf(reads):
        raise InputError(f"{reads} is neither BAM nor CRAM: {remedy}")
    with BgzfFile(reads) as bam:
        if bam.block(0).data[:4] != b"BAM\1":
            raise InputError(f"{reads} is neither BAM nor CRAM: {remedy}")
        if not bam.has_eof_block:
            raise cut
    return False, f"{reads} is a complete BAM"


def _check_reference(reference: Path, wanted: Sequence[str]) -> tuple[dict[str, int], str]:
    _require_file(reference, "the reference")
    contigs = check_fasta(reference, wanted)
    return contigs, f"{reference} has {len(contigs)} contigs and its own index"


def _read_header(reads: Path, reference: Path, is_cram: bool) -> tuple[AlignmentHeader, str]:
    if is_cram:
        header = read_cram_header(reads, reference)
    else:
        with BgzfFile(reads) as bam:
            header = read_bam_header(bam)
    if not header.contigs:
        raise InputError(f"{reads} has no contigs in its header (unaligned?): align the reads")
    return header, f"{len(header.contigs)} contigs, {len(header.read_groups)} read groups"


def _check_index(
    reads: Path, given: Path | None, header: AlignmentHeader, is_cram: bool, checks: _Checks
) -> tuple[tuple[Path, AlignmentIndex], str]:
    """Find the index and see that it is this file's."""
    path = given or find_index(reads, is_cram=is_cram)
    remedy = f"run: samtools index {reads}"
    if header.sort_order in ("unsorted", "queryname"):
        remedy = f"the header says {header.sort_order}; run samtools sort, then samtools index"
    if path is None:
        raise InputError(f"{reads} has no index: {remedy}")
    _require_file(path, "the index")
    index = read_index(path)
    try:
        if is_cram:
            with CramFile(reads) as cram:
                check_cram_index(index, cram, list(header.contigs))
        else:
            with BgzfFile(reads) as bam:
                check_bam_index(index, bam, list(header.contigs), header.records_start)
    except InputError as error:
        raise InputError(f"{path} is not the index of {reads} ({error}): {remedy}") from error
    if path.stat().st_mtime < reads.stat().st_mtime:
        checks.warn("index", f"the index {path} is older than {reads}, but fits it")
    if header.sort_order in ("unsorted", "queryname"):
        message = f"the header of {reads} says {header.sort_order}, its index says sorted"
        checks.warn("index", message)
    return (path, index), f"{path} ({index.kind}) is the index of {reads}"


def _check_sample(
    header: AlignmentHeader, wanted: str | None, reads: Path, checks: _Checks
) -> tuple[SampleChoice, str]:
    choice = choose_sample(header, wanted, reads)
    if choice.warning:
        checks.warn("sample", choice.warning)
    return choice, f"sample {choice.name!r}"


def _check_contigs(
    header: AlignmentHeader, fasta: Mapping[str, int], reads: Path, reference: Path
) -> tuple[dict[str, int], str]:
    contigs = shared_contigs(header.contigs, fasta, reads, reference)
    # Now that it is known which contigs matter, look closely at their lines in the FASTA index.
    check_fasta(reference, sorted(contigs, key=lambda name: -contigs[name]))
    return contigs, f"{len(contigs)} of {len(header.contigs)} contigs are in the reference"


def _check_regions(request: _Request, contigs: Mapping[str, int]) -> tuple[tuple[Region, ...], str]:
    if request.regions_file is not None:
        _require_file(request.regions_file, "the regions file")
    regions = select_regions(request.regions, request.regions_file, contigs)
    return regions, f"{len(regions)} regions, {sum(map(len, regions)):,} bases"


def _warn_of_missing(
    header: AlignmentHeader,
    contigs: Mapping[str, int],
    mapped: Mapping[str, int | None],
    checks: _Checks,
) -> None:
    """Warn of reads on contigs that the FASTA lacks, and of a file without mapped reads."""
    missing = [name for name in header.contigs if name not in contigs and mapped.get(name, 0) != 0]
    if missing:
        checks.warn(
            "contigs",
            f"reads on {len(missing)} contigs that the reference lacks are left out: "
            f"{some_names(missing)}",
        )
    if all(mapped.get(name, 0) == 0 for name in contigs):
        checks.warn("contigs", "there is no mapped read on any contig of the reference")


def _check_match(
    files: _Files,
    header: AlignmentHeader,
    contigs: Mapping[str, int],
    mapped: Mapping[str, int | None],
    regions: Sequence[Region],
    checks: _Checks,
) -> dict[str, str] | None:
    """Hold the FASTA against the header's lengths and checksums and against the reads."""
    asked = dict.fromkeys(region.contig for region in regions)
    used = [name for name in asked if mapped.get(name, 0) != 0]
    partial = checks.run(
        "lengths", lambda: (partial_contigs(used, header.contigs, contigs), "contig lengths fit")
    )
    if partial is None:
        return None
    verified = checks.run(
        "checksums", lambda: _check_checksums(files.reference, header, used, set(partial))
    )
    agreements = checks.run("bases", lambda: _check_bases(files, contigs, mapped, regions, header))
    if verified is None or agreements is None:
        return None
    for name in used:
        whole, ours = header.contigs[name], contigs[name]
        agreement = agreements.get(name, BaseAgreement(0, 0, 0))
        seen = f"{agreement.rate:.1%} of {agreement.compared:,} sampled bases differ"
        if name in partial:
            text = f"the reference holds only {ours:,} of the {whole:,} bases of {name!r}; {seen}"
            checks.warn("lengths", text)
        elif name in header.md5 and name not in verified:
            text = f"most of {name!r} is N in the reference, so its M5 cannot be compared; {seen}"
            checks.warn("checksums", text)
    return verified


def _check_checksums(
    reference: Path, header: AlignmentHeader, used: Sequence[str], partial: set[str]
) -> tuple[dict[str, str], str]:
    verified = {
        name: header.md5[name]
        for name in used
        if name in header.md5
        and check_checksum(reference, name, header.md5[name], is_partial=name in partial)
    }
    stated = sum(name in header.md5 for name in used)
    return verified, f"M5 stated for {stated} of {len(used)} contigs, {len(verified)} verified"


def _check_bases(
    files: _Files,
    contigs: Mapping[str, int],
    mapped: Mapping[str, int | None],
    regions: Sequence[Region],
    header: AlignmentHeader,
) -> tuple[dict[str, BaseAgreement], str]:
    """Fetch some reads of each contig, which also proves that they can be decoded."""
    # CRAI lists only contigs with reads, so that None means some, and a missing number none.
    has_reads = {name: mapped.get(name, 0) != 0 for name in contigs}
    with _alignments(files.reads, files.index, files.reference) as alignments:
        try:
            with Reference(files.reference) as reference:
                agreements = check_bases(
                    alignments, reference, regions, contigs, has_reads=has_reads
                )
        except (OSError, ValueError) as error:
            if not files.is_cram:
                raise InputError(f"corrupt data in {files.reads}: {error}") from error
            stated = some_names(header.md5.values()) or "none"
            raise InputError(
                f"{files.reads} cannot be decoded with {files.reference}: give the reference that "
                f"the CRAM was made with (M5 of its contigs: {stated})"
            ) from error
    compared = sum(a.compared for a in agreements.values())
    mismatches = sum(a.mismatches for a in agreements.values())
    rate = mismatches / max(1, compared)
    return agreements, f"{rate:.2%} of {compared:,} sampled bases differ from the reference"
