"""BGZF blocks (SAM specification, section 4.1), found in Python and inflated by ISA-L.

Broken and foreign indexes make htslib return nothing or crash, so the cross-checks of
`varcall.inputs.open` read the few blocks that they need with this; `varcall.reads.bam` reads them
all. ISA-L takes 0.55 of zlib's time for the blocks of a BAM, with their checksums.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from varcall.errors import InputError

# The empty block that ends a complete file (SAM specification, section 4.1.2).
EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
GZIP_MAGIC = b"\x1f\x8b"
_FIXED_HEADER = 12  # bytes up to and with XLEN
_MAX_HEADER = _FIXED_HEADER + 256  # extra fields are some bytes long
MAX_BLOCK = 65536  # bytes, compressed as well as inflated


class BlockError(InputError):
    """There is no valid BGZF block where one should be."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its offset in the file, its compressed size and its data."""

    offset: int
    size: int
    data: bytes

    @property
    def next_offset(self) -> int:
        """Offset of the block that follows."""
        return self.offset + self.size


def block_size(header: bytes) -> int | None:
    """Compressed size of the block that `header` begins, or None where it begins none."""
    if len(header) < _FIXED_HEADER or header[:4] != b"\x1f\x8b\x08\x04":
        return None
    (extra_length,) = struct.unpack_from("<H", header, 10)
    extra = header[_FIXED_HEADER : _FIXED_HEADER + extra_length]
    position = 0
    while position + 4 <= len(extra):
        tag, length = extra[position : position + 2], struct.unpack_from("<H", extra, position + 2)
        if tag == b"BC" and length[0] == 2 and position + 6 <= len(extra):
            return int(struct.unpack_from("<H", extra, position + 4)[0]) + 1
        position += 4 + length[0]
    return None


def is_gzipped(path: Path) -> bool:
    """Whether the file begins as gzip does, BGZF or not."""
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def is_bgzf(path: Path) -> bool:
    """Whether the file begins with a BGZF block."""
    with path.open("rb") as file:
        return block_size(file.read(_MAX_HEADER)) is not None


def inflate_block(raw: bytes | memoryview, offset: int, path: Path) -> tuple[bytes, int]:
    """Inflate the block that `raw` begins with; return its data and its compressed size.

    `offset` and `path` are where it was read, for the message.

    Raises
    ------
    BlockError
        No block begins there, or it is cut or corrupt.
    """
    size = block_size(bytes(raw[:_MAX_HEADER]))
    if size is None or size > len(raw):
        raise BlockError(f"no complete BGZF block at byte {offset} of {path}")
    (extra_length,) = struct.unpack_from("<H", raw, 10)
    begin, end = _FIXED_HEADER + extra_length, size - 8
    corrupt = f"corrupt BGZF block at byte {offset} of {path}"
    if begin > end:
        raise BlockError(corrupt)
    crc, length = struct.unpack_from("<II", raw, end)
    try:
        data: bytes = isal_zlib.decompress(raw[begin:end], -15, MAX_BLOCK)
    except isal_zlib.error as error:  # type: ignore[misc]  # a class, whatever its stub says
        raise BlockError(corrupt) from error
    if len(data) != length or isal_zlib.crc32(data) != crc:
        raise BlockError(corrupt)
    return data, size


class BgzfFile:
    """Random access by virtual offset (block offset << 16 | offset inside its data)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size
        self._block: Block | None = None

    def __enter__(self) -> "BgzfFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def has_eof_block(self) -> bool:
        """Whether the file ends as a complete one does."""
        self._file.seek(max(0, self.size - len(EOF_BLOCK)))
        return self._file.read() == EOF_BLOCK

    def block(self, offset: int) -> Block:
        """Decompress the block at a file offset.

        Raises
        ------
        BlockError
            No block begins there, or it is cut or corrupt.
        """
        if self._block is not None and self._block.offset == offset:
            return self._block
        self._file.seek(offset)
        data, size = inflate_block(self._file.read(MAX_BLOCK), offset, self.path)
        self._block = Block(offset, size, data)
        return self._block

    def blocks(self, offset: int) -> Iterator[Block]:
        """Yield the blocks from a file offset to the end of the file."""
        while offset < self.size:
            block = self.block(offset)
            yield block
            offset = block.next_offset

    def read(self, virtual_offset: int, count: int) -> tuple[bytes, int]:
        """Read `count` bytes (fewer at the end); return them and the virtual offset behind them."""
        offset, skip = virtual_offset >> 16, virtual_offset & 0xFFFF
        pieces: list[bytes] = []
        for block in self.blocks(offset):
            if skip > len(block.data):
                raise BlockError(f"virtual offset {virtual_offset} is outside {self.path}")
            piece = block.data[skip : skip + count]
            pieces.append(piece)
            count -= len(piece)
            if skip + len(piece) < len(block.data):
                return b"".join(pieces), block.offset << 16 | (skip + len(piece))
            offset, skip = block.next_offset, 0
            if count == 0:
                break
        return b"".join(pieces), offset << 16
