"""Embedding: integers select rows of a table.

y = W[x],   dW[v] = sum of dy over the positions where x = v,   and x, being integers, has no gradient.

(Bengio et al. 2003, "A neural probabilistic language model".) Legend: N batch, V entries, D size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import DataError, OptionError
from chainrule.initializers import Initializer, Normal
from chainrule.layers.base import Layer
from chainrule.parameters import Parameter

__all__ = ["Embedding"]


class Embedding(Layer):
    """x (N, ...) whole numbers from 0 to V - 1, W (V, D) -> y (N, ..., D).

    Weight decay does not apply to the table: a row that no sample selects should stay as it is.

    Args:
        entries: V, the number of rows.
        size: D.
        initializer: draws W.
    """

    reads = "indices"

    def __init__(self, entries: int, size: int, initializer: Initializer = Normal(1.0)) -> None:  # noqa: B008
        if entries < 1 or size < 1:
            raise OptionError(f"Embedding needs 1 entry and a size of 1 or more, got {entries} and {size}")
        self.entries = entries
        self.size = size
        self.initializer = initializer

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        self.W = Parameter(self.initializer((self.entries, self.size), self.entries, self.size, rng), decay=False)
        return (*shape, self.size)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        self.check_indices(x)
        return kernels.embedding_forward(x, self.W.value), x

    def check_indices(self, x: Array) -> None:
        """Raise DataError unless x is whole numbers from 0 to V - 1."""
        if x.dtype.kind not in "iu":
            raise DataError(f"{self!r} reads whole numbers, got {x.dtype}: use x.astype(int), with no layer before it")
        if x.size and (x.min() < 0 or x.max() >= self.entries):
            where = tuple(int(i) for i in np.argwhere((x < 0) | (x >= self.entries))[0])
            raise DataError(
                f"{self!r} has rows 0 to {self.entries - 1}, got {x[where]} at {list(where)}: "
                "give it more entries, or correct the data"
            )

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = W[x]
        self.W.grad += kernels.embedding_weight_gradient(x, dy, self.entries)
        return None
