"""BGZF output.

Written here instead of through pysam because `pysam.BGZFile` loses the system's error number: a
full disk and a closed pipe look alike, and are noticed at close only.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from varcall.formats.bgzf import EOF_BLOCK

DEFAULT_LEVEL = 6
_BLOCK_INPUT = 0xFF00  # as htslib: even a block that does not compress fits in 64 KiB
_AT_ONCE = 16 * _BLOCK_INPUT  # one by one, between windows, they find nothing in the CPU's caches
# SAM specification 4.1: a gzip header with one extra field BC, the size of the block less one.
_HEADER = struct.Struct("<16sH")
_HEADER_START = EOF_BLOCK[:16]
_TRAILER = struct.Struct("<II")
# Short matches between numbers are chance: single letters cost fewer bits, and no search.
_STRATEGY = zlib.Z_FILTERED


def _block(data: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(
        level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, _STRATEGY
    )
    body = compressor.compress(data) + compressor.flush()
    size = _HEADER.size + len(body) + _TRAILER.size
    trailer = _TRAILER.pack(zlib.crc32(data), len(data))
    return _HEADER.pack(_HEADER_START, size - 1) + body + trailer


def bgzf_blocks(data: bytes, level: int = DEFAULT_LEVEL) -> bytes:
    """Compress bytes into blocks, of which files are put together (`BgzfWriter.write_blocks`)."""
    pieces = (data[offset : offset + _BLOCK_INPUT] for offset in range(0, len(data), _BLOCK_INPUT))
    return b"".join(_block(piece, level) for piece in pieces)


class BgzfWriter:
    """Compress bytes into BGZF blocks on a binary stream.

    Blocks are cut by content alone, so equal data give equal bytes however they were handed in.

    Parameters
    ----------
    stream
        Where the blocks go; it stays open at `close`.
    level
        Deflate level, 0 to 9.
    """

    def __init__(self, stream: BinaryIO, level: int = DEFAULT_LEVEL) -> None:
        self._stream = stream
        self._level = level
        self._pending = bytearray()

    def write(self, data: bytes) -> None:
        """Take `data`, and compress what there is when it is many blocks."""
        self._pending += data
        if len(self._pending) >= _AT_ONCE:
            self._compress(len(self._pending) // _BLOCK_INPUT * _BLOCK_INPUT)

    def write_blocks(self, blocks: bytes) -> None:
        """Write blocks of `bgzf_blocks`; what is pending becomes blocks before them."""
        self._finish_blocks()
        self._stream.write(blocks)

    def close(self) -> None:
        """Write what is left and the block that marks the end of a complete file."""
        self._finish_blocks()
        self._stream.write(EOF_BLOCK)

    def _finish_blocks(self) -> None:
        self._compress(len(self._pending))

    def _compress(self, size: int) -> None:
        for offset in range(0, size, _BLOCK_INPUT):
            block = bytes(self._pending[offset : min(offset + _BLOCK_INPUT, size)])
            self._stream.write(_block(block, self._level))
        del self._pending[:size]
