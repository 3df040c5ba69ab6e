"""`common.functions`: the book's functions of arrays."""

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array


def identity_function(x: Array) -> Array:
    """Return x itself."""
    return x


identity = identity_function  # its name in the Chinese course


def step_function(x: Array) -> Array:
    """Return 1 where x > 0, else 0, as integers."""
    return np.array(x > 0, dtype=int)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow; float32 stays float32."""
    x = np.asarray(x)
    return kernels.sigmoid_forward(x if x.dtype == np.float32 else x.astype(float, copy=False))


def sigmoid_grad(x: Array) -> Array:
    """Return the derivative of sigmoid at x."""
    y = sigmoid(x)
    return (1.0 - y) * y


def tanh(x: Array) -> Array:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), without overflow."""
    y: Array = np.tanh(np.asarray(x, dtype=float))
    return y


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    y: Array = np.logaddexp(0.0, np.asarray(x, dtype=float))
    return y


def swish(x: Array) -> Array:
    """x sigmoid(x)  (Ramachandran et al. 2017, arXiv:1710.05941)."""
    return np.asarray(x, dtype=float) * sigmoid(x)


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(0, x)


def leaky_relu(x: Array, alpha: float = 0.01) -> Array:
    """x where x > 0, else alpha x."""
    x = np.asarray(x)
    return np.where(x > 0, x, alpha * x)


def relu_grad(x: Array) -> Array:
    """Return 1 where x >= 0, else 0."""
    gradient = np.zeros_like(x)
    gradient[x >= 0] = 1
    return gradient


def softmax(x: Array) -> Array:
    """Return the softmax over the last axis of an array with at least one axis."""
    return kernels.softmax(np.asarray(x))


def sum_squared_error(y: Array, t: Array) -> float:
    """Return half the sum of (y - t)^2."""
    return float(0.5 * np.sum((y - t) ** 2))


mean_squared_error = sum_squared_error  # its name before October 2019


def cross_entropy_error(y: Array, t: Array) -> float:
    """Return the mean of -log(p + 1e-7) for probabilities y (N, C) or (C,) and labels t, indices or one-hot."""
    if y.ndim == 1:
        t, y = t.reshape(1, t.size), y.reshape(1, y.size)
    if t.size == y.size:
        t = t.argmax(axis=1)
    return float(-np.sum(np.log(y[np.arange(len(y)), t.reshape(-1)] + 1e-7)) / len(y))


cross_entropy = cross_entropy_error  # its name in the Chinese course


def softmax_loss(X: Array, t: Array) -> float:
    """Return the cross-entropy of softmax(X)."""
    return cross_entropy_error(softmax(X), t)
