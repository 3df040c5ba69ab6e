"""Scaled dot-product attention with several heads, and rotation of queries and keys by their positions.

q (N, T, D), k and v (N, S, D); each head has its own D / heads features, side by side.
Legend: N batch, T queries, S keys, D features.
"""

import math

import numpy as np

from chainrule.arrays import Array

__all__ = ["attention_backward", "attention_forward", "rotate_heads"]


def attention_forward(
    q: Array, k: Array, v: Array, heads: int, causal: bool, mask: Array | None
) -> tuple[Array, Array]:
    """y (N, T, D) = shares v, and the shares (N, heads, T, S) = softmax(q k^T / sqrt(D / heads)) over the keys.

    The share of a key that mask (N, S) excludes is exactly 0, as is that of a later key if `causal`; the last query is
    at the position of the last key. The largest score is subtracted before the exponential, so it cannot overflow. A
    query that sees no key has shares of 0.
    """
    q, k, v = (_by_head(array, heads) for array in (q, k, v))
    scores = q @ k.swapaxes(2, 3) * q.dtype.type(1 / math.sqrt(q.shape[3]))
    queries, keys = scores.shape[2:]
    if causal:
        scores = np.where(np.tri(queries, keys, keys - queries, dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask[:, np.newaxis, np.newaxis], scores, -np.inf)
    largest = scores.max(axis=3, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(largest == -np.inf, 0, largest))
    total = e.sum(axis=3, keepdims=True)
    shares = e / np.where(total == 0, 1, total)
    return _side_by_side(shares @ v), shares


def attention_backward(
    dy: Array, q: Array, k: Array, v: Array, shares: Array, heads: int
) -> tuple[Array, Array, Array]:
    """dq (N, T, D), dk, dv (N, S, D); a share of 0 has no gradient, so masks are not needed again."""
    dy, q, k, v = (_by_head(array, heads) for array in (dy, q, k, v))
    # y = shares v
    dv = shares.swapaxes(2, 3) @ dy
    dshares = dy @ v.swapaxes(2, 3)
    # shares = softmax(scores)
    dscores = shares * (dshares - (dshares * shares).sum(axis=-1, keepdims=True))
    # scores = q k^T / sqrt(D / heads)
    dscores *= q.dtype.type(1 / math.sqrt(q.shape[3]))
    return _side_by_side(dscores @ k), _side_by_side(dscores.swapaxes(2, 3) @ q), _side_by_side(dv)


def rotate_heads(x: Array, heads: int, cosines: Array, sines: Array) -> Array:
    """x (N, T, D): in each head, feature j of the first half and j of the second, rotated as a point in the plane.

    cosines, sines (T, D / heads / 2), of the angle for each position and pair. The derivative is the inverse rotation:
    the same with -sines.
    """
    halves = x.reshape(*x.shape[:2], heads, 2, cosines.shape[1])
    first, second = halves[:, :, :, 0], halves[:, :, :, 1]
    cosines, sines = cosines[:, np.newaxis], sines[:, np.newaxis]
    turned = np.stack((first * cosines - second * sines, first * sines + second * cosines), axis=3)
    return turned.reshape(x.shape)


def _by_head(x: Array, heads: int) -> Array:
    """(N, T, D) -> (N, heads, T, D / heads)."""
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads).swapaxes(1, 2)


def _side_by_side(x: Array) -> Array:
    """(N, heads, T, D / heads) -> (N, T, D)."""
    return np.ascontiguousarray(x.swapaxes(1, 2)).reshape(len(x), x.shape[2], x.shape[1] * x.shape[3])
