"""Elementwise functions, and softmax: the activations and their derivatives, scaling, dropout."""

import math

import numpy as np
import numpy.typing as npt

from chainrule.arrays import Array

__all__ = [
    "dropout",
    "gelu_backward",
    "gelu_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "masked_relu_forward",
    "relu_backward",
    "relu_forward",
    "scale_forward",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax",
    "softmax_backward",
    "softplus_backward",
    "softplus_forward",
    "sum_forward",
    "tanh_backward",
    "tanh_forward",
    "zero_update",
]


def relu_forward(x: Array) -> Array:
    """max(x, 0), elementwise; NaN stays NaN."""
    y: Array = np.maximum(x, 0)
    return y


def relu_backward(dy: Array, y: Array) -> Array:
    """dy where y = relu(x) is positive, else 0; at x = 0 the derivative is taken as 0."""
    dx: Array = dy * (y > 0)
    return dx


def masked_relu_forward(x: Array) -> tuple[Array, Array]:
    """max(x, 0), and the mask of x <= 0."""
    return relu_forward(x), x <= 0


def zero_update(values: Array, mask: Array) -> None:
    """Set to 0 where mask is True, in place."""
    np.copyto(values, 0, where=mask)


def sigmoid_forward(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow: for x < 0 it is computed as exp(x) / (1 + exp(x))."""
    e = np.exp(-np.abs(x))
    y: Array = np.where(x >= 0, 1, e) / (1 + e)
    return y


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dy * y (1 - y) with y = sigmoid(x)."""
    dx: Array = dy * y * (1 - y)
    return dx


def tanh_forward(x: Array) -> Array:
    """tanh(x), elementwise."""
    y: Array = np.tanh(x)
    return y


def tanh_backward(dy: Array, y: Array) -> Array:
    """dy (1 - y^2) with y = tanh(x)."""
    dx: Array = dy * (1 - y * y)
    return dx


def leaky_relu_forward(x: Array, slope: float) -> Array:
    """x where x > 0, else slope x."""
    y: Array = np.where(x > 0, x, slope * x)
    return y


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """dy where x > 0, else slope dy."""
    dx: Array = np.where(x > 0, dy, slope * dy)
    return dx


def silu_forward(x: Array) -> Array:
    """x sigmoid(x)."""
    y: Array = x * sigmoid_forward(x)
    return y


def silu_backward(dy: Array, x: Array) -> Array:
    """dy (s + x s (1 - s)) with s = sigmoid(x)."""
    s = sigmoid_forward(x)
    dx: Array = dy * s * (1 + x * (1 - s))
    return dx


def softplus_forward(x: Array) -> Array:
    """log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|)) so that nothing overflows."""
    y: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def softplus_backward(dy: Array, x: Array) -> Array:
    """dy sigmoid(x)."""
    dx: Array = dy * sigmoid_forward(x)
    return dx


_erfc = np.vectorize(math.erfc, otypes=[np.float64])  # NumPy has no error function


def _normal_cdf(x: Array) -> Array:
    """The standard normal distribution function, erfc(-x / sqrt 2) / 2, in x's dtype."""
    share: Array = (0.5 * _erfc(x * -math.sqrt(0.5))).astype(x.dtype) if x.size else x
    return share


def gelu_forward(x: Array) -> Array:
    """x times the standard normal distribution function of x."""
    y: Array = x * _normal_cdf(x)
    return y


def gelu_backward(dy: Array, x: Array) -> Array:
    """dy (cdf(x) + x pdf(x)), pdf(x) = exp(-x^2 / 2) / sqrt(2 pi) the normal density."""
    density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    dx: Array = dy * (_normal_cdf(x) + x * density)
    return dx


def dropout(x: Array, keep: Array, rate: float) -> Array:
    """x / (1 - rate) where `keep` (bool, of x's shape) is True, else 0; the same for x and for dy."""
    y: Array = np.where(keep, x / (1 - rate), 0).astype(x.dtype, copy=False)
    return y


def scale_forward(x: Array, factor: float, dtype: npt.DTypeLike) -> Array:
    """x * factor in `dtype`, converting pixels (uint8) on the way."""
    y = x.astype(dtype)
    y *= factor
    return y


def sum_forward(a: Array, b: Array) -> Array:
    """a + b, of the same shape."""
    y: Array = a + b
    return y


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


def softmax_backward(dy: Array, y: Array) -> Array:
    """y (dy - sum of dy y over the last axis) with y = softmax(x)."""
    dx: Array = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    return dx
