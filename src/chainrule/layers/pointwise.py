"""PointwiseAffine and ScaleShift: the same map at every position, and a learned scale and shift of any shape.

    PointwiseAffine   y = xW + b along the last axis      dx = dy W^T,   dW, db summed over all other axes
    ScaleShift        y = scale x + shift                 dx = scale dy, dscale = sum of dy x, dshift = sum of dy

with sums over the batch and over the axes along which the parameter is broadcast.
(A convolution of 1 x 1 pixels, Lin et al. 2013, arXiv:1312.4400; a scale for each channel, Touvron et al. 2021,
arXiv:2103.17239.) Legend: N batch, D inputs, H outputs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError
from chainrule.initializers import He, Initializer
from chainrule.layers.base import Layer
from chainrule.parameters import Parameter

__all__ = ["PointwiseAffine", "ScaleShift"]


class PointwiseAffine(Layer):
    """y = xW + b along the last axis, the same at every position; x (N, ..., D), W (D, H), b (H,), y (N, ..., H).

    Args:
        outputs: H.
        initializer: draws W; b starts at zero.
    """

    def __init__(self, outputs: int, initializer: Initializer = He()) -> None:  # noqa: B008 (an initializer has no state)
        if outputs < 1:
            raise OptionError(f"PointwiseAffine needs 1 output or more, got {outputs}")
        self.outputs = outputs
        self.initializer = initializer

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if not shape:
            raise self.shape_error("needs features along a last axis, got (): put Reshape((1,)) before it")
        inputs = shape[-1]
        self.W = Parameter(self.initializer((inputs, self.outputs), inputs, self.outputs, rng))
        self.b = Parameter(np.zeros(self.outputs, np.float32), decay=False)
        return (*shape[:-1], self.outputs)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = kernels.affine_forward(rows, self.W.value, self.b.value)
        return y.reshape(*x.shape[:-1], self.outputs), (rows, x.shape)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        rows, shape = cache
        dy = dy.reshape(len(rows), self.outputs)
        # y = rows @ W + b
        kernels.add_affine_weight_gradient(rows, dy, self.W.grad)
        self.b.grad += kernels.affine_bias_gradient(dy)
        return kernels.affine_input_gradient(dy, self.W.value).reshape(shape) if input_gradient else None

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape) * self.outputs

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Add", graph.add("MatMul", x, graph.held(self.W)), graph.held(self.b))
        return name


class ScaleShift(Layer):
    """y = scale x + shift, both learned; x (N, ...), the shape of scale and shift broadcasts to x's.

    Args:
        shape: the shape of scale and shift, per sample: as many axes as x has, each as long as x's or 1. (C, 1, 1) is
            one number per channel of an image, (1, D) one per feature of a sequence.
    """

    def __init__(self, shape: Shape) -> None:
        if not isinstance(shape, tuple | list) or not all(isinstance(n, int) and n > 0 for n in shape):
            raise OptionError(f"shape must be lengths above 0, got {shape!r}: (C, 1, 1) is usual for images")
        self.shape = shape

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        mine = tuple(self.shape)
        if len(mine) != len(shape) or any(own not in (1, length) for own, length in zip(mine, shape, strict=True)):
            raise self.shape_error(f"has numbers of {mine}, got {shape}: each axis must be as long, or 1")
        self.scale = Parameter(np.ones(mine, np.float32), decay=False)
        self.shift = Parameter(np.zeros(mine, np.float32), decay=False)
        return shape

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return self.scale.value * x + self.shift.value, x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        same = (0, *(axis for axis, own in enumerate(self.shape, start=1) if own == 1))
        # y = scale * x + shift, broadcast along the axes in `same`
        self.scale.grad += (dy * x).sum(axis=same, keepdims=True)[0]
        self.shift.grad += dy.sum(axis=same, keepdims=True)[0]
        return dy * self.scale.value

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Add", graph.add("Mul", x, graph.held(self.scale)), graph.held(self.shift))
        return name
