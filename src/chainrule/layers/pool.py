"""Pooling: each window of an image becomes one number, its largest or its mean.

    MaxPool2D      y = max of the window         dx: dy goes to the x that was the largest, 0 to the others
    AvgPool2D      y = mean of the window        dx: dy / (pixels in the window) to each of them
    GlobalAvgPool2D  y[n, c] = mean of x[n, c]   dx = dy / (H W)

Where windows overlap, their gradients add up. (Mean: LeCun et al. 1998; maximum: Ranzato et al. 2007; global: Lin et
al. 2013, arXiv:1312.4400.)
Legend: N batch, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Padding, Pair, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.layers.geometry import PairOption, check_image, pair, place_window

__all__ = ["AvgPool2D", "GlobalAvgPool2D", "MaxPool2D"]


class _Pool2D(Layer):
    """What both windowed poolings share: where the windows lie."""

    def __init__(self, kernel_size: PairOption = 2, stride: PairOption | None = None, padding: PairOption = 0) -> None:
        kernel = pair(kernel_size, "kernel_size", 1)
        if stride is not None:
            pair(stride, "stride", 1)
        if any(2 * side > size for side, size in zip(pair(padding, "padding", 0), kernel, strict=True)):
            raise OptionError(
                f"{type(self).__name__} needs a padding of at most half its kernel {kernel}, got {padding}: "
                "a window must not lie outside the image"
            )
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        kernel, stride, _ = self.windows()
        return (shape[0], *place_window(self, shape, kernel, stride, self.padding)[1])

    def windows(self) -> tuple[Pair, Pair, Padding]:
        """Where the windows lie: their size, stride, and padding of all four sides, as the kernels take them."""
        kernel = pair(self.kernel_size, "kernel_size", 1)
        down, across = pair(self.padding, "padding", 0)
        stride = kernel if self.stride is None else pair(self.stride, "stride", 1)
        return kernel, stride, ((down, down), (across, across))


class MaxPool2D(_Pool2D):
    """x (N, C, H, W) -> y (N, C, OH, OW), the largest of each window; of equal ones the first counts.

    Args:
        kernel_size: the window, one number or (height, width).
        stride: how far it moves; by default its own size.
        padding: rows and columns around the image that are never the largest.
    """

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, place = kernels.max_pool_forward(x, *self.windows())
        return y, (place, x.shape)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        place, input_shape = cache
        # y = x[place], the largest of the window
        return kernels.max_pool_backward(dy, place, input_shape, *self.windows())


class AvgPool2D(_Pool2D):
    """x (N, C, H, W) -> y (N, C, OH, OW), the mean of each window; padding is not counted in it.

    Args:
        kernel_size: the window, one number or (height, width).
        stride: how far it moves; by default its own size.
        padding: rows and columns around the image.
    """

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return kernels.avg_pool_forward(x, *self.windows()), x.shape

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        input_shape = cache
        # y = sum of the window / pixels in the window
        return kernels.avg_pool_backward(dy, input_shape, *self.windows())


class GlobalAvgPool2D(Layer):
    """x (N, C, H, W) -> y (N, C), the mean of each channel."""

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_image(self, shape)
        return shape[:1]

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return x.mean(axis=(2, 3)), x.shape

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape = cache
        # y = sum of x over H and W / (H W)
        return np.broadcast_to((dy / (shape[2] * shape[3]))[:, :, np.newaxis, np.newaxis], shape)
