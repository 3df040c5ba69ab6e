"""Matrix products with a bias, and rows selected from a table."""

import numpy as np

from chainrule.arrays import Array
from chainrule.kernels.reference.arguments import check_rows

__all__ = [
    "add_affine_weight_gradient",
    "affine_bias_gradient",
    "affine_forward",
    "affine_input_gradient",
    "affine_weight_gradient",
    "embedding_forward",
    "embedding_weight_gradient",
]


def affine_forward(x: Array, W: Array, b: Array) -> Array:
    """x (N, D), W (D, H), b (H,) -> y = xW + b (N, H)."""
    y: Array = x @ W
    y += b
    return y


def add_affine_weight_gradient(x: Array, dy: Array, dW: Array) -> None:
    """x (N, D), dy (N, H): adds x^T dy to dW (D, H), in place."""
    dW += x.T @ dy


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


def embedding_forward(indices: Array, W: Array) -> Array:
    """indices (N, ...) from 0 to V - 1, W (V, D) -> the rows W[indices] (N, ..., D)."""
    check_rows(indices, len(W))
    y: Array = W[indices]
    return y


def embedding_weight_gradient(indices: Array, dy: Array, entries: int) -> Array:
    """indices (N, ...), dy (N, ..., D) -> dW (V, D): each row sums the dy of the positions that selected it."""
    check_rows(indices, entries)
    dW = np.zeros((entries, dy.shape[-1]), dy.dtype)
    np.add.at(dW, indices, dy)
    return dW
