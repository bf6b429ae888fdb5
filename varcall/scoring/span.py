"""A part of a contig's sequence that is asked for by positions in the contig."""

from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True, slots=True)
class Span:
    """The bases from ``start`` on; indices and slices are positions in the contig, none negative.

    >>> part = Span("ACGT", 100)
    >>> part[101], part[101:103], len(part)
    ('C', 'CG', 104)
    """

    text: str
    start: int

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: "slice[int, int, None]") -> str: ...
    def __getitem__(self, key: "int | slice[int, int, None]") -> str:
        """Bases of a position or a slice."""
        if isinstance(key, slice):
            return self.text[key.start - self.start : key.stop - self.start]
        return self.text[key - self.start]

    def __len__(self) -> int:
        """Position after the last base."""
        return self.start + len(self.text)


# A whole contig, or a part of one.
Bases = str | Span


def start_of(bases: Bases) -> int:
    """Position of the first base."""
    return bases.start if isinstance(bases, Span) else 0


def text_of(bases: Bases) -> str:
    """The bases themselves."""
    return bases.text if isinstance(bases, Span) else bases
