"""Kernels that are several others one after the other: here just that, in C++ without the steps in between.

`chain`: x (N, D) times a factor, then Affine, ReLU, Affine, ..., Affine, as in a network without convolutions. x holds
floats or pixels (uint8); W (D, H), b (H,) and y (N, H) come as a list, one for each Affine.

`conv_relu_pool`: a convolution, ReLU, and max pooling of 2 x 2 side by side. The largest of the ReLUs is the ReLU of
the largest, so pooling comes first. x, W, b, stride, padding and groups are the convolution's; y and dy
(N, F, OH // 2, OW // 2) the pooling's, and `place` tells which of the four pixels each y is from.
"""

from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array, Padding, Pair, Shape
from chainrule.kernels.reference.affine import (
    add_affine_weight_gradient,
    affine_bias_gradient,
    affine_forward,
    affine_input_gradient,
)
from chainrule.kernels.reference.arguments import check_convolution
from chainrule.kernels.reference.conv import (
    conv_bias_gradient,
    conv_forward,
    conv_input_gradient,
    conv_weight_gradient,
)
from chainrule.kernels.reference.elementwise import relu_backward, relu_forward, scale_forward
from chainrule.kernels.reference.pool import max_pool_backward, max_pool_forward
from chainrule.kernels.reference.windows import output_size

__all__ = [
    "add_chain_gradients",
    "chain_forward",
    "conv_relu_pool_forward",
    "conv_relu_pool_input_gradient",
    "conv_relu_pool_weight_gradient",
]

_POOL: tuple[Pair, Pair, Padding] = ((2, 2), (2, 2), ((0, 0), (0, 0)))


def chain_forward(x: Array, factor: float, weights: Sequence[Array], biases: Sequence[Array]) -> list[Array]:
    """x, factor, each W and b -> each y: the output of every Affine, behind its ReLU but for the last."""
    y = _scaled(x, factor, weights)
    outputs: list[Array] = []
    for W, b in zip(weights, biases, strict=True):
        y = affine_forward(y, W, b)
        if len(outputs) < len(weights) - 1:
            y = relu_forward(y)
        outputs.append(y)
    return outputs


def add_chain_gradients(
    x: Array,
    factor: float,
    outputs: Sequence[Array],
    dy: Array,
    weights: Sequence[Array],
    weight_gradients: Sequence[Array],
    bias_gradients: Sequence[Array],
    input_gradient: bool,
) -> Array | None:
    """Adds to each dW and db in place; the gradient of x (N, D) where it is asked for."""
    below = [_scaled(x, factor, weights), *outputs[:-1]]
    for k in reversed(range(len(weights))):
        add_affine_weight_gradient(below[k], dy, weight_gradients[k])
        bias_gradients[k][...] += affine_bias_gradient(dy)
        if k > 0 or input_gradient:
            dy = affine_input_gradient(dy, weights[k])
        if k > 0:
            dy = relu_backward(dy, outputs[k - 1])
    return scale_forward(dy, factor, dy.dtype) if input_gradient else None


def _scaled(x: Array, factor: float, weights: Sequence[Array]) -> Array:
    return scale_forward(x, factor, x.dtype if x.dtype.kind == "f" else weights[0].dtype)


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
