"""Eight-bit weights: the weights of each output are whole numbers from -127 to 127 times that output's step.

(Per-channel symmetric quantization, Jacob et al. 2017, arXiv:1712.05877.)
"""

from collections.abc import Iterator

import numpy as np

from chainrule.arrays import Array
from chainrule.layers import Affine, Conv2D, Layer, Sequential

__all__ = ["channel_axis", "in_int8", "quantize"]


def quantize(weights: Array, axis: int) -> tuple[Array, Array]:
    """weights -> whole numbers int8 of the same shape, and the step of each channel along `axis` (C,) float32."""
    others = tuple(index for index in range(weights.ndim) if index != axis)
    largest = np.abs(weights).max(axis=others)
    steps = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    along = steps.reshape([-1 if index == axis else 1 for index in range(weights.ndim)])
    return np.clip(np.round(weights / along), -127, 127).astype(np.int8), steps


def channel_axis(layer: Layer) -> int | None:
    """The output axis of a layer's W; None for layers whose weights are not quantized."""
    return 1 if isinstance(layer, Affine) else 0 if isinstance(layer, Conv2D) else None


def in_int8(network: Sequential) -> Sequential:
    """A copy with weights rounded as in an int8 file, so it computes what that file computes."""
    rounded = network.copy()
    for layer in _walk(rounded):
        axis = channel_axis(layer)
        if axis is not None and isinstance(layer, Affine | Conv2D):
            numbers, steps = quantize(layer.W.value, axis)
            layer.W.value[...] = numbers * steps.reshape([-1 if i == axis else 1 for i in range(numbers.ndim)])
    return rounded


def _walk(layer: Layer) -> Iterator[Layer]:
    yield layer
    for _, child in layer.children():
        yield from _walk(child)
