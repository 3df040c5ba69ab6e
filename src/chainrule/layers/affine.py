"""Affine: y = xW + b.

With dy the gradient of the loss with respect to y,

    dW = x^T dy,   db = sum of dy over the batch,   dx = dy W^T.

Legend: N batch, D inputs, H outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError
from chainrule.initializers import He, Initializer, Zeros
from chainrule.layers.base import Layer
from chainrule.parameters import Parameter

__all__ = ["Affine"]


class Affine(Layer):
    """y = xW + b; x (N, D), W (D, H), b (H,), y (N, H).

    Args:
        outputs: H.
        initializer: draws W; b starts at zero.
    """

    def __init__(self, outputs: int, initializer: Initializer = He()) -> None:  # noqa: B008 (an initializer has no state)
        if outputs < 1:
            raise OptionError(f"Affine needs 1 output or more, got {outputs}")
        self.outputs = outputs
        self.initializer = initializer

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if len(shape) != 1:
            raise self.shape_error(f"needs a flat input, got {shape}: put Flatten() before it")
        (inputs,) = shape
        self.W = Parameter(self.initializer((inputs, self.outputs), inputs, self.outputs, rng))
        self.b = Parameter(Zeros()((self.outputs,), inputs, self.outputs, rng), decay=False)
        return (self.outputs,)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return kernels.affine_forward(x, self.W.value, self.b.value), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = x @ W + b
        kernels.add_affine_weight_gradient(x, dy, self.W.grad)
        self.b.grad += kernels.affine_bias_gradient(dy)
        return kernels.affine_input_gradient(dy, self.W.value) if input_gradient else None

    def multiply_adds(self, shape: Shape) -> int:
        return shape[0] * self.outputs
