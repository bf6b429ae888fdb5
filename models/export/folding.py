"""The tensors of a weights file, checked as they are taken, with normalisations folded in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Array = NDArray[np.float64]

EPSILON = 1e-5
"""Of torch's batch and layer normalisations."""


@dataclass(frozen=True, slots=True)
class Linear:
    """x -> x @ weight + bias; weight [inputs, outputs], bias [outputs]."""

    weight: Array
    bias: Array

    def after(self, norm: "Scale") -> "Linear":
        """Return the map that first scales and shifts its inputs."""
        return Linear(norm.scale[:, None] * self.weight, norm.shift @ self.weight + self.bias)

    def times(self, factor: float) -> "Linear":
        """Return the map with its outputs multiplied."""
        return Linear(factor * self.weight, factor * self.bias)

    def plus(self, bias: Array) -> "Linear":
        """Return the map with something added to its outputs."""
        return Linear(self.weight, self.bias + bias)


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution: weight [outputs, inputs, rows, columns], bias [outputs]."""

    weight: Array
    bias: Array
    strides: tuple[int, int]
    padding: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """x -> scale * x + shift by channel: what a normalisation ends with."""

    scale: Array
    shift: Array

    def of(self, weight: Array) -> Array:
        """Return convolution weights [outputs, ...] with their outputs scaled."""
        return self.scale.reshape(-1, *(1,) * (weight.ndim - 1)) * weight


class Tensors:
    """The tensors of a file, each asked for by name and shape; float64, in which they are folded.

    Its methods raise ModelError when a tensor is missing or of another shape.
    """

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        self._tensors = tensors
        self._used: set[str] = set()

    def take(self, name: str, *shape: int) -> Array:
        """Return a tensor."""
        array = self._tensors.get(name)
        if array is None:
            raise _odd([name])
        if array.shape != shape:
            raise ModelError(f"tensor {name} is {list(array.shape)}, not {list(shape)}.")
        self._used.add(name)
        return array.astype(np.float64)

    def linear(self, name: str, outputs: int, inputs: int) -> Linear:
        """Return a torch.nn.Linear."""
        weight = self.take(f"{name}.weight", outputs, inputs)
        return Linear(weight.T, self.take(f"{name}.bias", outputs))

    def layer_norm(self, name: str, size: int) -> Scale:
        """Return what a torch.nn.LayerNorm does after normalising."""
        return Scale(self.take(f"{name}.weight", size), self.take(f"{name}.bias", size))

    def batch_norm(self, name: str, size: int) -> Scale:
        """Return what a torch.nn.BatchNorm2d amounts to in inference."""
        learned = self.layer_norm(name, size)
        mean = self.take(f"{name}.running_mean", size)
        scale = learned.scale / np.sqrt(self.take(f"{name}.running_var", size) + EPSILON)
        self.take(f"{name}.num_batches_tracked")
        return Scale(scale, learned.shift - mean * scale)

    def conv_norm(
        self, name: str, outputs: int, inputs: int, size: int, stride: int
    ) -> Convolution:
        """Return a `models.network.image_encoder.ConvNorm`."""
        norm = self.batch_norm(f"{name}.norm", outputs)
        weight = self.take(f"{name}.conv.weight", outputs, inputs, size, size)
        return Convolution(norm.of(weight), norm.shift, (stride, stride), size // 2)

    def check_all_used(self) -> None:
        """Refuse tensors that the model does not have."""
        if odd := set(self._tensors) - self._used:
            raise _odd(sorted(odd))


def _odd(names: Sequence[str]) -> ModelError:
    return ModelError(f"tensors are missing or unknown, such as {names[0]}.")
