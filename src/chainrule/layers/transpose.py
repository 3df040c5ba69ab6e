"""Transpose and Expand: permute the axes of each sample, or repeat numbers along axes of length 1.

Transpose   y = x with axis axes[i] of a sample moved to axis i    dx = dy with the axes moved back
Expand      y = x repeated along the axes of length 1              dx = sum of dy along them
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer

__all__ = ["Expand", "Transpose"]


class Transpose(Layer):
    """(N, ...) -> the same numbers with the axes in another order; the batch axis stays first.

    Args:
        axes: of a sample, each once, in their new order: (2, 0, 1) turns (H, W, C) images into (C, H, W).
    """

    reads = "numbers"

    def __init__(self, axes: Shape) -> None:
        if not isinstance(axes, tuple | list) or sorted(axes) != list(range(len(axes))):
            raise OptionError(f"axes must be 0, 1, ... each once, got {axes!r}: (2, 0, 1) brings the last to the front")
        self.axes = axes

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if len(shape) != len(self.axes):
            raise self.shape_error(f"needs {len(self.axes)} axes, got {shape}: name every axis of a sample once")
        return tuple(shape[axis] for axis in self.axes)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return np.ascontiguousarray(x.transpose(0, *(axis + 1 for axis in self.axes))), None

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # y = x.transpose(0, 1 + axes[0], 1 + axes[1], ...)
        back = sorted(range(len(self.axes)), key=lambda place: self.axes[place])
        return np.ascontiguousarray(dy.transpose(0, *(place + 1 for place in back)))

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Transpose", x, perm=[0, *(axis + 1 for axis in self.axes)])
        return name


class Expand(Layer):
    """(N, ...) -> (N, *shape), numbers repeated along the axes where x has length 1.

    Args:
        shape: of a sample, with as many axes as x has.
    """

    reads = "numbers"

    def __init__(self, shape: Shape) -> None:
        if not isinstance(shape, tuple | list) or not all(isinstance(n, int) and n > 0 for n in shape):
            raise OptionError(f"shape must be lengths above 0, got {shape!r}: use (8, 28, 28)")
        self.shape = shape

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        wanted = tuple(self.shape)
        if len(wanted) != len(shape) or any(own not in (1, n) for own, n in zip(shape, wanted, strict=True)):
            raise self.shape_error(f"cannot repeat {shape}: each axis must be as long, or 1")
        return wanted

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return np.ascontiguousarray(np.broadcast_to(x, (len(x), *self.shape))), x.shape

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape = cache
        repeated = tuple(axis for axis in range(1, dy.ndim) if shape[axis] != dy.shape[axis])
        # y = x repeated along these axes
        dx: Array = dy.sum(axis=repeated, keepdims=True)
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Expand", x, graph.constant([1, *self.shape], np.int64))
        return name
