"""The hot operations in plain NumPy: obviously right, and the specification of any faster twin.

N batch, D inputs, H outputs, C classes. Arguments are never written to, except where a name says `update`.
"""

import numpy as np
import numpy.typing as npt

from chainrule.arrays import Array

__all__ = [
    "affine_bias_gradient",
    "affine_forward",
    "affine_input_gradient",
    "affine_weight_gradient",
    "relu_backward",
    "relu_forward",
    "scale_forward",
    "sgd_update",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax",
    "softmax_cross_entropy",
    "tanh_backward",
    "tanh_forward",
]


def affine_forward(x: Array, W: Array, b: Array) -> Array:
    """x (N, D), W (D, H), b (H,) -> y = xW + b (N, H)."""
    y: Array = x @ W
    y += b
    return y


def affine_weight_gradient(x: Array, dy: Array) -> Array:
    """x (N, D), dy (N, H) -> dW = x^T dy (D, H)."""
    dW: Array = x.T @ dy
    return dW


def affine_bias_gradient(dy: Array) -> Array:
    """dy (N, H) -> db, the sum over the batch (H,)."""
    db: Array = dy.sum(axis=0)
    return db


def affine_input_gradient(dy: Array, W: Array) -> Array:
    """dy (N, H), W (D, H) -> dx = dy W^T (N, D)."""
    dx: Array = dy @ W.T
    return dx


def relu_forward(x: Array) -> Array:
    """max(x, 0), elementwise; NaN stays NaN."""
    y: Array = np.maximum(x, 0)
    return y


def relu_backward(dy: Array, y: Array) -> Array:
    """dy where y = relu(x) is positive, else 0; at x = 0 the derivative is taken as 0."""
    dx: Array = dy * (y > 0)
    return dx


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


def scale_forward(x: Array, factor: float, dtype: npt.DTypeLike) -> Array:
    """x * factor in `dtype`, converting pixels (uint8) on the way."""
    y = x.astype(dtype)
    y *= factor
    return y


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, shifted by the maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y: Array = e / e.sum(axis=-1, keepdims=True)
    return y


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """logits (N, C), labels (N,) class indices -> mean of -log softmax(logits)[label], and its gradient (N, C).

    The gradient is (softmax(logits) - onehot(labels)) / N: the exponentials of the loss serve both. An empty batch has
    loss 0.
    """
    rows, count = np.arange(len(logits)), max(len(logits), 1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[rows, labels]).sum() / count
    dlogits: Array = e / total
    dlogits[rows, labels] -= 1
    dlogits /= count
    return float(loss), dlogits


def sgd_update(
    values: Array, gradients: Array, velocity: Array | None, learning_rate: float, momentum: float, nesterov: bool
) -> None:
    """One SGD step in place on the flat buffers (P,), `gradients` used up; `velocity` is None without momentum."""
    if velocity is not None:
        velocity *= momentum
        velocity += gradients
        if nesterov:
            gradients += momentum * velocity
        else:
            gradients[...] = velocity
    gradients *= learning_rate
    values -= gradients
