"""Convolution, ReLU, and 2 x 2 max pooling without overlap as one kernel: in C++ without arrays in between.

The maximum of ReLUs is the ReLU of the maximum, so pooling comes first. x, W, b, stride, padding and groups belong to
the convolution, y and dy (N, F, OH // 2, OW // 2) to the pooling; `place` says which of the four pixels y comes from.
"""

import numpy as np

from chainrule.arrays import Array, Padding, Pair, Shape
from chainrule.kernels.reference.arguments import check_convolution
from chainrule.kernels.reference.conv import (
    conv_bias_gradient,
    conv_forward,
    conv_input_gradient,
    conv_weight_gradient,
)
from chainrule.kernels.reference.elementwise import relu_backward, relu_forward
from chainrule.kernels.reference.pool import max_pool_backward, max_pool_forward
from chainrule.kernels.reference.windows import output_size

__all__ = ["conv_relu_pool_forward", "conv_relu_pool_input_gradient", "conv_relu_pool_weight_gradient"]

_POOL: tuple[Pair, Pair, Padding] = ((2, 2), (2, 2), ((0, 0), (0, 0)))


def conv_relu_pool_forward(
    x: Array, W: Array, b: Array | None, stride: Pair, padding: Padding, groups: int
) -> tuple[Array, Array]:
    """x, W, b -> y, place."""
    convolved = conv_forward(x, W, b, stride, padding, groups)
    if min(convolved.shape[2:]) < 2:  # less than one window
        y = np.zeros((*convolved.shape[:2], convolved.shape[2] // 2, convolved.shape[3] // 2), convolved.dtype)
        return y, y.astype(np.uint8)
    y, place = max_pool_forward(convolved, *_POOL)
    return relu_forward(y), place


def conv_relu_pool_weight_gradient(
    x: Array, dy: Array, y: Array, place: Array, weight_shape: Shape, stride: Pair, padding: Padding, groups: int
) -> tuple[Array, Array]:
    """x, dy, y, place -> dW, db."""
    check_convolution(x.shape, weight_shape, stride, padding, groups)
    below = _below(dy, y, place, x.shape, weight_shape, stride, padding)
    return conv_weight_gradient(x, below, weight_shape, stride, padding, groups), conv_bias_gradient(below)


def conv_relu_pool_input_gradient(
    dy: Array, y: Array, place: Array, W: Array, input_shape: Shape, stride: Pair, padding: Padding, groups: int
) -> Array:
    """dy, y, place, W -> dx."""
    check_convolution(input_shape, W.shape, stride, padding, groups)
    below = _below(dy, y, place, input_shape, W.shape, stride, padding)
    return conv_input_gradient(below, W, input_shape, stride, padding, groups)


def _below(
    dy: Array, y: Array, place: Array, input_shape: Shape, weight_shape: Shape, stride: Pair, padding: Padding
) -> Array:
    """The gradient of the convolution's output."""
    size = output_size(input_shape, (weight_shape[2], weight_shape[3]), stride, padding)
    if min(size) < 2:
        return np.zeros((len(dy), weight_shape[0], *size), dy.dtype)
    return max_pool_backward(relu_backward(dy, y), place, (len(dy), weight_shape[0], *size), *_POOL)
