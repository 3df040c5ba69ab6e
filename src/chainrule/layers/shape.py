"""Flatten: the same numbers in another shape.

y = x.reshape(N, D),   dx = dy.reshape(x.shape)
"""

import math
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.layers.base import Layer

__all__ = ["Flatten"]


class Flatten(Layer):
    """(N, ...) -> (N, D), with D the product of all axes but the batch's."""

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (math.prod(shape),)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return x.reshape(len(x), math.prod(x.shape[1:])), x.shape

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape = cache
        # y = x.reshape(N, D)
        return dy.reshape(shape)
