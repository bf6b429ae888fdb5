"""Merge the shards of one run into the file that the unsharded run would have written.

Shards carry `##varcall_shard=<index=I,count=N>`; all N must be there once, and the rest of their
headers must be equal. Files without that line (runs over several regions) may be merged as well;
their headers must be equal but for `##varcall_command`, and every command is kept. Of gVCFs the
reference blocks are joined where two of them meet.
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from varcall.errors import InputError, UsageError
from varcall.formats.bgzf import GZIP_MAGIC, BgzfFile, is_bgzf
from varcall.formats.text import open_text
from varcall.options import STDOUT
from varcall.output.atomic import check_writable
from varcall.output.checks import check_outputs, vcf_inputs, vcf_outputs
from varcall.output.gvcf import GvcfFormat, joined_lines, with_level
from varcall.output.header import PHASING_HEADER, Phasing, header_contigs
from varcall.output.phase_votes import VOTES_HEADER
from varcall.output.record import LineKey, line_key
from varcall.output.vcf_writer import OutputType, open_vcf

_SHARD = re.compile(r"##varcall_shard=<index=(\d+),count=(\d+)>\n")
_COMMAND = "##varcall_command="
_BCF_MAGIC = b"BCF"
_QUOTED = 200  # characters of a line that a message shows
# Rank of the contig and key of a line; the line; the input it came from.
_Keyed = tuple[tuple[int, LineKey], str, Path]
_MAX_HEADER_LINES = 2_000_000  # a reference of a million contigs has half of that


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """Options of `varcall merge`.

    Attributes
    ----------
    inputs
        VCF or BCF files of one run, in any order.
    output
        Output path, or "-" for standard output.
    output_type
        v, z[0-9], u or b[0-9]; None for the type that the suffix names.
    write_index
        Index a .vcf.gz or .bcf output.
    """

    inputs: tuple[Path, ...]
    output: str = STDOUT
    output_type: str | None = None
    write_index: bool = True


@dataclass(frozen=True, slots=True)
class _Shard:
    """The header of one input: its lines, and which shard it is (None: not said)."""

    path: Path
    lines: tuple[str, ...]
    place: tuple[int, int] | None

    @property
    def run(self) -> tuple[str, ...]:
        """The lines that all inputs must share."""
        return tuple(
            line
            for line in self.lines
            if not (_SHARD.match(line) or (self.place is None and line.startswith(_COMMAND)))
        )


def merge_shards(options: MergeOptions) -> None:
    """Merge shards into one sorted file; see the module's docstring.

    Raises
    ------
    InputError
        When an input is unreadable, cut, unsorted or of another run, or a shard is missing.
    OutputError
        When the output cannot be written.
    """
    output_type = OutputType.of(options.output, options.output_type)
    if not options.inputs:
        raise UsageError("nothing to merge: name the shards' VCF files")
    check_outputs(vcf_outputs("--output", options.output), vcf_inputs("an input", *options.inputs))
    check_writable(options.output)
    shards = [_read_header(path) for path in options.inputs]
    _check_one_run(shards)
    _check_places(shards)
    header = _merged_header(shards)
    rank = {name: rank for rank, (name, _) in enumerate(header_contigs(header))}
    streams = [_records(path, rank) for path in options.inputs]
    lines = _merged_lines(streams)
    spelled = GvcfFormat.of_header(header)
    if spelled is not None:
        output_type, lines = with_level(output_type), joined_lines(lines, spelled)
    with open_vcf(
        options.output,
        header,
        output_type,
        write_index=options.write_index,
        phasing=_phasing_of(shards[0].lines),
    ) as writer:
        writer.write_sorted(lines)


def _merged_header(shards: Sequence[_Shard]) -> str:
    """Return the header of the unsharded run: the first one's, with every distinct command."""
    commands = list(
        dict.fromkeys(line for shard in shards for line in shard.lines if _is_command(line))
    )
    lines: list[str] = []
    for line in shards[0].lines:
        if _is_command(line):
            lines += commands
            commands = []
        elif not (_SHARD.match(line) or _is_of_votes(line)):
            lines.append(line)
    return "".join(lines)


def _is_of_votes(line: str) -> bool:
    """Return whether a header line is about records that are yet to be phased."""
    return line in VOTES_HEADER or line.startswith(PHASING_HEADER)


def _phasing_of(lines: Sequence[str]) -> Phasing | None:
    """Return how records of these header lines are to be phased; None where they are not."""
    for line in lines:
        if line.startswith(PHASING_HEADER):
            return Phasing(int(line[len(PHASING_HEADER) :].rstrip(">\n")))
    return None


def _is_command(line: str) -> bool:
    return line.startswith(_COMMAND)


def _check_one_run(shards: Sequence[_Shard]) -> None:
    first = shards[0]
    for other in shards[1:]:
        if (first.place is None) != (other.place is None):
            raise InputError(
                f"one of {first.path} and {other.path} is a shard and the other is not; "
                "merge only files of one run"
            )
        if first.run != other.run:
            shared = set(first.run) & set(other.run)
            differing = [line for line in (*first.run, *other.run) if line not in shared]
            line = differing[0].strip() if differing else "the order of lines"
            raise InputError(
                f"{other.path} is not of the same run as {first.path}: headers differ at "
                f"{line[:_QUOTED]!r}; call all shards with the same inputs and options"
            )


def _check_places(shards: Sequence[_Shard]) -> None:
    """Check that shards 1..N of N are there, each once."""
    places = [shard.place for shard in shards if shard.place is not None]
    if not places:
        return
    counts = sorted({count for _, count in places})
    if len(counts) > 1:
        raise InputError(
            f"shards of {counts[0]} and of {counts[1]} do not go together; merge one run's shards"
        )
    found = Counter(index for index, _ in places)
    missing = [index for index in range(1, counts[0] + 1) if index not in found]
    if missing:
        raise InputError(f"shard {missing[0]}/{counts[0]} is missing; name all shards of the run")
    (index, times), *_ = found.most_common(1)
    if times > 1:
        raise InputError(f"shard {index}/{counts[0]} is given {times} times; name each shard once")


def _read_header(path: Path) -> _Shard:
    lines: list[str] = []
    with closing(_lines(path)) as stream:
        for line in stream:
            lines.append(line)
            if not line.startswith("##") or len(lines) > _MAX_HEADER_LINES:
                break
    if not lines or not lines[-1].startswith("#CHROM\t"):
        raise InputError(f"{path} has no complete VCF header; give files written by varcall call")
    places = [match for match in map(_SHARD.match, lines) if match]
    place = (int(places[0][1]), int(places[0][2])) if places else None
    return _Shard(path, tuple(lines), place)


def _lines(path: Path) -> Generator[str, None, None]:
    """Yield the lines of a VCF or BCF, header included; a cut or corrupt file is an error."""
    try:
        if _is_bcf(path):
            yield from _bcf_lines(path)
        else:
            with open_text(path, newline="\n") as stream:
                yield from _complete_lines(path, stream)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; check the name") from error
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; write that shard again") from error


def _complete_lines(path: Path, stream: Iterable[str]) -> Iterator[str]:
    for line in stream:
        if not line.endswith("\n"):
            raise InputError(f"{path} ends in the middle of a line; write that shard again")
        yield line


def _is_bcf(path: Path) -> bool:
    """Check a compressed file for completeness, and return whether it holds BCF."""
    with path.open("rb") as stream:
        start = stream.read(len(_BCF_MAGIC))
    if start[: len(GZIP_MAGIC)] != GZIP_MAGIC:
        return start == _BCF_MAGIC
    if not is_bgzf(path):
        raise InputError(f"{path} is gzip, not BGZF; recompress it with bgzip")
    with BgzfFile(path) as blocks:
        if not blocks.has_eof_block:
            raise InputError(f"{path} is cut: it has no end-of-file block; write it again")
        return blocks.block(0).data.startswith(_BCF_MAGIC)


def _bcf_lines(path: Path) -> Iterator[str]:
    import pysam

    with pysam.VariantFile(str(path), "r") as source:
        yield from str(source.header).splitlines(keepends=True)
        for record in source:
            yield str(record)


def _records(path: Path, rank: Mapping[str, int]) -> Iterator[_Keyed]:
    """Yield the records of one input, checked to be in order."""
    last: tuple[int, LineKey] | None = None
    for line in _lines(path):
        if line.startswith("#"):
            continue
        try:
            contig, key = line_key(line)
            place = (rank[contig], key)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{path} has a record that does not fit its header: {line[:_QUOTED].strip()!r}; "
                "write that shard again"
            ) from error
        if last is not None and place < last:
            raise InputError(f"{path} is not sorted at {contig}:{key[0]}; write that shard again")
        last = place
        yield place, line, path


def _merged_lines(streams: Sequence[Iterator[_Keyed]]) -> Iterator[str]:
    """Yield the lines of all inputs in order; the same record in two of them is an error."""
    before: _Keyed | None = None
    for keyed in heapq.merge(*streams, key=itemgetter(0)):
        (contig, key), line, path = keyed
        if before and path != before[2] and (contig, key[:3]) == (before[0][0], before[0][1][:3]):
            ref, alts = line.split("\t", 5)[3:5]
            raise InputError(
                f"{before[2]} and {path} both hold the record at POS {key[0]} ({ref} to "
                f"{alts}); merge files of regions that do not overlap"
            )
        before = keyed
        yield line
