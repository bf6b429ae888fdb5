"""ONNX files written by hand: a graph of constants and operators, as bytes.

Protocol buffers are a list of numbered fields; a page of code writes the few that a network needs
(onnx.proto3 of ONNX 1.13 names the numbers), so neither torch nor the onnx package is imported.
"""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import ModelError

OPSET = 17
"""The first operator set with LayerNormalization; every run time since 2022 reads it."""

_IR_VERSION = 8
_TYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7, "bool": 9}
"""TensorProto.DataType."""

_FLOAT, _INT, _INTS = 1, 2, 7
"""AttributeProto.AttributeType."""

Attribute = int | float | Sequence[int]


class GraphBuilder:
    """Collects operators and constants; a value is known by its name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int]) -> str:
        """Declare an input of fixed shape."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, name: str, value: str, shape: Sequence[int]) -> None:
        """Declare a float32 output and the value it shows."""
        self._nodes.append(_node("Identity", (value,), (name,), {}))
        self._outputs.append(_value_info(name, np.float32, shape))

    def constant(self, value: ArrayLike) -> str:
        """Add an array; floating-point ones are stored as float32.

        Raises
        ------
        ModelError
            When a number is too large for that.
        """
        array = np.asarray(value)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = array.astype(np.float32)
            if not np.isfinite(array).all():
                raise ModelError("its numbers are too large to calculate with.")
        name = self._new("constant")
        self._constants.append(_tensor(name, array))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator with one output and return that output's name."""
        output = self._new(operator)
        self._nodes.append(_node(operator, inputs, (output,), attributes))
        return output

    def split(self, value: str, axis: int, sizes: Sequence[int]) -> tuple[str, ...]:
        """Cut a value into parts of the given sizes."""
        outputs = tuple(self._new("Split") for _ in sizes)
        inputs = (value, self.constant(list(sizes)))
        self._nodes.append(_node("Split", inputs, outputs, {"axis": axis}))
        return outputs

    def to_bytes(self) -> bytes:
        """Return the file."""
        graph = b"".join(
            [
                *(_message(1, node) for node in self._nodes),
                _message(2, self._name.encode()),
                *(_message(5, constant) for constant in self._constants),
                *(_message(11, value) for value in self._inputs),
                *(_message(12, value) for value in self._outputs),
            ]
        )
        operators = _integer(2, OPSET)
        return (
            _integer(1, _IR_VERSION)
            + _message(2, b"varcall")
            + _message(7, graph)
            + _message(8, operators)
        )

    def _new(self, stem: str) -> str:
        self._count += 1
        return f"{stem}_{self._count}"


def _varint(value: int) -> bytes:
    """Write a whole number, seven bits a byte; negative ones in two's complement of 64 bits."""
    value &= (1 << 64) - 1
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, Attribute]
) -> bytes:
    return b"".join(
        [
            *(_message(1, name.encode()) for name in inputs),
            *(_message(2, name.encode()) for name in outputs),
            _message(3, outputs[0].encode()),
            _message(4, operator.encode()),
            *(_message(5, _attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def _attribute(name: str, value: Attribute) -> bytes:
    start = _message(1, name.encode())
    if isinstance(value, int):
        return start + _integer(3, value) + _integer(20, _INT)
    if isinstance(value, float):
        # Field 2 has wire type 5: four bytes.
        return start + _varint(2 << 3 | 5) + struct.pack("<f", value) + _integer(20, _FLOAT)
    return start + b"".join(_integer(8, number) for number in value) + _integer(20, _INTS)


def _tensor(name: str, array: NDArray[np.generic]) -> bytes:
    return (
        b"".join(_integer(1, size) for size in array.shape)
        + _integer(2, _TYPES[array.dtype.name])
        + _message(8, name.encode())
        + _message(9, np.ascontiguousarray(array).tobytes())
    )


def _value_info(name: str, dtype: type[np.generic], shape: Sequence[int]) -> bytes:
    dimensions = b"".join(_message(1, _integer(1, size)) for size in shape)
    tensor_type = _integer(1, _TYPES[np.dtype(dtype).name]) + _message(2, dimensions)
    return _message(1, name.encode()) + _message(2, _message(1, tensor_type))
