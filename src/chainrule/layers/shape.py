"""Flatten, Reshape and Pad: the same numbers in another shape, or with zeros around them.

Flatten, Reshape   y = x.reshape(N, ...)   dx = dy.reshape(x.shape)
Pad                y = x, zeros around     dx = dy without its border
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.layers.geometry import PairOption, check_image, pair

__all__ = ["Flatten", "Pad", "Reshape"]


class Flatten(Layer):
    """(N, ...) -> (N, D), with D the product of all axes but the batch's."""

    reads = "numbers"

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (math.prod(shape),)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape = cache
        # y = x.reshape(N, D)
        return dy.reshape(shape)


class Reshape(Layer):
    """(N, ...) -> (N, *shape), the numbers in the same order.

    Args:
        shape: per sample; one axis may be -1 and takes what is left.
    """

    reads = "numbers"

    def __init__(self, shape: Shape) -> None:
        if (
            not isinstance(shape, tuple | list)
            or not all(isinstance(n, int) and (n > 0 or n == -1) for n in shape)
            or list(shape).count(-1) > 1
        ):
            raise OptionError(f"shape must be lengths above 0, at most one of them -1, got {shape!r}: use (1, 28, 28)")
        self.shape = shape

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        target = self._target(shape)
        if math.prod(target) != math.prod(shape):
            raise self.shape_error(f"cannot take the {math.prod(shape)} numbers of {shape}: choose a shape of as many")
        return target

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return x.reshape(len(x), *self._target(x.shape[1:])), x.shape

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape = cache
        # y = x.reshape(N, ...)
        return dy.reshape(shape)

    def _target(self, shape: Shape) -> Shape:
        left = math.prod(shape) // math.prod(n for n in self.shape if n > 0)
        return tuple(left if n == -1 else n for n in self.shape)


class Pad(Layer):
    """(N, C, H, W) -> (N, C, H + 2 down, W + 2 across), zeros around each image.

    Args:
        padding: one number, or (above and below, left and right).
    """

    reads = "numbers"

    def __init__(self, padding: PairOption) -> None:
        pair(padding, "padding", 0)
        self.padding = padding

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_image(self, shape)
        down, across = pair(self.padding, "padding", 0)
        return (shape[0], shape[1] + 2 * down, shape[2] + 2 * across)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        down, across = pair(self.padding, "padding", 0)
        return np.pad(x, ((0, 0), (0, 0), (down, down), (across, across))), x.shape

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        _, _, height, width = cache
        down, across = pair(self.padding, "padding", 0)
        # y[:, :, down : down + H, across : across + W] = x
        return dy[:, :, down : down + height, across : across + width]
