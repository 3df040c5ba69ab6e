"""A chain of Affine layers as one kernel: here one after the other, in C++ without returning in between.

x (N, D) times a factor, then Affine, ReLU, Affine, ..., Affine, as in a network without convolutions. x holds floats or
pixels (uint8); W (D, H), b (H,) and y (N, H) come as lists with one array per Affine.
"""

from collections.abc import Sequence

from chainrule.arrays import Array
from chainrule.kernels.reference.affine import (
    add_affine_weight_gradient,
    affine_bias_gradient,
    affine_forward,
    affine_input_gradient,
)
from chainrule.kernels.reference.elementwise import relu_backward, relu_forward, scale_forward

__all__ = ["add_chain_gradients", "chain_forward"]


def chain_forward(x: Array, factor: float, weights: Sequence[Array], biases: Sequence[Array]) -> list[Array]:
    """x, factor, each W and b -> each y: the output of every Affine, after its ReLU except for the last."""
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
    """Adds to each dW and db in place; returns the gradient of x (N, D) if asked for."""
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
