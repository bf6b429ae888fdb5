"""gVCF: reference blocks between the variant records, joined over windows and shards.

Every base of the called regions lies in one reference block, or in the REF of variant records.
A block's bases are in one band of GQ; blocks that meet, of one band, are one block. So wherever the
bases were cut in between, the joined blocks are the same: the least sure base of the parts is that
of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from pileup.kernels.hom_ref.rows import LONGEST_NUMBER, N_NUMBERS, write_rows
from pileup.kernels.hom_ref.runs import END, MAX_GQ, N_COLUMNS, START, join_blocks
from varcall.errors import InputError
from varcall.output.record import LineKey, line_key, start_of_pos, vcf_pos
from varcall.output.vcf_writer import OutputType, VcfWriter

Blocks = NDArray[np.int32]
"""Rows of `pileup.kernels.hom_ref.runs`, int32 [n, N_COLUMNS]."""

HEAD = 128
"""The first bases of a window that make a block each: records reach no farther beyond a window."""

LEVEL = 4
"""Of deflate: 3 in 100 larger than at the level of a VCF, in half of the time."""

UNSEEN = {"*": "<*>", "NON_REF": "<NON_REF>"}
"""The allele that stands for all others, by what `--gvcf-alt` calls it: as bcftools and DeepVariant
spell it (VCF 4.3, section 5.5), and as GATK does."""

_HEADER = """\
##ALT=<ID={alt},Description="Any allele that is not named">
##INFO=<ID=END,Number=1,Type=Integer,Description="Last position of a reference block">
##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="Lowest DP of a reference block">
##varcall_gvcf=<alt={alt},gq_bands={width}>
"""
_STATED = re.compile(r"^##varcall_gvcf=<alt=([^,]+),gq_bands=(\d+)>$", re.MULTILINE)
_BLOCK_FORMAT = "GT:GQ:MIN_DP:PL"
_PIECES = ("\t.\t", "\t{unseen}\t.\t.\tEND=", f"\t{_BLOCK_FORMAT}\t", ".:", "0:", "./.:", "0/0:")


@dataclass(frozen=True, slots=True)
class GqBands:
    """Bands of GQ: 0, then 1 to `width`, `width` + 1 to 2 `width`, and so on."""

    width: int

    @property
    def band(self) -> NDArray[np.int64]:
        """The band of each GQ, int64 [MAX_GQ + 1]."""
        return self.of_gq(np.arange(MAX_GQ + 1)).astype(np.int64)

    @property
    def top(self) -> NDArray[np.int64]:
        """The highest GQ of each band, int64."""
        tops = np.arange(int(self.band[-1]) + 1, dtype=np.int64) * self.width
        return np.minimum(tops, MAX_GQ)

    def of_gq(self, gq: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the band of each of n values, which may be out of range: uint8 [n]."""
        # NumPy divides many bytes at once; a look-up would take five times as long.
        within = np.clip(gq, 0, MAX_GQ).astype(np.uint8)
        return np.asarray((within + np.uint8(self.width - 1)) // np.uint8(self.width))


@dataclass(frozen=True, slots=True)
class GvcfFormat:
    """How a gVCF is spelled: the name of the unseen allele (a key of UNSEEN), and its bands."""

    alt: str
    bands: GqBands

    @classmethod
    def of_header(cls, header: str) -> GvcfFormat | None:
        """Read it in the header of a gVCF of varcall; None where that is a VCF."""
        stated = _STATED.search(header)
        return None if stated is None else cls(stated[1], GqBands(int(stated[2])))

    @property
    def allele(self) -> str:
        """The unseen allele."""
        return UNSEEN[self.alt]

    def header_lines(self) -> str:
        """Return what the header has beside a VCF's."""
        return _HEADER.format(alt=self.alt, width=self.bands.width)

    def lines(self, contig: str, blocks: Blocks) -> tuple[bytes, list[int]]:
        """Return the text of blocks, and where in it each line ends."""
        pieces = [f"{contig}\t", *(piece.format(unseen=self.allele) for piece in _PIECES)]
        encoded = [piece.encode() for piece in pieces]
        sizes = [len(piece) for piece in encoded]
        offset = np.concatenate([[0], np.cumsum(sizes)])
        longest = sum(sizes) + (N_NUMBERS + 1) * LONGEST_NUMBER
        text = np.empty(len(blocks) * longest, np.uint8)
        ends = np.zeros(len(blocks), np.int64)
        letters = np.frombuffer(b"".join(encoded), np.uint8)
        write_rows(blocks, letters, offset, text, ends)
        return text[: int(ends[-1]) if len(ends) else 0].tobytes(), ends.tolist()


def with_level(output_type: OutputType) -> OutputType:
    """Return the type with the level of a gVCF, where none was asked for."""
    if output_type.kind == "z" and output_type.level is None:
        return replace(output_type, level=LEVEL)
    return output_type


class GvcfWriter:
    """Writes windows in order: their variant records, and the blocks between these.

    Parameters
    ----------
    writer
        Of the file.
    spelled
        How.
    apart
        Contig, and the position up to which blocks stay as they are: the first HEAD bases of a
        shard, into which records of the shard before may reach. None where there is none before.
    """

    def __init__(
        self, writer: VcfWriter, spelled: GvcfFormat, apart: tuple[str, int] | None = None
    ) -> None:
        self._writer = writer
        self._spelled = spelled
        self._apart = apart
        self._contig: str | None = None
        self._waiting: list[LineKey] = []
        self._last = np.zeros((0, N_COLUMNS), np.int32)
        # Of records that reach beyond the windows so far.
        self._reaching: list[tuple[int, int]] = []

    def write_window(self, lines: Iterable[str], blocks: Blocks, *, contig: str, end: int) -> None:
        """Write a window: records in any order, and blocks that leave out what these cover.

        The last block waits for the next window, and so do the records behind it.

        Parameters
        ----------
        contig, end
            The window's contig and end (0-based, exclusive). Windows come in header order.
        """
        if contig != self._contig:
            self.drain()
            self._contig, self._reaching = contig, []
        keys = sorted(line_key(line)[1] for line in lines)
        blocks = np.concatenate([self._last, _without(blocks, self._reaching)])
        apart = self._apart[1] if self._apart and self._apart[0] == contig else -1
        blocks = blocks[: join_blocks(blocks, self._spelled.bands.band, apart)]
        self._waiting = sorted([*self._waiting, *keys])
        self._last, blocks = blocks[-1:], blocks[:-1]
        limit = vcf_pos(int(self._last[0, START]) if len(self._last) else end)
        ready = [key for key in self._waiting if key[0] < limit]
        self._waiting = self._waiting[len(ready) :]
        self._write(ready, blocks)
        spans = [*self._reaching, *map(_span, keys)]
        self._reaching = [span for span in spans if span[1] > end]

    def drain(self) -> None:
        """Write what still waits for a later window."""
        waiting, self._waiting = self._waiting, []
        blocks, self._last = self._last, self._last[:0]
        self._write(waiting, blocks)

    def _write(self, keys: Sequence[LineKey], blocks: Blocks) -> None:
        if self._contig is None:
            return
        text, ends = self._spelled.lines(self._contig, blocks)
        starts = blocks[:, START]
        before = np.searchsorted(starts, [start_of_pos(key[0]) for key in keys])
        done = 0
        for key, number in zip(keys, before.tolist(), strict=True):
            upto = ends[number - 1] if number else 0
            self._writer.write_reference_blocks(text[done:upto])
            self._writer.write_sorted([key[-1]])
            done = upto
        self._writer.write_reference_blocks(text[done:])


def _span(key: LineKey) -> tuple[int, int]:
    start = start_of_pos(key[0])
    return start, start + len(key[1])


def _without(blocks: Blocks, spans: Sequence[tuple[int, int]]) -> Blocks:
    """Leave out the blocks that lie in one of the spans."""
    for start, end in spans:
        blocks = blocks[(blocks[:, START] < start) | (blocks[:, END] > end)]
    return blocks


def joined_lines(lines: Iterable[str], spelled: GvcfFormat) -> Iterator[str]:
    """Join the blocks of lines in the order of a gVCF, of shards or of regions side by side.

    Raises
    ------
    InputError
        A record reaches into a longer block of another file.
    """
    last: _Line | None = None
    reach = 0
    parsed = (_Line(line, spelled.allele) for line in lines)
    for (contig, _), group in groupby(parsed, key=lambda line: (line.contig, line.start)):
        members = list(group)
        if last is not None and last.contig != contig:
            yield last.text()
            last, reach = None, 0
        blocks = [line for line in members if line.is_block]
        records = [line for line in members if not line.is_block]
        if records and last is not None:
            yield last.text()
            last = None
        yield from (record.line for record in records)
        reach = max([reach, *(record.end for record in records)])
        for block in blocks:
            if block.start < reach:
                block.check_covered(reach)
            elif last is not None and last.may_join(block, spelled.bands.band):
                last.join(block)
            else:
                if last is not None:
                    yield last.text()
                last = block
    if last is not None:
        yield last.text()


class _Line:
    """A line of a gVCF; of a block, its numbers too."""

    def __init__(self, line: str, unseen: str) -> None:
        contig, pos, _, ref, alt, _, _, info, rest = line.split("\t", 8)
        self.line, self.contig = line, contig
        self.start = start_of_pos(int(pos))
        self.is_block = alt == unseen and info.startswith("END=")
        self.end = int(info[len("END=") :]) if self.is_block else self.start + len(ref)
        self._changed = False
        if self.is_block:
            gt, gq, depth, self._pl = rest.rstrip("\n").partition("\t")[2].split(":")
            self._gt, self._gq, self._depth = gt, int(gq), int(depth)

    def check_covered(self, reach: int) -> None:
        """See that all of a block lies before a position that records reach to."""
        if self.end > reach:
            raise InputError(
                f"records reach into the reference block at {self.contig}:{vcf_pos(self.start)}: "
                "merge the shards of one run, or call the regions in one run"
            )

    def may_join(self, after: _Line, band: NDArray[np.int64]) -> bool:
        """Whether a block goes on in another one."""
        return (
            self.end == after.start
            and self._pl.count(",") == after._pl.count(",")
            and bool(band[self._gq] == band[after._gq])
        )

    def join(self, after: _Line) -> None:
        """Lengthen a block by the one that follows it."""
        if after._gq < self._gq:
            self._gt, self._gq, self._pl = after._gt, after._gq, after._pl
        self._depth = min(self._depth, after._depth)
        self.end = after.end
        self._changed = True

    def text(self) -> str:
        """Return the line."""
        if not self._changed:
            return self.line
        head = self.line.split("\t", 7)[:7]
        call = f"{self._gt}:{self._gq}:{self._depth}:{self._pl}"
        return "\t".join([*head, f"END={self.end}", _BLOCK_FORMAT, call]) + "\n"
