"""Elementwise nonlinearities, and Softmax.

    ReLU       y = max(x, 0)               dx = dy where y > 0, else 0
    LeakyReLU  y = x, or slope x below 0   dx = dy, or slope dy below 0
    Sigmoid    y = s(x) = 1 / (1 + e^-x)   dx = dy y (1 - y)
    Tanh       y = tanh(x)                 dx = dy (1 - y^2)
    SiLU       y = x s(x)                  dx = dy s (1 + x (1 - s))
    GELU       y = x P(x)                  dx = dy (P(x) + x p(x)), p and P the normal density and its integral
    Softplus   y = log(1 + e^x)            dx = dy s(x)
    Softmax    y = e^x / sum(e^x)          dx = y (dy - sum(dy y))
    LogSoftmax y = x - log(sum(e^x))       dx = dy - e^y sum(dy)

Only the output is cached if the derivative is a function of it, otherwise the input. Any shape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, quiet
from chainrule.layers.base import Layer

__all__ = ["GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]

_ROOT, _CUBIC = math.sqrt(2 / math.pi), 0.044715


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


class LeakyReLU(Layer):
    """y = x where x > 0, else slope x  (Maas, Hannun and Ng 2013).

    Args:
        slope: the derivative below zero.
    """

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return kernels.leaky_relu_forward(x, self.slope), x

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = x where x > 0, else slope * x
        return kernels.leaky_relu_backward(dy, x, self.slope)


class SiLU(Layer):
    """y = x sigmoid(x), also called swish  (Elfwing, Uchibe and Doya 2017, arXiv:1702.03118)."""

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return kernels.silu_forward(x), x

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = x * s with s = sigmoid(x), and ds/dx = s * (1 - s)
        return kernels.silu_backward(dy, x)


class GELU(Layer):
    """y = x P(x), P the cumulative distribution function of the standard normal  (Hendrycks and Gimpel 2016,
    arXiv:1606.08415).

    Args:
        tanh: the paper's approximation, P(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
    """

    def __init__(self, tanh: bool = False) -> None:
        self.tanh = tanh

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return (x * (1 + _gelu_tanh(x)) / 2 if self.tanh else kernels.gelu_forward(x)), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        if self.tanh:
            t = _gelu_tanh(x)
            # y = x * (1 + t) / 2 with t = tanh(c * (x + a * x^3)), and dt/dx = (1 - t^2) * c * (1 + 3 * a * x^2)
            dx: Array = dy * (1 + t + x * (1 - t**2) * _ROOT * (1 + 3 * _CUBIC * x**2)) / 2
            return dx
        # y = x * P(x), and dP/dx = p(x) = exp(-x^2 / 2) / sqrt(2 pi)
        return kernels.gelu_backward(dy, x)


class Softplus(Layer):
    """y = log(1 + exp(x)), a smooth ReLU  (Dugas et al. 2001)."""

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return kernels.softplus_forward(x), x

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = log(1 + exp(x)), so dy/dx = exp(x) / (1 + exp(x))
        return kernels.softplus_backward(dy, x)


class Softmax(Layer):
    """y = exp(x) / sum(exp(x)) over the last axis  (Bridle 1990), with its full Jacobian in backward.

    A classifier does not need it at the end: SoftmaxCrossEntropy and `predict_probabilities` take logits.
    """

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y = kernels.softmax(x)
        return y, y

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        y = cache
        # y = exp(x) / sum(exp(x)): every y depends on every x through the sum
        return kernels.softmax_backward(dy, y)


class LogSoftmax(Layer):
    """y = x - log(sum(exp(x))) over the last axis, the logarithm of Softmax without overflow  (Bridle 1990)."""

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        shifted = x - x.max(axis=-1, keepdims=True)
        y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return y, y

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        y = cache
        # y = x - log(sum(exp(x))): every y depends on every x through the sum, with derivative -exp(y)
        dx: Array = dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("LogSoftmax", x, axis=-1)
        return name


def _gelu_tanh(x: Array) -> Array:
    t: Array = np.tanh(_ROOT * (x + _CUBIC * x**3))
    return t
