"""VCF: the record, the header, and the writer of .vcf, .vcf.gz and .bcf.

Records are formatted as text here: building a pysam record per call costs ten times as much. The
text is also what workers hand to the writer and what shards are merged from, so that a run has one
spelling, byte for byte.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple, Protocol

from varcall.errors import InputError, UsageError
from varcall.formats.htslib import silent_htslib
from varcall.formats.text import as_utf8
from varcall.options import STDOUT
from varcall.output.all_sites import ALL_SITES_HEADER, NO_ALT, Uncovered
from varcall.output.atomic import AtomicOutput, is_special, output_errors
from varcall.output.bgzf_writer import DEFAULT_LEVEL, BgzfWriter
from varcall.output.forced import FORCED, FORCED_HEADER, is_forced
from varcall.output.phase_votes import AFTER, VOTES, VOTES_HEADER
from varcall.output.phasing import Phaser

PASS = "PASS"
REF_CALL = "RefCall"
LOW_QUAL = "LowQual"
NO_CALL = "NoCall"
TBI_MAX_CONTIG = 2**29 - 1  # bases; the binning of .tbi ends at 512 Mb (SAM specification 5.1.1)
INDEX_SUFFIXES = (".tbi", ".csi")
_KINDS = {"": "v", ".vcf": "v", ".gz": "z", ".bgz": "z", ".bcf": "b"}  # by suffix
_OTHER_FORMATS = frozenset(
    ".bam .sam .cram .bai .crai .csi .tbi .fa .fasta .fna .fai .gzi .dict .fq .fastq .bed .gff "
    ".gtf .bz2 .xz .zst .lz4 .lzma .zip .z .7z .tar .csv .tsv .json .html .png .safetensors".split()
)
_CSI_MIN_SHIFT = 14  # the smallest bin is 16 kb, as in bcftools

_FIXED_HEADER = """\
##FILTER=<ID=PASS,Description="All filters passed">
##FILTER=<ID=RefCall,Description="Genotype is homozygous reference">
##FILTER=<ID=LowQual,Description="QUAL is below the threshold">
##FILTER=<ID=NoCall,Description="No genotype can be called">
##INFO=<ID=CAUSE,Number=1,Type=String,Description="Why reads show ALT, where FILTER is not PASS">
##INFO=<ID=CAUSEP,Number=1,Type=Float,Description="Probability of CAUSE">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Phred probability that GT is wrong">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Fragments that cover POS, scaled where capped">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Fragments of each allele, scaled as DP">
##FORMAT=<ID=ADF,Number=R,Type=Integer,Description="Forward fragments of each allele">
##FORMAT=<ID=ADR,Number=R,Type=Integer,Description="Reverse fragments of each allele">
##FORMAT=<ID=VAF,Number=A,Type=Float,Description="AD of each ALT as a fraction of DP">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="Phred genotype likelihoods, GT at 0">
##FORMAT=<ID=GL,Number=G,Type=Float,Description="log10 genotype likelihoods">
"""
_PHASE_SET = '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set: POS of its first {}">\n'
PHASING_HEADER = "##varcall_phasing=<join_mnvs="
LineKey = tuple[int, str, str, str]
"""What lines are sorted by: POS, REF, ALT, the line; nothing behind POS where it was given."""
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
_FORMAT = "GT:GQ:DP:AD:ADF:ADR:VAF:PL"
_LAST_REF = "~"  # behind all letters
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER_CONTIG = re.compile(r"^##contig=<ID=([^,>]+)(?:,length=(\d+))?", re.MULTILINE)
_CONTIG_NAME = re.compile(r'[^\s\x00-\x1f\x7f<>,"*=][^\s\x00-\x1f\x7f<>,"]*')


def described(*names: str) -> str:
    """Return the header lines of FILTER, INFO and FORMAT fields of a call, by their IDs."""
    lines = _FIXED_HEADER.splitlines(keepends=True)
    return "".join(line for line in lines if line.split("ID=")[1].split(",")[0] in names)


def vcf_pos(start: int) -> int:
    """Return the 1-based POS of a 0-based start."""
    return start + 1


def start_of_pos(pos: int) -> int:
    """Return the 0-based start of a 1-based POS."""
    return pos - 1


def escape_control(text: str) -> str:
    """Percent-encode control characters, which would break a line (VCF 4.3, section 1.2).

    Bytes of a path that are no UTF-8 are treated alike: a VCF is UTF-8 text (section 1.1).
    """
    return _CONTROL.sub(lambda found: f"%{ord(found.group()):02X}", as_utf8(text))


def quote(text: str) -> str:
    """Write text as a quoted value of a structured header line (VCF 4.3, section 1.4)."""
    return '"' + escape_control(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class VariantRecord(NamedTuple):
    """One record of one sample.

    Attributes
    ----------
    contig, start, ref, alts
        The site: 0-based start; at least one ALT.
    qual, filter
        phred P(hom-ref), and one of PASS, RefCall, LowQual, NoCall.
    gt
        Allele of each copy of the contig, None where not called.
    gq, dp
        Genotype quality and depth.
    ad, adf, adr
        Reads of each allele, REF first: all, forward, reverse.
    pl
        Phred genotype likelihoods in VCF order.
    gl
        log10 genotype likelihoods in VCF order; None leaves the field out.
    phase_set
        0-based start of the first site that `gt` is phased with, its alleles then in the order of
        the haplotypes; None where it is not phased.
    cause
        Why reads show ALT, in words, and the probability of that; None where it was not asked.
    votes, after
        What fragments show, to phase the record by, and the reference bases after its start, to
        join it to an MNV with (`varcall.output.phase_votes`); None where that is not wanted.
    name
        What stands in ID.
    is_given
        Whether the record was asked for: it stands as it was given, and before others of its POS.
    """

    contig: str
    start: int
    ref: str
    alts: tuple[str, ...]
    qual: float
    filter: str
    gt: tuple[int | None, ...]
    gq: int
    dp: int
    ad: tuple[int, ...]
    adf: tuple[int, ...]
    adr: tuple[int, ...]
    pl: tuple[int, ...]
    gl: tuple[float, ...] | None = None
    phase_set: int | None = None
    cause: tuple[str, float] | None = None
    votes: str | None = None
    after: str | None = None
    name: str = "."
    is_given: bool = False

    @property
    def vaf(self) -> tuple[float, ...]:
        """Fraction of `dp` that supports each ALT."""
        return tuple([_fraction(count, self.dp) for count in self.ad[1:]])


def _fraction(count: int, depth: int) -> float:
    return count / depth if depth else 0.0


# Half of a record's time would go into text of the same few counts, which come again and again.
@lru_cache(maxsize=1 << 14)
def _fraction_text(count: int, depth: int) -> str:
    return f"{round(_fraction(count, depth), 4):g}"


def _integers(values: Sequence[int]) -> str:
    return ",".join([f"{value}" for value in values]) or "."


@lru_cache(maxsize=1 << 14)
def _counts_text(counts: tuple[int, ...]) -> str:
    return _integers(counts)


def format_record(record: VariantRecord) -> str:
    r"""Return the line of a record, "\n" included.

    Floats have at most six digits, as htslib prints them, so a BCF round trip keeps the text.
    """
    separator = "/" if record.phase_set is None else "|"
    gt = separator.join(["." if allele is None else str(allele) for allele in record.gt])
    vaf = ",".join([_fraction_text(count, record.dp) for count in record.ad[1:]]) or "."
    if record.gl is None:
        names, likelihoods = _FORMAT, _integers(record.pl)
    else:
        names = _FORMAT + ":GL"
        logs = ",".join([f"{round(log, 3) + 0.0:g}" for log in record.gl]) or "."
        likelihoods = f"{_integers(record.pl)}:{logs}"
    if record.phase_set is not None:
        names += ":PS"
        likelihoods += f":{vcf_pos(record.phase_set)}"
    return (
        f"{record.contig}\t{vcf_pos(record.start)}\t{record.name}\t{record.ref}\t"
        f"{','.join(record.alts) or '.'}\t"
        f"{record.qual:g}\t{record.filter}\t{_info_text(record)}\t{names}\t{gt}:{record.gq}:{record.dp}:"
        f"{_counts_text(record.ad)}:{_counts_text(record.adf)}:{_counts_text(record.adr)}:{vaf}:"
        f"{likelihoods}\n"
    )


def _info_text(record: VariantRecord) -> str:
    fields = [FORCED] if record.is_given else []
    if record.cause is not None:
        fields.append(_cause_text(*record.cause))
    if record.votes is not None:
        fields.append(f"{VOTES}={record.votes}")
    if record.after is not None:
        fields.append(f"{AFTER}={record.after}")
    return ";".join(fields) or "."


def _cause_text(cause: str, probability: float) -> str:
    # An INFO value has no spaces (VCF 4.3, section 1.6.1.8).
    return f"CAUSE={cause.strip().replace(' ', '_')};CAUSEP={round(probability, 2):g}"


def line_key(line: str) -> tuple[str, LineKey]:
    """Return the contig of a record's line, and what lines of one contig are sorted by.

    Given records of one POS have equal keys, before all others: they stay as they were given. A
    base as in the reference comes last: a variant that starts there leaves it out (`Uncovered`).
    """
    contig, pos, _, ref, alts, _, _, info, _ = line.split("\t", 8)
    if is_forced(info):
        return contig, (int(pos), "", "", "")
    if alts == NO_ALT:
        return contig, (int(pos), _LAST_REF, "", "")
    return contig, (int(pos), ref, alts, line)


def header_contigs(header: str) -> list[tuple[str, int]]:
    """Return name and length (0 where not stated) of the contigs of a header text, in order."""
    return [(name, int(length or 0)) for name, length in _HEADER_CONTIG.findall(header)]


@dataclass(frozen=True, slots=True)
class HeaderContig:
    """A `##contig` line: name, length in bases, MD5 of the upper-case sequence where known."""

    name: str
    length: int
    md5: str | None = None

    def __post_init__(self) -> None:
        if not _CONTIG_NAME.fullmatch(self.name):
            raise InputError(
                f"contig name {self.name!r} cannot be written in a VCF; rename it in the "
                "reference and in the reads"
            )


@dataclass(frozen=True, slots=True)
class HeaderShard:
    """The part of a run that a file holds: 1-based `index` of `count`; `varcall merge` drops it."""

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Phasing:
    """That all records are phased; SNVs at most `join_mnvs` bases apart (0: none) are joined."""

    join_mnvs: int = 0


@dataclass(frozen=True, slots=True)
class VcfHeader:
    """Everything above the records.

    Attributes
    ----------
    contigs
        All contigs of the reference, in its order.
    sample
        Name of the one sample.
    provenance
        Whole lines from `varcall.output.provenance.header_lines`.
    shard
        Set when the file holds one shard of a run.
    phasing
        How all records are phased; None where only those that overlap are.
    gvcf
        Whole lines that a gVCF has beside a VCF's.
    has_given
        Whether records stand there because they were asked for.
    all_sites
        Whether bases as in the reference have records.
    """

    contigs: tuple[HeaderContig, ...]
    sample: str
    provenance: tuple[str, ...] = ()
    shard: HeaderShard | None = None
    phasing: Phasing | None = None
    gvcf: str = ""
    has_given: bool = False
    all_sites: bool = False

    def text(self) -> str:
        """Return the header's lines, the column line included."""
        contigs = [
            f"##contig=<ID={contig.name},length={contig.length}"
            + (f",md5={contig.md5}>\n" if contig.md5 else ">\n")
            for contig in self.contigs
        ]
        shard, phasing = self.shard, self.phasing
        first = "overlapping site" if phasing is None else "heterozygous record"
        # The records of a shard are phased when it is merged with the others.
        is_waiting = shard is not None and phasing is not None
        return "".join(
            [
                "##fileformat=VCFv4.2\n",
                _FIXED_HEADER,
                _PHASE_SET.format(first),
                VOTES_HEADER if is_waiting else "",
                self.gvcf,
                FORCED_HEADER if self.has_given else "",
                ALL_SITES_HEADER if self.all_sites else "",
                *[line + "\n" for line in self.provenance],
                f"##varcall_shard=<index={shard.index},count={shard.count}>\n" if shard else "",
                f"{PHASING_HEADER}{phasing.join_mnvs}>\n" if phasing and is_waiting else "",
                *contigs,
                f"{COLUMNS}\t{escape_control(self.sample)}\n",
            ]
        )


@dataclass(frozen=True, slots=True)
class OutputType:
    """How a VCF is written: `kind` v (text), z (BGZF), u (uncompressed BCF) or b (BCF)."""

    kind: str
    level: int | None = None

    @classmethod
    def of(cls, path: str, wanted: str | None = None) -> OutputType:
        """Return the output type asked for by -O, or by the suffix of `path` when it is None.

        Raises
        ------
        UsageError
            When `wanted` is no output type or contradicts a suffix of `path`, or that suffix is
            none of VCF's: what reads the file by its name would take it for something else.
        """
        suffix = "" if path == STDOUT or is_special(path) else PurePath(path).suffix
        if wanted is None:
            if suffix not in _KINDS:
                raise UsageError(
                    f"the name {path} ends in none of .vcf, .vcf.gz, .vcf.bgz, .bcf (lower case): "
                    "rename the output, or say with -O v, z or b what to write"
                )
            return cls(_KINDS[suffix])
        if suffix.lower() in _OTHER_FORMATS:
            raise UsageError(
                f"{path} has the name of another kind of file: let the output end in .vcf, "
                ".vcf.gz, .vcf.bgz or .bcf"
            )
        by_suffix = _KINDS.get(suffix.lower(), "v")
        match = re.fullmatch(r"([vu])|([zb])([0-9]?)", wanted)
        if not match:
            raise UsageError(
                f"output type {wanted!r} is none of v, z[0-9], u, b[0-9]; use -O z for .vcf.gz"
            )
        kind = match[1] or match[2]
        if by_suffix not in ("v", kind) and (by_suffix, kind) != ("b", "u"):
            raise UsageError(
                f"output type {wanted} contradicts the name {path}; leave -O out or rename it"
            )
        return cls(kind, int(match[3]) if match[3] else None)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class VcfWriter:
    """Writes the lines of records in order; made by `open_vcf`.

    Parameters
    ----------
    sink
        Takes the bytes of the text.
    header
        Header text, with the contigs in the order of the records.
    phaser
        Phases the records; None writes them as they are.
    """

    def __init__(self, sink: _Sink, header: str, phaser: Phaser | None = None) -> None:
        self._sink = sink
        self._phaser = phaser
        self._uncovered = Uncovered() if ALL_SITES_HEADER in header else None
        self._rank = {name: rank for rank, (name, _) in enumerate(header_contigs(header))}
        self._contig: str | None = None
        self._pending: list[tuple[LineKey, str]] = []
        self._written_pos = 0
        sink.write(header.encode())

    def write_window(self, lines: Iterable[str], *, contig: str, end: int) -> None:
        """Write the lines of the next window, sorted.

        Trimming may move a record to the right, beyond the window that found it. Such a record
        waits for the window that reaches it.

        Parameters
        ----------
        lines
            Lines of `format_record`, all on `contig`, in any order.
        contig, end
            The window's contig and end (0-based, exclusive). Windows come in header order.

        Raises
        ------
        ValueError
            When a window or a record comes too late to stand in order.
        """
        if contig != self._contig:
            self.drain()
            if self._contig is not None and self._rank[contig] < self._rank[self._contig]:
                raise ValueError(f"window of {contig} after one of {self._contig}")
            self._contig, self._written_pos = contig, 0
        self._pending += [(line_key(line)[1], line) for line in lines]
        self._pending.sort(key=itemgetter(0))
        limit = vcf_pos(end)
        ready = [keyed for keyed in self._pending if keyed[0][0] < limit]
        self._pending = self._pending[len(ready) :]
        self._write(ready)

    def drain(self) -> None:
        """Write the records that still wait for a later window."""
        self._write(self._pending)
        self._pending = []

    def close(self) -> None:
        """Write all records that still wait; none may follow."""
        self.drain()
        if self._phaser is not None:
            self._sink.write("".join(self._phaser.flush()).encode())

    def write_sorted(self, lines: Iterable[str]) -> None:
        """Write lines that are already in the order of the file."""
        for line in lines:
            self._put([line])

    def write_reference_blocks(self, text: bytes) -> None:
        """Write lines of reference blocks, whole, which come next in the order of the file."""
        if self._phaser is not None and text:
            text = "".join(self._phaser.push_blocks(text.decode())).encode()
        self._sink.write(text)

    def write_blocks(self, blocks: bytes) -> None:
        """Write lines, in the order of the file, that are blocks of BGZF already.

        Raises
        ------
        TypeError
            The output is no BGZF.
        """
        if not isinstance(self._sink, BgzfWriter):
            raise TypeError("blocks are for .vcf.gz only")
        self._sink.write_blocks(blocks)

    def _write(self, keyed: Sequence[tuple[LineKey, str]]) -> None:
        if not keyed:
            return
        first, last = keyed[0][0][0], keyed[-1][0][0]
        if first < self._written_pos:
            raise ValueError(f"record {self._contig}:{first} after its place was written")
        self._written_pos = last
        self._put([line for _, line in keyed])

    def _put(self, lines: Iterable[str]) -> None:
        if self._uncovered is not None:
            lines = self._uncovered.of(lines)
        if self._phaser is not None:
            push = self._phaser.push
            lines = [ready for line in lines for ready in push(line)]
        self._sink.write("".join(lines).encode())


@contextmanager
def write_vcf(sink: _Sink, header: str, phasing: Phasing | None = None) -> Iterator[VcfWriter]:
    """Write a VCF's text into what takes bytes: all of it at the end of the block.

    `phasing` says how the records, which carry votes, are phased; None writes them as they are.
    """
    writer = VcfWriter(sink, header, None if phasing is None else Phaser(phasing.join_mnvs))
    yield writer
    writer.close()


@contextmanager
def open_vcf(
    path: str,
    header: str,
    output_type: OutputType | None = None,
    *,
    write_index: bool = True,
    phasing: Phasing | None = None,
) -> Iterator[VcfWriter]:
    """Open a VCF for writing: complete and indexed at the end of the block, or absent.

    Parameters
    ----------
    path
        Output path, or "-" for standard output (neither atomic nor indexed).
    header
        Header text, `VcfHeader.text()`.
    output_type
        None for the type that the suffix of `path` names.
    write_index
        Write `.tbi` beside a .vcf.gz (`.csi` when a contig is longer than 512 Mb) and `.csi`
        beside a .bcf.
    phasing
        How the records, which carry votes, are phased; None writes them as they are.

    Raises
    ------
    OutputError
        When the output cannot be written.
    """
    output_type = output_type or OutputType.of(path)
    if path == STDOUT:
        with (
            output_errors("standard output"),
            _open_sink(path, output_type) as sink,
            write_vcf(sink, header, phasing) as writer,
        ):
            yield writer
        return
    with staged_vcf(path, header, output_type, phasing=phasing) as staged:
        yield staged.writer
        staged.close()
        job = staged.index_job() if write_index else None
        if job is not None:
            build_index(job)


class IndexJob(NamedTuple):
    """An index to be made by `build_index`: of a complete file, at a path, as .csi or .tbi."""

    vcf: Path
    target: Path
    is_bcf: bool
    is_csi: bool


@dataclass(slots=True)
class StagedVcf:
    """A VCF that is being written, for `staged_vcf`."""

    writer: VcfWriter
    close: Callable[[], None]  # writes what is left
    _output: AtomicOutput
    _output_type: OutputType
    _longest: int

    def index_job(self) -> IndexJob | None:
        """Name the index that belongs to the VCF, once that is closed; None where none can be."""
        kind = self._output_type.kind
        if kind not in "zb" or is_special(self._output.path):
            return None
        is_csi = kind == "b" or self._longest > TBI_MAX_CONTIG
        target = self._output.companion(".csi" if is_csi else ".tbi")
        return IndexJob(self._output.path, target, kind == "b", is_csi)


@contextmanager
def staged_vcf(
    path: str, header: str, output_type: OutputType, *, phasing: Phasing | None = None
) -> Iterator[StagedVcf]:
    """Open a VCF file for writing: complete at the end of the block, or absent.

    The block may close it before its end, to make the index.
    """
    longest = max([length for _, length in header_contigs(header)], default=0)
    with AtomicOutput(path, INDEX_SUFFIXES) as output, ExitStack() as stack:
        sink = stack.enter_context(_open_sink(str(output.path), output_type))
        writer = stack.enter_context(write_vcf(sink, header, phasing))
        yield StagedVcf(writer, stack.close, output, output_type, longest)


@contextmanager
def _open_sink(path: str, output_type: OutputType) -> Iterator[_Sink]:
    if output_type.kind in "ub":
        with _bcf_sink(path, output_type) as sink:
            yield sink
        return
    with _open_stream(path) as stream:
        if output_type.kind == "z":
            level = output_type.level
            blocks = BgzfWriter(stream, DEFAULT_LEVEL if level is None else level)
            yield blocks
            blocks.close()
        else:
            yield stream


@contextmanager
def _open_stream(path: str) -> Iterator[BinaryIO]:
    with nullcontext(sys.stdout.buffer) if path == STDOUT else open(path, "wb") as stream:
        yield stream
        stream.flush()


@contextmanager
def _bcf_sink(path: str, output_type: OutputType) -> Iterator[_Sink]:
    """Collect the text in a temporary file and convert it when it is complete.

    pysam makes BCF from a file only, and hides a closed pipe; so what goes to a pipe or a device
    is converted into a second file and copied.
    """
    is_stream = path == STDOUT or is_special(path)
    folder = None if is_stream else os.path.dirname(path)
    with _scratch_file(folder) as text_path:
        with open(text_path, "wb") as text:
            yield text
        if is_stream:
            with _scratch_file(None) as bcf_path:
                _convert_to_bcf(text_path, bcf_path, output_type)
                with open(bcf_path, "rb") as bcf, _open_stream(path) as stream:
                    shutil.copyfileobj(bcf, stream)
        else:
            _convert_to_bcf(text_path, path, output_type)


@contextmanager
def _scratch_file(folder: str | None) -> Iterator[str]:
    descriptor, path = tempfile.mkstemp(dir=folder, prefix=".varcall.", suffix=".tmp")
    os.close(descriptor)
    try:
        yield path
    finally:
        os.unlink(path)


def _convert_to_bcf(text_path: str, path: str, output_type: OutputType) -> None:
    import pysam

    level = 0 if output_type.kind == "u" else output_type.level
    mode = "wb" if level is None else f"wb{level}"
    with silent_htslib(), pysam.VariantFile(text_path, "r") as source:
        target = pysam.VariantFile(path, mode, header=source.header)
        try:
            for record in source:
                target.write(record)
        except OSError:
            # Without this pysam closes it when it is collected, and prints that this fails too.
            with suppress(OSError):
                target.close()
            raise
        target.close()


def build_index(job: IndexJob) -> None:
    """Make the index of a VCF."""
    import pysam

    with silent_htslib():
        pysam.tabix_index(
            str(job.vcf),
            # pysam's stub does not know the preset "bcf"
            preset="bcf" if job.is_bcf else "vcf",  # type: ignore[arg-type]
            index=str(job.target),
            csi=job.is_csi,
            min_shift=_CSI_MIN_SHIFT if job.is_csi else -1,
            force=True,
            keep_original=True,
        )
