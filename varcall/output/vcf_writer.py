"""Writes .vcf, .vcf.gz and .bcf: in order, whole or not at all, and their indexes."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple, Protocol

from varcall.errors import UsageError
from varcall.formats.htslib import silent_htslib
from varcall.options import STDOUT
from varcall.output.all_sites import ALL_SITES_HEADER, Uncovered
from varcall.output.atomic import AtomicOutput, is_special, output_errors
from varcall.output.bgzf_writer import DEFAULT_LEVEL, BgzfWriter
from varcall.output.header import Phasing, header_contigs
from varcall.output.phasing import Phaser
from varcall.output.record import LineKey, line_key, vcf_pos

TBI_MAX_CONTIG = 2**29 - 1  # bases; the binning of .tbi ends at 512 Mb (SAM specification 5.1.1)
INDEX_SUFFIXES = (".tbi", ".csi")
_KINDS = {"": "v", ".vcf": "v", ".gz": "z", ".bgz": "z", ".bcf": "b"}  # by suffix
_OTHER_FORMATS = frozenset(
    ".bam .sam .cram .bai .crai .csi .tbi .fa .fasta .fna .fai .gzi .dict .fq .fastq .bed .gff "
    ".gtf .bz2 .xz .zst .lz4 .lzma .zip .z .7z .tar .csv .tsv .json .html .png .safetensors".split()
)
_CSI_MIN_SHIFT = 14  # the smallest bin is 16 kb, as in bcftools


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
