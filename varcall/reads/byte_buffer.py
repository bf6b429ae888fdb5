"""One growing array of bytes that kernels read from."""

import numpy as np
from numpy.typing import NDArray

_FIRST_SIZE = 1 << 22  # bytes


class ByteBuffer:
    """Bytes, appended at the end and forgotten at the beginning.

    Attributes
    ----------
    data, filled
        uint8, and how much of it holds bytes.
    """

    def __init__(self) -> None:
        self.data: NDArray[np.uint8] = np.empty(_FIRST_SIZE, np.uint8)
        self.filled = 0

    def clear(self) -> None:
        """Forget everything."""
        self.filled = 0

    def drop(self, byte: int) -> None:
        """Forget what lies before a byte."""
        rest = self.filled - byte
        self.data[:rest] = self.data[byte : self.filled]
        self.filled = rest

    def append(self, content: bytes | memoryview) -> None:
        """Put bytes behind those that there are."""
        end = self.filled + len(content)
        if end > len(self.data):
            larger = np.empty(max(end, 2 * len(self.data)), np.uint8)
            larger[: self.filled] = self.data[: self.filled]
            self.data = larger
        self.data[self.filled : end] = np.frombuffer(content, np.uint8)
        self.filled = end
