"""The container frames of a CRAM file (CRAM specification, sections 6 to 9), no more."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from varcall.errors import InputError

_DEFINITION = 26  # magic, two version bytes, file id
_HEADER_WINDOW = 4096  # container headers are some dozen bytes; landmarks may make them longer
_EOF_START = 4542278  # "EOF" as the alignment start of the end-of-file container (section 9)


@dataclass(frozen=True, slots=True)
class Container:
    """Header of one container: contig is -1 for unmapped reads, -2 for several contigs.

    `start` and `span` are those of its alignments, 1-based; `landmarks` are where its slices begin,
    counted from the end of this header.
    """

    offset: int
    next_offset: int
    contig: int
    start: int
    span: int
    landmarks: tuple[int, ...]


class CramFile:
    """Containers by their file offset."""

    MANY_CONTIGS: ClassVar[int] = -2

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size
        try:
            self.major = self._major()
        except InputError:
            self._file.close()
            raise

    def _major(self) -> int:
        """Read the file definition; return the major version."""
        definition = self._file.read(_DEFINITION)
        if len(definition) < _DEFINITION or definition[:4] != b"CRAM":
            raise InputError(f"{self.path} is cut short or is not a CRAM file")
        major = definition[4]
        if major not in (2, 3):
            raise InputError(
                f"{self.path} is CRAM {major}.{definition[5]}; only 2 and 3 are supported: "
                "convert it with samtools view -O cram,version=3.1"
            )
        return major

    def __enter__(self) -> "CramFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def data_start(self) -> int:
        """Offset of the first container behind the one that holds the header."""
        header = self.container(_DEFINITION)
        if header is None:
            raise InputError(f"{self.path} is cut short or corrupt in its header")
        return header.next_offset

    @property
    def has_eof_container(self) -> bool:
        """Whether the file ends as a complete one does."""
        return self.is_end(self.size - (38 if self.major == 3 else 30))

    def is_end(self, offset: int) -> bool:
        """Whether only end-of-file containers follow."""
        while 0 <= offset < self.size:
            container = self.container(offset)
            if container is None or (container.contig, container.start) != (-1, _EOF_START):
                return False
            offset = container.next_offset
        return offset == self.size

    def container(self, offset: int) -> Container | None:
        """Read the container header at an offset; None where there is none or it is cut."""
        self._file.seek(offset)
        raw = self._file.read(_HEADER_WINDOW)
        try:
            (length,) = struct.unpack_from("<i", raw)
            contig, position = _itf8(raw, 4)
            start, position = _itf8(raw, position)
            span, position = _itf8(raw, position)
            _, position = _itf8(raw, position)  # number of records
            if self.major == 3:
                position += _ltf8_size(raw[position])  # record counter
                position += _ltf8_size(raw[position])  # bases
            else:
                _, position = _itf8(raw, position)
                position += _ltf8_size(raw[position])
            _, position = _itf8(raw, position)  # number of blocks
            n_landmarks, position = _itf8(raw, position)
            landmarks: list[int] = []
            for _ in range(n_landmarks):
                landmark, position = _itf8(raw, position)
                landmarks.append(landmark)
        except (IndexError, struct.error):
            return None
        position += 4 if self.major == 3 else 0  # CRC-32
        next_offset = offset + position + length
        if length < 0 or next_offset > self.size:
            return None
        return Container(offset, next_offset, contig, start, span, tuple(landmarks))


def _itf8(raw: bytes, position: int) -> tuple[int, int]:
    """Decode one ITF8 integer (section 2.3): value and the position behind it."""
    first = raw[position]
    if first < 0x80:
        return first, position + 1
    extra = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    tail = raw[position + 1 : position + 1 + extra]
    if len(tail) < extra:
        raise IndexError("cut integer")
    if extra < 4:
        value = first & (0x7F >> extra)
        for byte in tail:
            value = value << 8 | byte
    else:
        value = (first & 0x0F) << 28 | tail[0] << 20 | tail[1] << 12 | tail[2] << 4 | tail[3] & 0x0F
    return value - (1 << 32) if value >= 1 << 31 else value, position + 1 + extra


def _ltf8_size(first: int) -> int:
    """Count the bytes of an LTF8 integer (section 2.3) from its first byte."""
    size = 1
    while size < 9 and first & (0x80 >> (size - 1)):
        size += 1
    return size
