"""Flatten, Reshape and Pad: the same numbers in another shape, or with a border around them.

Flatten, Reshape   y = x.reshape(N, ...)             dx = dy.reshape(x.shape)
Pad                y = x, zeros around               dx = dy without its border
                   y = x, copies of pixels around    dx = that, plus each copy's dy at the pixel that was copied
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.layers.geometry import PaddingOption, check_image, onnx_pad, sides

__all__ = ["Flatten", "Pad", "Reshape"]


class Flatten(Layer):
    """(N, ...) -> (N, D), where D is the product of all axes except the batch."""

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
        shape: per sample; one axis may be -1, and its length is inferred.
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
            raise self.shape_error(f"cannot take the {math.prod(shape)} numbers of {shape}: use a shape with as many")
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
    """(N, C, H, W) -> (N, C, top + H + bottom, left + W + right), a border around each image.

    Args:
        padding: one number, (above and below, left and right), or ((above, below), (left, right)).
        mode: "constant"; "edge", which repeats the border pixels; "reflect", which mirrors the image at its border
            pixels without repeating them.
        value: the constant.
    """

    reads = "numbers"
    axes = 2

    def __init__(self, padding: PaddingOption, mode: str = "constant", value: float = 0.0) -> None:
        sides(padding, self.axes)
        if mode not in ("constant", "edge", "reflect"):
            raise OptionError(f'mode must be "constant", "edge" or "reflect", got {mode!r}')
        if not math.isfinite(value) or (value and mode != "constant"):
            raise OptionError(f'value must be a finite number, and 0 where mode is not "constant", got {value!r}')
        self.padding = padding
        self.mode = mode
        self.value = value
        if value:
            self.reads = "floats"

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_image(self, shape)
        down, across = sides(self.padding, self.axes)
        if self.mode == "reflect" and (max(down) >= shape[1] or max(across) >= shape[2]):
            given = (shape[0], *shape[-self.axes :])
            raise self.shape_error(f"can mirror only fewer pixels than a row or column has, got {given}: pad less")
        return (shape[0], shape[1] + sum(down), shape[2] + sum(across))

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        around = ((0, 0), (0, 0), *sides(self.padding, self.axes))
        if self.mode == "constant":
            return np.pad(x, around, constant_values=self.value), x.shape
        return np.pad(x, around, self.mode), x.shape  # type: ignore[call-overload]

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape, dx = cache, dy
        # y[:, :, top : top + H, left : left + W] = x, and around it constants or copies of x
        for axis, (before, _) in zip((2, 3), sides(self.padding, self.axes), strict=True):
            dx = self._unpadded(dx.swapaxes(0, axis), before, shape[axis]).swapaxes(0, axis)
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        mode = {} if self.mode == "constant" else {"mode": self.mode}
        return onnx_pad(graph, x, sides(self.padding, self.axes), self.axes, self.value, **mode)

    def _unpadded(self, dy: Array, before: int, length: int) -> Array:
        """dy (before + length + after, ...) -> dx (length, ...): a border's gradients go to the pixels copied."""
        if self.mode == "constant":
            return dy[before : before + length]
        source = np.pad(np.arange(length), (before, len(dy) - before - length), self.mode)  # type: ignore[call-overload]
        dx = np.zeros((length, *dy.shape[1:]), dy.dtype)
        for place, pixel in enumerate(source):
            dx[pixel] += dy[place]
        return dx
