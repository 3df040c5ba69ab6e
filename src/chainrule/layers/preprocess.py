"""Scale and Standardize: preprocessing as layers, so it is saved and served with the network.

    Scale        y = factor * x             dx = factor * dy
    Standardize  y = (x - mean) / std       dx = dy / std

Pixels come in as uint8 and leave as floats; a floating-point x keeps its dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, as_floating, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer

__all__ = ["Scale", "Standardize"]


class Scale(Layer):
    """y = factor * x, any shape; Scale(1 / 255) maps pixels to 0..1."""

    reads = "numbers"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return kernels.scale_forward(x, self.factor, x.dtype if x.dtype.kind == "f" else self.dtype), None

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # y = factor * x
        return kernels.scale_forward(dy, self.factor, dy.dtype)


class Standardize(Layer):
    """y = (x - mean) / std for each feature of rows (N, D) or each channel of images (N, C, H, W).

    Args:
        mean: one number, or one for each entry of the first axis after the batch.
        std: likewise; above 0.
    """

    reads = "numbers"

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        if not np.all(np.asarray(std) > 0):
            raise OptionError(f"Standardize needs a std above 0, got {std}: leave constant features out")
        self.mean = mean
        self.std = std

    @classmethod
    def of(cls, x: Array) -> Self:
        """The layer that brings `x` (N, D) or (N, C, H, W) to mean 0 and standard deviation 1.

        A constant feature gets std 1 and so becomes 0.
        """
        axes = (0, *range(2, x.ndim))
        std = x.std(axis=axes, dtype=np.float64)
        return cls(x.mean(axis=axes, dtype=np.float64).tolist(), np.where(std > 0, std, 1.0).tolist())

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        for name, value in (("mean", self.mean), ("std", self.std)):
            if np.size(value) != 1 and (not shape or np.size(value) != shape[0]):
                raise self.shape_error(f"has {np.size(value)} numbers as {name}, got {shape}: pass 1 or {shape[:1]}")
        return shape

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        x = as_floating(x, self.dtype)
        return (x - self._along(self.mean, x)) / self._along(self.std, x), None

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # y = (x - mean) / std
        return dy / self._along(self.std, dy)

    def _along(self, numbers: float | Sequence[float], x: Array) -> Array:
        return np.asarray(numbers, x.dtype).reshape(-1, *[1] * (x.ndim - 2))
