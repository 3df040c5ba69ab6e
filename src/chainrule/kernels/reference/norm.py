"""Normalization: mean 0 and variance 1 over a batch or over a row, then a learned scale and shift.

Batch: x and y (N, C, S), each channel separately over N samples and S pixels; gamma, beta, mean, inverse_std (C,).
Layer: x and y (M, D), each row separately; gamma, beta (D,), mean, inverse_std (M,).
inverse_std = 1 / sqrt(variance + epsilon), and h = (x - mean) inverse_std is the normalized x. With `relu`, ReLU is
applied to y.
"""

import numpy as np

from chainrule.arrays import Array
from chainrule.kernels.reference.elementwise import relu_backward, relu_forward

__all__ = [
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "layer_norm_backward",
    "layer_norm_forward",
]


def batch_norm_forward(x: Array, gamma: Array, beta: Array, epsilon: float, relu: bool) -> tuple[Array, Array, Array]:
    """x (N, C, S) with N S > 0 -> y, the batch's mean (C,) and its variance (C,), divided by N S."""
    mean = x.mean(axis=(0, 2))
    variance = np.square(x - mean[:, np.newaxis]).mean(axis=(0, 2))
    return batch_norm_inference(x, gamma, beta, mean, 1 / np.sqrt(variance + epsilon), relu), mean, variance


def batch_norm_backward(
    dy: Array, x: Array, y: Array | None, gamma: Array, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta, where mean and inverse_std come from the batch and so depend on every x.

    y is None, or the output if forward had a ReLU: dy counts only where y is above 0. With M = N S:

        dx = gamma inverse_std (dy - sum(dy) / M - h sum(dy h) / M).
    """
    dy = dy if y is None else relu_backward(dy, y)
    h = (x - mean[:, np.newaxis]) * inverse_std[:, np.newaxis]
    dbeta = dy.sum(axis=(0, 2))
    dgamma = (dy * h).sum(axis=(0, 2))
    count = x.shape[0] * x.shape[2]
    dx = dy - (dbeta / count)[:, np.newaxis]
    dx -= h * (dgamma / count)[:, np.newaxis]
    dx *= (gamma * inverse_std)[:, np.newaxis]
    return dx, dgamma, dbeta


def batch_norm_inference(x: Array, gamma: Array, beta: Array, mean: Array, inverse_std: Array, relu: bool) -> Array:
    """x (N, C, S) -> y = gamma (x - mean) inverse_std + beta, with a given mean and inverse_std."""
    y: Array = x - mean[:, np.newaxis]
    y *= (gamma * inverse_std)[:, np.newaxis]
    y += beta[:, np.newaxis]
    return relu_forward(y) if relu else y


def batch_norm_inference_backward(
    dy: Array, x: Array, y: Array | None, gamma: Array, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """The same where mean and inverse_std are constants: dx = gamma inverse_std dy."""
    dy = dy if y is None else relu_backward(dy, y)
    h = (x - mean[:, np.newaxis]) * inverse_std[:, np.newaxis]
    dx = dy * (gamma * inverse_std)[:, np.newaxis]
    return dx, (dy * h).sum(axis=(0, 2)), dy.sum(axis=(0, 2))


def layer_norm_forward(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """x (M, D) -> y, and each row's mean (M,) and inverse_std (M,)."""
    mean = x.mean(axis=1)
    centered = x - mean[:, np.newaxis]
    inverse_std = 1 / np.sqrt(np.square(centered).mean(axis=1) + epsilon)
    y: Array = centered * inverse_std[:, np.newaxis] * gamma + beta
    return y, mean, inverse_std


def layer_norm_backward(
    dy: Array, x: Array, gamma: Array, mean: Array, inverse_std: Array
) -> tuple[Array, Array, Array]:
    """dx, dgamma, dbeta. With dh = gamma dy:  dx = inverse_std (dh - mean(dh) - h mean(dh h)), means over the row."""
    h = (x - mean[:, np.newaxis]) * inverse_std[:, np.newaxis]
    dh = dy * gamma
    dx = dh - dh.mean(axis=1, keepdims=True)
    dx -= h * (dh * h).mean(axis=1, keepdims=True)
    dx *= inverse_std[:, np.newaxis]
    return dx, (dy * h).sum(axis=0), dy.sum(axis=0)
