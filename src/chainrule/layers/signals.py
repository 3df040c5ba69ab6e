"""Layers for signals (N, C, L): the image layers applied to images one pixel high.

    Conv1D           y[n, f, p] = b[f] + sum over c, i of W[f, c, i] x[n, c, p S + i D - before]
    MaxPool1D        y = max of the window
    AvgPool1D        y = mean of the window
    GlobalAvgPool1D  y[n, c] = mean of x[n, c]
    Pad1D            y = x with a border

The gradients are those of `conv`, `pool` and `shape`. (Convolution in time: Waibel et al. 1989, "Phoneme recognition
using time-delay neural networks"; with dilation: van den Oord et al. 2016, arXiv:1609.03499.)
Legend: N batch, C channels, F filters, L length, K kernel, S stride, D dilation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.layers.base import Layer
from chainrule.layers.conv import Conv2D
from chainrule.layers.geometry import as_image
from chainrule.layers.pool import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from chainrule.layers.shape import Pad

__all__ = ["AvgPool1D", "Conv1D", "GlobalAvgPool1D", "MaxPool1D", "Pad1D"]


class _Signal(Layer):
    """A mixin before an image layer: it reads (N, C, L) as (N, C, 1, L), and its options have one axis."""

    axes = 1

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if len(shape) != 2:
            raise self.shape_error(f"needs signals (C, L), got {shape}: put Reshape((C, L)) before it")
        channels, *lengths = super().build(as_image(shape), rng)
        return (channels, *lengths[1:])

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, cache = super().forward(x[:, :, np.newaxis], train=train, rng=rng)
        return y.reshape(*y.shape[:2], *y.shape[3:]), cache

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # y = layer.forward(x[:, :, np.newaxis])
        image = dy[:, :, np.newaxis] if dy.ndim == 3 else dy
        dx = super().backward(image, cache, input_gradient=input_gradient)
        return None if dx is None else dx[:, :, 0]


class Conv1D(_Signal, Conv2D):
    """x (N, C, L), W (F, C / groups, K), b (F,) -> y (N, F, OL).

    Args:
        filters: F.
        kernel_size: K.
        stride: the step between windows.
        padding: zeros on both sides, one number or (before, after); "same" for OL = ceil(L / stride); if the total is
            odd, the extra zero goes after ("same-lower": before).
        groups: number of groups that channels and filters are split into, each convolved separately.
        bias: whether to add b.
        initializer: draws W; b starts at zero.
        dilation: the distance between the numbers of a window.
    """


class MaxPool1D(_Signal, MaxPool2D):
    """x (N, C, L) -> y (N, C, OL), the maximum of each window; on a tie the first one counts.

    Args:
        kernel_size: the window.
        stride: the step between windows; by default the window's size.
        padding: as in Conv1D; never the maximum.
        ceil_mode: whether the last window may reach beyond the padding.
    """


class AvgPool1D(_Signal, AvgPool2D):
    """x (N, C, L) -> y (N, C, OL), the mean of each window.

    Args:
        kernel_size: the window.
        stride: the step between windows; by default the window's size.
        padding: as in Conv1D.
        ceil_mode: whether the last window may reach beyond the padding; positions beyond it never count.
        count_include_pad: whether padding counts in the mean, as zeros.
    """


class GlobalAvgPool1D(_Signal, GlobalAvgPool2D):
    """x (N, C, L) -> y (N, C), the mean of each channel."""

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("ReduceMean", x, axes=[2], keepdims=0)
        return name


class Pad1D(_Signal, Pad):
    """(N, C, L) -> (N, C, before + L + after), a border around each signal.

    Args:
        padding: one number, or (before, after).
        mode: "constant", "edge" or "reflect", as in Pad.
        value: the constant.
    """
