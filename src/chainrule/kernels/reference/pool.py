"""The maximum or the mean of each window of an image.

x (N, C, H, W), y and dy (N, C, OH, OW). One pass over the images for each position within the window.
"""

import numpy as np

from chainrule.arrays import Array, Padding, Pair, Shape
from chainrule.kernels.reference.arguments import check_pooling
from chainrule.kernels.reference.windows import offsets, output_size, pad_image, unpad_image

__all__ = ["avg_pool_backward", "avg_pool_forward", "max_pool_backward", "max_pool_forward"]


def max_pool_forward(x: Array, kernel: Pair, stride: Pair, padding: Padding) -> tuple[Array, Array]:
    """x -> y, and the position of each y within its window, counted row by row; the first one on a tie.

    Padding is never the maximum. NaN is larger than everything, so it is not lost.
    """
    check_pooling(x.shape, kernel, stride, padding)
    padded = pad_image(x, padding, -np.inf)
    output = output_size(x.shape, kernel, stride, padding)
    y = np.full((*x.shape[:2], *output), -np.inf, x.dtype)
    place = np.zeros(y.shape, np.min_scalar_type(kernel[0] * kernel[1] - 1))
    for index, (down, across) in enumerate(offsets(kernel, stride, output)):
        candidate = padded[:, :, down, across]
        larger = (candidate > y) | np.isnan(candidate)
        np.copyto(y, candidate, where=larger)
        np.copyto(place, place.dtype.type(index), where=larger)
    return y, place


def max_pool_backward(
    dy: Array, place: Array, input_shape: Shape, kernel: Pair, stride: Pair, padding: Padding
) -> Array:
    """dy, place -> dx: each dy goes to the x that was the maximum."""
    check_pooling(input_shape, kernel, stride, padding)
    dx = _zeros(input_shape, padding, dy)
    for index, (down, across) in enumerate(offsets(kernel, stride, dy.shape[2:])):
        dx[:, :, down, across] += np.where(place == index, dy, 0)
    return unpad_image(dx, padding)


def avg_pool_forward(x: Array, kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """x -> y, the mean of the pixels of each window, not counting padding."""
    check_pooling(x.shape, kernel, stride, padding)
    padded = pad_image(x, padding)
    output = output_size(x.shape, kernel, stride, padding)
    y = np.zeros((*x.shape[:2], *output), x.dtype)
    for down, across in offsets(kernel, stride, output):
        y += padded[:, :, down, across]
    y /= _counts(x.shape, output, kernel, stride, padding).astype(x.dtype)
    return y


def avg_pool_backward(dy: Array, input_shape: Shape, kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """dy -> dx: each dy is divided evenly among its window's pixels."""
    check_pooling(input_shape, kernel, stride, padding)
    output: Pair = dy.shape[2:]
    share = dy / _counts(input_shape, output, kernel, stride, padding).astype(dy.dtype)
    dx = _zeros(input_shape, padding, dy)
    for down, across in offsets(kernel, stride, output):
        dx[:, :, down, across] += share
    return unpad_image(dx, padding)


def _zeros(input_shape: Shape, padding: Padding, like: Array) -> Array:
    (top, bottom), (left, right) = padding
    N, C, height, width = input_shape
    return np.zeros((N, C, height + top + bottom, width + left + right), like.dtype)


def _counts(input_shape: Shape, output: Pair, kernel: Pair, stride: Pair, padding: Padding) -> Array:
    """The number of pixels in each window, not counting padding (OH, OW)."""
    inside = pad_image(np.ones((1, 1, *input_shape[2:])), padding)
    return sum((inside[0, 0, down, across] for down, across in offsets(kernel, stride, output)), np.zeros(output))
