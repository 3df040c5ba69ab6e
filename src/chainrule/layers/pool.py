"""Pooling: each window of an image becomes one number, its maximum or its mean.

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
import numpy.typing as npt

from chainrule import kernels
from chainrule.arrays import Array, Padding, Pair, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.layers.geometry import (
    PaddingOption,
    PairOption,
    as_image,
    check_image,
    is_same,
    onnx_pad,
    onnx_padding,
    pair,
    place_window,
    sides,
)

__all__ = ["AvgPool2D", "GlobalAvgPool2D", "MaxPool2D"]


class _Pool2D(Layer):
    """What max and average pooling share: where the windows lie."""

    axes = 2

    def __init__(
        self,
        kernel_size: PairOption = 2,
        stride: PairOption | None = None,
        padding: PaddingOption = 0,
        ceil_mode: bool = False,
    ) -> None:
        kernel = pair(kernel_size, "kernel_size", 1, self.axes)
        if stride is not None:
            pair(stride, "stride", 1, self.axes)
        if not is_same(padding) and any(
            max(around) >= size for around, size in zip(sides(padding, self.axes), kernel, strict=True)
        ):
            raise OptionError(
                f"{type(self).__name__} needs a padding smaller than its kernel {kernel_size}, got {padding}: "
                "a window must not lie outside the image"
            )
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        return (shape[0], *self._place(shape)[1])

    def windows(self, shape: Shape) -> tuple[Pair, Pair, Padding]:
        """Where the windows lie in images of `shape`: their size, stride, and padding of all four sides."""
        return *self._sizes(), self._place(shape)[0]

    def _sizes(self) -> tuple[Pair, Pair]:
        kernel = pair(self.kernel_size, "kernel_size", 1, self.axes)
        return kernel, kernel if self.stride is None else pair(self.stride, "stride", 1, self.axes)

    def _place(self, shape: Shape) -> tuple[Padding, Pair]:
        return place_window(self, shape, *self._sizes(), self.padding, self.ceil_mode, self.axes)

    def _onnx(self, graph: Any, operator: str, x: str, *, counting: bool = False) -> str:
        assert self.input_shape is not None
        image = as_image(self.input_shape)
        kernel, stride = self._sizes()
        around, same = self._own(image), is_same(self.padding)
        where = onnx_padding(self.padding if is_same(self.padding) else around, self.axes)
        where |= ({"ceil_mode": 1} if self.ceil_mode else {}) | ({"count_include_pad": 1} if counting else {})
        apart = any(
            step + after * (not same) > size for size, step, (_, after) in zip(kernel, stride, around, strict=True)
        )
        if apart and (same or self.ceil_mode):  # a window may start past the image, and not every ONNX reader drops it
            reach = self._place(image)[0]
            if counting:
                x = onnx_pad(graph, x, around, self.axes)
                reach = _without(reach, around)
            where = onnx_padding(reach, self.axes)
        where |= {"kernel_shape": kernel[-self.axes :], "strides": stride[-self.axes :]}
        name: str = graph.add(operator, x, **where)
        return name

    def _own(self, shape: Shape) -> Padding:
        """The padding of all four sides, without the pixels that `ceil_mode` adds."""
        return self._place(shape)[0] if isinstance(self.padding, str) else sides(self.padding, self.axes)


def _without(reach: Padding, around: Padding) -> Padding:
    down, across = ((a - c, b - d) for (a, b), (c, d) in zip(reach, around, strict=True))
    return down, across


class MaxPool2D(_Pool2D):
    """x (N, C, H, W) -> y (N, C, OH, OW), the maximum of each window; on a tie the first one counts.

    Args:
        kernel_size: the window, one number or (height, width).
        stride: the step between windows; by default the window's size.
        padding: rows and columns around the image that are never the maximum: one number, (above and below, left and
            right), ((above, below), (left, right)), or "same" or "same-lower" as in Conv2D.
        ceil_mode: whether the last window may reach beyond the padding, so that no pixel is dropped at the edge.
    """

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, place = kernels.max_pool_forward(x, *self.windows(x.shape[1:]))
        return y, (place, x.shape)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        place, input_shape = cache
        # y = x[place], the largest of the window
        return kernels.max_pool_backward(dy, place, input_shape, *self.windows(input_shape[1:]))

    def onnx(self, graph: Any, x: str) -> str:
        return self._onnx(graph, "MaxPool", x)


class AvgPool2D(_Pool2D):
    """x (N, C, H, W) -> y (N, C, OH, OW), the mean of each window.

    Args:
        kernel_size: the window, one number or (height, width).
        stride: the step between windows; by default the window's size.
        padding: rows and columns around the image, as in MaxPool2D.
        ceil_mode: whether the last window may reach beyond the padding; positions beyond it never count.
        count_include_pad: whether padding counts in the mean, as zeros.
    """

    def __init__(
        self,
        kernel_size: PairOption = 2,
        stride: PairOption | None = None,
        padding: PaddingOption = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y = kernels.avg_pool_forward(x, *self.windows(x.shape[1:]))
        return y * self._share(x.shape[1:], y.dtype) if self.count_include_pad else y, x.shape

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        input_shape = cache
        # y = sum / pixels of the window: its mean without padding, times the fraction of it that is image
        dmean = dy * self._share(input_shape[1:], dy.dtype) if self.count_include_pad else dy
        return kernels.avg_pool_backward(dmean, input_shape, *self.windows(input_shape[1:]))

    def onnx(self, graph: Any, x: str) -> str:
        return self._onnx(graph, "AveragePool", x, counting=self.count_include_pad)

    def _share(self, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """The fraction of each window that is image, not padding (OH, OW); positions beyond the padding are neither."""
        around, output = self._own(shape), self._place(shape)[1]
        shares: list[Array] = []
        for length, size, step, (before, after), places in zip(shape[1:], *self._sizes(), around, output, strict=True):
            begin = np.arange(places) * step
            end = np.minimum(begin + size, before + length + after)
            shares.append((np.minimum(end, before + length) - np.maximum(begin, before)) / (end - begin))
        return np.outer(*shares).astype(dtype)


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
