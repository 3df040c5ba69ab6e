"""A dilated convolution as several plain ones, each over every D-th pixel of the image.

With a kernel of K, stride S, dilation D and G the greatest common divisor of S and D, output p = a + q D / G reads

    p S + i D = a S + D (q S / G + i),   i = 0 ... K - 1

so all outputs with the same a (0 to D / G - 1) are a plain convolution with stride S / G of the pixels a S, a S + D,
a S + 2 D, ... Two of them read the same pixel only where windows overlap, nothing is multiplied by zeros, and the
plain kernels work unchanged. The same holds vertically and horizontally. (Dilation: Yu and Koltun 2016,
arXiv:1511.07122.)

Shapes as in `kernels/reference/conv.py`: x (N, C, H, W), W (F, C / groups, KH, KW), b (F,) or None, y and dy
(N, F, OH, OW).
"""

import math
from collections.abc import Iterator

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Padding, Pair, Shape
from chainrule.kernels.reference.windows import output_size, pad_image, unpad_image

__all__ = ["conv_forward", "conv_input_gradient", "conv_weight_gradient", "spread"]

_NONE: Padding = ((0, 0), (0, 0))


def spread(kernel: Pair, dilation: Pair) -> Pair:
    """How many pixels a dilated kernel spans, down and across."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def conv_forward(
    x: Array, W: Array, b: Array | None, stride: Pair, padding: Padding, groups: int, dilation: Pair
) -> Array:
    """x, W, b -> y."""
    if dilation == (1, 1):
        return kernels.conv_forward(x, W, b, stride, padding, groups)
    output = output_size(x.shape, spread(W.shape[2:], dilation), stride, padding)
    y = np.empty((len(x), len(W), *output), x.dtype)
    padded = pad_image(x, padding)
    for pixels, places, step in _apart(stride, dilation, output):
        y[places] = kernels.conv_forward(padded[pixels], W, b, step, _NONE, groups)
    return y


def conv_weight_gradient(
    x: Array, dy: Array, weight_shape: Shape, stride: Pair, padding: Padding, groups: int, dilation: Pair
) -> Array:
    """x, dy -> dW: the sum over the plain convolutions."""
    if dilation == (1, 1):
        return kernels.conv_weight_gradient(x, dy, weight_shape, stride, padding, groups)
    dW = np.zeros(weight_shape, dy.dtype)
    padded = pad_image(x, padding)
    for pixels, places, step in _apart(stride, dilation, dy.shape[2:]):
        dW += kernels.conv_weight_gradient(padded[pixels], dy[places], weight_shape, step, _NONE, groups)
    return dW


def conv_input_gradient(
    dy: Array, W: Array, input_shape: Shape, stride: Pair, padding: Padding, groups: int, dilation: Pair
) -> Array:
    """dy, W -> dx: each plain convolution has its own pixels."""
    if dilation == (1, 1):
        return kernels.conv_input_gradient(dy, W, input_shape, stride, padding, groups)
    N, C, height, width = input_shape
    (top, bottom), (left, right) = padding
    dx = np.zeros((N, C, top + height + bottom, left + width + right), dy.dtype)
    for pixels, places, step in _apart(stride, dilation, dy.shape[2:]):
        dx[pixels] = kernels.conv_input_gradient(dy[places], W, dx[pixels].shape, step, _NONE, groups)
    return unpad_image(dx, padding)


_Where = tuple[slice, slice, slice, slice]


def _apart(stride: Pair, dilation: Pair, output: Pair) -> Iterator[tuple[_Where, _Where, Pair]]:
    """For each plain convolution: its pixels in the padded image, its positions in the output, and its stride."""
    common = math.gcd(stride[0], dilation[0]), math.gcd(stride[1], dilation[1])
    every = dilation[0] // common[0], dilation[1] // common[1]
    everything = slice(None)
    for i in range(min(every[0], output[0])):
        for j in range(min(every[1], output[1])):
            pixels = slice(i * stride[0], None, dilation[0]), slice(j * stride[1], None, dilation[1])
            places = slice(i, None, every[0]), slice(j, None, every[1])
            step = stride[0] // common[0], stride[1] // common[1]
            yield (everything, everything, *pixels), (everything, everything, *places), step
