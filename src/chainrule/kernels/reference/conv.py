"""Convolution of images, as a matrix product: every window of the image is a column.

    y[n, f, p, q] = b[f] + sum over c, i, j of W[f, c, i, j] x[n, c, SH p + i - top, SW q + j - left]

(the kernel is not flipped, as usual in this field). x (N, C, H, W), W (F, C / groups, KH, KW), b (F,) or None,
y and dy (N, F, OH, OW); G groups, each from C / G channels to F / G filters. A column holds the K = (C / G) KH KW
numbers of one window; only a few samples are done at a time, so that the columns stay in the processor's cache and
never take many times the memory of the batch.
"""

import math
from collections.abc import Iterator

import numpy as np

from chainrule.arrays import Array, Padding, Pair, Shape
from chainrule.kernels.reference.arguments import check_convolution
from chainrule.kernels.reference.windows import offsets, pad_image, unpad_image, windows

__all__ = ["conv_bias_gradient", "conv_forward", "conv_input_gradient", "conv_weight_gradient"]

_COLUMN_BYTES = 2**19


def conv_forward(x: Array, W: Array, b: Array | None, stride: Pair, padding: Padding, groups: int) -> Array:
    """x, W, b -> y."""
    check_convolution(x.shape, W.shape, stride, padding, groups)
    kernel: Pair = W.shape[2:]
    padded = pad_image(x, padding)
    view = windows(padded, kernel, stride)
    y = np.empty((len(x), len(W), *view.shape[2:4]), x.dtype)
    rows = W.reshape(groups, len(W) // groups, -1)
    for some in _few_samples(view):
        columns = _columns(view[some], groups)
        y[some] = (rows @ columns).reshape(y[some].shape)  # (G, F / G, K) @ (n, G, K, OH OW)
    if b is not None:
        y += b[:, np.newaxis, np.newaxis]
    return y


def conv_weight_gradient(
    x: Array, dy: Array, weight_shape: Shape, stride: Pair, padding: Padding, groups: int
) -> Array:
    """x, dy -> dW: the sum over samples of dy times the transposed columns."""
    check_convolution(x.shape, weight_shape, stride, padding, groups)
    view = windows(pad_image(x, padding), (weight_shape[2], weight_shape[3]), stride)
    dW = np.zeros((groups, weight_shape[0] // groups, math.prod(weight_shape[1:])), dy.dtype)
    for some in _few_samples(view):
        columns = _columns(view[some], groups)
        rows = dy[some].reshape(len(columns), groups, weight_shape[0] // groups, -1)
        dW += (rows @ columns.swapaxes(2, 3)).sum(axis=0)  # (n, G, F / G, OH OW) @ (n, G, OH OW, K)
    return dW.reshape(weight_shape)


def conv_bias_gradient(dy: Array) -> Array:
    """dy -> db (F,), the sum over samples and pixels."""
    db: Array = dy.sum(axis=(0, 2, 3))
    return db


def conv_input_gradient(dy: Array, W: Array, input_shape: Shape, stride: Pair, padding: Padding, groups: int) -> Array:
    """dy, W -> dx (N, C, H, W): W^T dy is the gradient of the columns, added back where they were read."""
    check_convolution(input_shape, W.shape, stride, padding, groups)
    kernel: Pair = W.shape[2:]
    (top, bottom), (left, right) = padding
    N, C, height, width = input_shape
    dx = np.zeros((N, C, height + top + bottom, width + left + right), dy.dtype)
    view = windows(dx, kernel, stride)
    columns_of = W.reshape(groups, len(W) // groups, -1).swapaxes(1, 2)
    for some in _few_samples(view):
        rows = dy[some].reshape(len(dy[some]), groups, len(W) // groups, -1)
        columns = (columns_of @ rows).reshape(len(rows), C, *kernel, *dy.shape[2:])
        for place, (down, across) in enumerate(offsets(kernel, stride, dy.shape[2:])):
            dx[some, :, down, across] += columns[:, :, *divmod(place, kernel[1])]
    return unpad_image(dx, padding)


def _few_samples(view: Array) -> Iterator[slice]:
    """Slices of the batch whose columns take about _COLUMN_BYTES."""
    size = max(1, math.prod(view.shape[1:]) * view.itemsize)
    count = max(1, _COLUMN_BYTES // size)
    for start in range(0, len(view), count):
        yield slice(start, start + count)


def _columns(view: Array, groups: int) -> Array:
    """Windows (n, C, OH, OW, KH, KW) -> columns (n, G, K, OH OW), a copy."""
    n, C, OH, OW, KH, KW = view.shape
    return view.transpose(0, 1, 4, 5, 2, 3).reshape(n, groups, C // groups * KH * KW, OH * OW)
