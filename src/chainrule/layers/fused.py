"""Which layers of a network run as one: the same numbers, without writing out what lies between them.

A network whose layers are read one by one has them one by one; only its passes use these. They exist where a native
kernel makes them pay: a convolution's output, several times larger than anything else in a small network, then never
leaves the processor's cache.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.layers.activations import ReLU
from chainrule.layers.base import Layer
from chainrule.layers.conv import Conv2D
from chainrule.layers.pool import MaxPool2D

__all__ = ["ConvReLUPool", "fuse"]


class ConvReLUPool(Layer):
    """Conv2D, ReLU and MaxPool2D(2), all three built, in one."""

    def __init__(self, conv: Conv2D, relu: ReLU, pool: MaxPool2D) -> None:
        self.conv = conv
        self.relu = relu
        self.pool = pool
        self.input_shape, self.output_shape, self.dtype = conv.input_shape, pool.output_shape, conv.dtype

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        b = self.conv.b.value if self.conv.bias else None
        y, place = kernels.conv_relu_pool_forward(x, self.conv.W.value, b, *self.conv.reading())
        return y, (x, y, place)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        (x, y, place), W = cache, self.conv.W
        # y = max of each window of max(conv(x), 0)
        dW, db = kernels.conv_relu_pool_weight_gradient(x, dy, y, place, W.shape, *self.conv.reading())
        W.grad += dW
        if self.conv.bias:
            self.conv.b.grad += db
        if not input_gradient:
            return None
        return kernels.conv_relu_pool_input_gradient(dy, y, place, W.value, x.shape, *self.conv.reading())


def fuse(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers with those that run as one put together; all as they are where there are no native kernels."""
    if not kernels.NATIVE:
        return tuple(layers)
    steps: list[Layer] = []
    rest = list(layers)
    while rest:
        match rest[:3]:
            case [Conv2D() as conv, ReLU() as relu, MaxPool2D() as pool] if _pays(conv, relu, pool):
                steps.append(ConvReLUPool(conv, relu, pool))
                del rest[:3]
            case _:
                steps.append(rest.pop(0))
    return tuple(steps)


def _pays(conv: Conv2D, relu: ReLU, pool: MaxPool2D) -> bool:
    """Whether these are the layers themselves (not somebody's subclass), and windows of 2 x 2 side by side."""
    themselves = type(conv) is Conv2D and type(relu) is ReLU and type(pool) is MaxPool2D
    return themselves and pool.windows() == ((2, 2), (2, 2), ((0, 0), (0, 0))) and conv.output_shape is not None
