"""Slice: a part of each sample along one axis.

y = x[start:stop:step] along an axis;   dx = dy at the indices taken, 0 at the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import OptionError
from chainrule.layers.base import Layer

__all__ = ["Slice"]


class Slice(Layer):
    """(N, ...) -> (N, ...), keeping the indices start, start + step, ... below stop along one axis of a sample.

    Args:
        start: the first index, counted from 0.
        stop: the index to stop before.
        axis: of a sample; 0 is the channels of an image, or the features of a row.
        step: the distance from one index to the next.
    """

    reads = "numbers"

    def __init__(self, start: int, stop: int, axis: int = 0, step: int = 1) -> None:
        if not (all(isinstance(n, int) for n in (start, stop, axis, step)) and 0 <= start < stop):
            raise OptionError(f"Slice needs whole numbers with 0 <= start < stop, got {start} and {stop}")
        if axis < 0 or step < 1:
            raise OptionError(f"Slice needs an axis of 0 or more and a step of 1 or more, got {axis} and {step}")
        self.start = start
        self.stop = stop
        self.axis = axis
        self.step = step

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if self.axis >= len(shape) or self.stop > shape[self.axis]:
            raise self.shape_error(
                f"takes indices below {self.stop} of axis {self.axis}, got {shape}: use a smaller stop"
            )
        length = len(range(self.start, self.stop, self.step))
        return (*shape[: self.axis], length, *shape[self.axis + 1 :])

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return np.ascontiguousarray(x[self._where()]), x.shape

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape = cache
        dx = np.zeros(shape, dy.dtype)
        # y = x[start:stop:step] along the axis
        dx[self._where()] = dy
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        numbers = (self.start, self.stop, self.axis + 1, self.step)
        name: str = graph.add("Slice", x, *(graph.constant([number], np.int64) for number in numbers))
        return name

    def _where(self) -> tuple[slice, ...]:
        return (*[slice(None)] * (self.axis + 1), slice(self.start, self.stop, self.step))
