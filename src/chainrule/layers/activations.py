"""Elementwise nonlinearities: ReLU, Sigmoid, Tanh.

    ReLU     y = max(x, 0)          dx = dy where y > 0, else 0
    Sigmoid  y = 1 / (1 + e^-x)     dx = dy y (1 - y)
    Tanh     y = tanh(x)            dx = dy (1 - y^2)

Each derivative is a function of the output, so the output is all that is cached. Any shape.
"""

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.layers.base import Layer

__all__ = ["ReLU", "Sigmoid", "Tanh"]


class ReLU(Layer):
    """y = max(x, 0)  (Nair and Hinton 2010)."""

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y = kernels.relu_forward(x)
        return y, y

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        y = cache
        # y = max(x, 0)
        return kernels.relu_backward(dy, y)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x))  (Rumelhart, Hinton and Williams 1986)."""

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y = kernels.sigmoid_forward(x)
        return y, y

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        y = cache
        # y = 1 / (1 + exp(-x)), so exp(-x) = (1 - y) / y
        return kernels.sigmoid_backward(dy, y)


class Tanh(Layer):
    """y = tanh(x)  (LeCun et al. 1998, "Efficient BackProp")."""

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y = kernels.tanh_forward(x)
        return y, y

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        y = cache
        # y = tanh(x)
        return kernels.tanh_backward(dy, y)
