"""Unembedding: a score for each row of an Embedding's table, from that same table (tied weights).

    y = x W^T,   dx = dy W,   dW += dy^T x, in addition to what the Embedding adds

(Press and Wolf 2016, arXiv:1608.05859; Inan, Khosravi and Socher 2016, arXiv:1611.01462.)
Legend: N batch, V entries, D size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.layers.embedding import Embedding
from chainrule.parameters import Parameter

__all__ = ["Unembedding"]


class Unembedding(Layer):
    """x (N, ..., D) -> y (N, ..., V), the dot product with each row of an Embedding's W (V, D); both train that W.

    Args:
        embedding: an earlier layer of the network; copies and saved files keep the one table shared.

    Example:
        >>> words = Embedding(80, 16)
        >>> net = Sequential(words, LSTM(16), Unembedding(words)).build((20,), seed=0)
    """

    W: Parameter

    def __init__(self, embedding: Embedding) -> None:
        if not isinstance(embedding, Embedding):
            raise OptionError(f"Unembedding takes the Embedding whose table it shares, got {embedding!r}")
        self.embedding = embedding

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        table = getattr(self.embedding, "W", None)
        if table is None:
            raise self.shape_error("has no table yet: put its Embedding before it in the network")
        if shape[-1:] != table.shape[1:]:
            raise self.shape_error(
                f"needs the {table.shape[1]} features of its Embedding along the last axis, got {shape}"
            )
        self.W = table
        return (*shape[:-1], self.embedding.entries)

    def children(self) -> Iterator[tuple[str, Layer]]:
        """None: the Embedding belongs to its own place in the network."""
        return iter(())

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = kernels.affine_input_gradient(rows, self.W.value)
        return y.reshape(*x.shape[:-1], len(self.W.value)), (rows, x.shape)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        rows, shape = cache
        dy = dy.reshape(len(rows), len(self.W.value))
        # y = rows @ W.T
        kernels.add_affine_weight_gradient(dy, rows, self.W.grad)
        if not input_gradient:
            return None
        dx = kernels.affine_forward(dy, self.W.value, np.zeros(shape[-1], dy.dtype))
        return dx.reshape(shape)

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape) * self.embedding.entries

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("MatMul", x, graph.add("Transpose", graph.held(self.W), perm=[1, 0]))
        return name
