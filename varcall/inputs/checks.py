"""The single cross-checks of `varcall.inputs.open`, each for one kind of fault.

Each returns what it found and one line on what is right; what is wrong is an InputError.
"""

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pysam

from varcall.errors import InputError
from varcall.formats.alignment_header import (
    AlignmentHeader,
    SampleChoice,
    choose_sample,
    read_bam_header,
    read_cram_header,
)
from varcall.formats.bgzf import GZIP_MAGIC, BgzfFile, is_bgzf
from varcall.formats.contig_names import shared_contigs, some_names
from varcall.formats.cram_containers import CramFile
from varcall.formats.fasta_index import check_fasta
from varcall.inputs.alignment_index import (
    AlignmentIndex,
    check_bam_index,
    check_cram_index,
    find_index,
    read_index,
)
from varcall.inputs.reference import Reference
from varcall.inputs.reference_match import (
    MASKED_SHARE,
    BaseAgreement,
    compare_bases,
    contig_digest,
    divergence_warning,
)
from varcall.inputs.regions import Region
from varcall.output.vcf_writer import TBI_MAX_CONTIG

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check: level is "ok", "warning" or "error"."""

    check: str
    level: str
    message: str


@dataclass(slots=True)
class Checks:
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
class Files:
    """The files whose contents are compared."""

    reads: Path
    index: Path
    reference: Path
    is_cram: bool


@contextmanager
def alignments_of(
    reads: Path, index: Path, reference: Path, options: Sequence[str] = ()
) -> Iterator[pysam.AlignmentFile]:
    """Open reads for fetching, with format options of htslib; one handle per process.

    Raises
    ------
    InputError
        They cannot be opened.
    """
    # htslib would print its own, less helpful messages beside ours.
    pysam.set_verbosity(0)
    try:
        alignments = pysam.AlignmentFile(
            str(reads),
            "rb",
            index_filename=str(index),
            reference_filename=str(reference),
            format_options=list(options),
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot open {reads} with its index {index}: {error}") from error
    try:
        yield alignments
    finally:
        # After corrupt data closing fails as well, and would hide the error that matters.
        with suppress(OSError):
            alignments.close()


def require_file(path: Path, what: str) -> None:
    """Refuse what is no readable local file."""
    # A Path has lost one slash of a URL.
    if ":/" in str(path) and not path.exists():
        raise InputError(f"{what} {path} is a URL: only local files are read; download it first")
    if not path.exists():
        raise InputError(f"{what} {path} does not exist")
    if not path.is_file():
        raise InputError(f"{what} {path} is not a regular file")
    if not os.access(path, os.R_OK):
        raise InputError(f"{what} {path} cannot be read: check its permissions")


def check_reads(reads: Path) -> tuple[bool, str]:
    """Tell BAM from CRAM and see that the file is complete."""
    require_file(reads, "the reads file")
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


def check_reference(reference: Path) -> tuple[dict[str, int], str]:
    """See that the FASTA has indexes of its own."""
    require_file(reference, "the reference")
    contigs = check_fasta(reference)
    return contigs, f"{reference} has {len(contigs)} contigs and its own index"


def read_header(reads: Path, reference: Path, is_cram: bool) -> tuple[AlignmentHeader, str]:
    """Read the header; reads without contigs are unaligned."""
    if is_cram:
        header = read_cram_header(reads, reference)
    else:
        with BgzfFile(reads) as bam:
            header = read_bam_header(bam)
    if not header.contigs:
        raise InputError(f"{reads} has no contigs in its header (unaligned?): align the reads")
    return header, f"{len(header.contigs)} contigs, {len(header.read_groups)} read groups"


def check_index(
    reads: Path, given: Path | None, header: AlignmentHeader, is_cram: bool, checks: Checks
) -> tuple[tuple[Path, AlignmentIndex], str]:
    """Find the index and see that it is this file's."""
    path = given or find_index(reads, is_cram=is_cram)
    # BAI has the binning of .tbi.
    is_long = not is_cram and max(header.contigs.values(), default=0) > TBI_MAX_CONTIG
    remedy = f"run: samtools index {'-c ' if is_long else ''}{shlex.quote(str(reads))}"
    if header.sort_order in ("unsorted", "queryname"):
        remedy = f"the header says {header.sort_order}; run samtools sort, then samtools index"
    if path is None:
        raise InputError(f"{reads} has no index: {remedy}")
    require_file(path, "the index")
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


def check_sample(
    header: AlignmentHeader, wanted: str | None, reads: Path, checks: Checks
) -> tuple[SampleChoice, str]:
    """Choose the sample to call."""
    choice = choose_sample(header, wanted, reads)
    if choice.warning:
        checks.warn("sample", choice.warning)
    return choice, f"sample {choice.name!r}"


def check_contigs(
    header: AlignmentHeader, fasta: Mapping[str, int], reads: Path, reference: Path
) -> tuple[dict[str, int], str]:
    """Find the contigs of both files, and look at their lines in the FASTA."""
    contigs = shared_contigs(header.contigs, fasta, reads, reference)
    lacking = {length for name, length in header.contigs.items() if name not in fasta}
    if lacking:
        # The name may only be wrong in the .fai, and then its length is that of one it lacks.
        odd = (name for name in fasta if name not in header.contigs)
        check_fasta(reference, sorted(odd, key=lambda name: fasta[name] not in lacking))
    check_fasta(reference, sorted(contigs, key=lambda name: -contigs[name]))
    return contigs, f"{len(contigs)} of {len(header.contigs)} contigs are in the reference"


def check_reads_covered(
    header: AlignmentHeader,
    contigs: Mapping[str, int],
    mapped: Mapping[str, int | None],
    asked: Sequence[str] | None,
    checks: Checks,
) -> tuple[None, str]:
    """See that there are reads on the contigs of the reference, or on those `asked` for."""
    elsewhere = [
        name for name in header.contigs if name not in contigs and mapped.get(name, 0) != 0
    ]
    is_empty = all(mapped.get(name, 0) == 0 for name in contigs)
    if is_empty and elsewhere:
        raise InputError(
            f"no read is on a contig of the reference: they are on {some_names(elsewhere)}, the "
            f"reference has {some_names(contigs)}: give the reference they were aligned to"
        )
    if asked is None and elsewhere:
        checks.warn(
            "coverage",
            f"reads on {len(elsewhere)} contigs that the reference lacks are left out: "
            f"{some_names(elsewhere)}",
        )
    wanted = contigs if asked is None else asked
    if all(mapped.get(name, 0) == 0 for name in wanted):
        checks.warn("coverage", f"there is no mapped read on {some_names(wanted)}")
    return None, f"reads on {sum(mapped.get(name, 0) != 0 for name in wanted)} contigs"


@dataclass(frozen=True, slots=True)
class Checksums:
    """What the M5 of the header say of the contigs in use that state one.

    Attributes
    ----------
    verified
        MD5 of those that are the same sequence.
    masked
        Those of which the reference holds too little to tell.
    other
        Those that are another sequence.
    """

    verified: Mapping[str, str]
    masked: frozenset[str]
    other: tuple[str, ...]


def check_checksums(
    files: Files,
    header: AlignmentHeader,
    used: Sequence[str],
    partial: set[str],
    *,
    allow_other: bool,
) -> tuple[Checksums, str]:
    """Compare the checksums of the contigs in use with those of the header.

    Of those in `partial` the reference holds only a part, so that they cannot be compared.
    """
    stated = [name for name in used if name in header.md5]
    verified: dict[str, str] = {}
    masked: list[str] = []
    other: list[str] = []
    for name in stated:
        if name in partial:
            continue
        digest, expected = contig_digest(files.reference, name), header.md5[name]
        if digest.md5 == expected:
            verified[name] = expected
        elif digest.n_share > MASKED_SHARE:
            masked.append(name)
        elif allow_other and not files.is_cram:
            other.append(name)
        else:
            raise _other_sequence(files, name, digest.md5, expected)
    summary = f"M5 stated for {len(stated)} of {len(used)} contigs, {len(verified)} verified"
    return Checksums(verified, frozenset(masked), tuple(other)), summary


def _other_sequence(files: Files, name: str, found: str, stated: str) -> InputError:
    """Say that a contig is another sequence, and what can be done."""
    if files.is_cram:
        made = "CRAM was made with"
        mend = "as the bases of a CRAM are stored as differences from it"
    else:
        made = "reads were aligned to"
        mend = "or --allow-other-reference where this is a copy of it (masked, for example)"
    return InputError(
        f"contig {name!r} of {files.reference} is not the sequence that the {made} (md5 {found}, "
        f"the header says M5 {stated}): give that reference, {mend}"
    )


def check_bases(
    files: Files,
    contigs: Mapping[str, int],
    mapped: Mapping[str, int | None],
    regions: Sequence[Region],
    header: AlignmentHeader,
    checks: Checks,
) -> tuple[dict[str, BaseAgreement], str]:
    """Fetch some reads of each contig, which also proves that they can be decoded."""
    # CRAI lists only contigs with reads, so that None means some, and a missing number none.
    has_reads = {name: mapped.get(name, 0) != 0 for name in contigs}
    with alignments_of(files.reads, files.index, files.reference) as alignments:
        try:
            with Reference(files.reference) as reference:
                agreements = compare_bases(
                    alignments, reference, regions, contigs, has_reads=has_reads
                )
        except (OSError, ValueError) as error:
            if not files.is_cram:
                raise InputError(f"corrupt data in {files.reads}: {error}") from error
            used = [name for name in contigs if has_reads[name]]
            raise InputError(_undecodable(files, header, used)) from error
    compared = sum(a.compared for a in agreements.values())
    mismatches = sum(a.mismatches for a in agreements.values())
    rate = mismatches / max(1, compared)
    warning = divergence_warning(agreements, contigs, files.reference)
    if warning is not None:
        checks.warn("bases", warning)
    return agreements, f"{rate:.2%} of {compared:,} sampled bases differ from the reference"


def _undecodable(files: Files, header: AlignmentHeader, used: Sequence[str]) -> str:
    """Say why a CRAM with reads on the contigs `used` cannot be decoded."""
    cannot = f"{files.reads} cannot be decoded with {files.reference}"
    if all(contig_digest(files.reference, name).md5 == header.md5.get(name) for name in used):
        return (
            f"{cannot}, though that is its reference: the file is damaged, or holds reads placed "
            "over or past the end of a contig, which not every htslib decodes: make it again"
        )
    stated = some_names(header.md5.values()) or "none"
    return f"{cannot}: give the reference that the CRAM was made with (M5 of its contigs: {stated})"
