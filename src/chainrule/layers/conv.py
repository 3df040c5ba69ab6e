"""Conv2D: a small kernel slides over the image; each output pixel is a dot product of the kernel with a window.

With p, q a position in the output, c a channel and i, j a position in the kernel,

    y[n, f, p, q] = b[f] + sum over c, i, j of W[f, c, i, j] x[n, c, p S + i D - top, q S + j D - left]

    dW[f, c, i, j] = sum over n, p, q of dy[n, f, p, q] x[n, c, p S + i D - top, q S + j D - left]
    db[f] = sum over n, p, q of dy[n, f, p, q]
    dx: each dy[n, f, p, q] W[f, c, i, j] is added to the x that forward multiplied by that W

(LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition"; groups: Krizhevsky et al. 2012;
dilation: Yu and Koltun 2016, arXiv:1511.07122.)
Legend: N batch, C channels, F filters, H height, W width, K kernel, S stride, D dilation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Padding, Pair, Shape, quiet
from chainrule.errors import OptionError
from chainrule.initializers import He, Initializer, Zeros
from chainrule.layers.base import Layer
from chainrule.layers.dilation import conv_forward, conv_input_gradient, conv_weight_gradient, spread
from chainrule.layers.geometry import (
    PaddingOption,
    PairOption,
    check_image,
    is_same,
    onnx_padding,
    pair,
    place_window,
    sides,
)
from chainrule.parameters import Parameter

__all__ = ["Conv2D"]


class Conv2D(Layer):
    """x (N, C, H, W), W (F, C / groups, KH, KW), b (F,) -> y (N, F, OH, OW).

    Args:
        filters: F.
        kernel_size: K, or (KH, KW).
        stride: the step between windows, one number or (down, across).
        padding: zeros around the image: one number, (above and below, left and right), ((above, below), (left,
            right)), or "same" for OH = ceil(H / stride); if the total is odd, the extra row and column go below and
            right ("same-lower": above and left).
        groups: number of groups that channels and filters are split into, each convolved separately; C groups make a
            depthwise convolution.
        bias: whether to add b; a BatchNorm right after the convolution makes it redundant.
        initializer: draws W; b starts at zero.
        dilation: the distance between the pixels of a window, one number or (down, across).
    """

    axes = 2

    def __init__(
        self,
        filters: int,
        kernel_size: PairOption,
        stride: PairOption = 1,
        padding: PaddingOption = 0,
        groups: int = 1,
        bias: bool = True,
        initializer: Initializer = He(),  # noqa: B008 (an initializer has no state)
        dilation: PairOption = 1,
    ) -> None:
        for value, what in ((kernel_size, "kernel_size"), (stride, "stride"), (dilation, "dilation")):
            pair(value, what, 1, self.axes)
        if not is_same(padding):
            sides(padding, self.axes)
        if filters < 1 or groups < 1 or filters % groups:
            raise OptionError(
                f"{type(self).__name__} needs filters that divide into groups, got {filters} into {groups}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.groups = groups
        self.bias = bias
        self.initializer = initializer
        self.dilation = dilation

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_image(self, shape)
        channels = shape[0]
        if channels % self.groups:
            raise self.shape_error(
                f"cannot divide {channels} channels into {self.groups} groups, got {(channels, *shape[-self.axes :])}: "
                "choose groups that divide both channels and filters"
            )
        kernel = pair(self.kernel_size, "kernel_size", 1, self.axes)
        self._stride = pair(self.stride, "stride", 1, self.axes)
        down, across = pair(self.dilation, "dilation", 1, self.axes)
        self._dilation = down if kernel[0] > 1 else 1, across if kernel[1] > 1 else 1
        span = spread(kernel, self._dilation)
        self._padding, output = place_window(self, shape, span, self._stride, self.padding, axes=self.axes)
        window = channels // self.groups * kernel[0] * kernel[1]
        fan_out = self.filters // self.groups * kernel[0] * kernel[1]
        self._weight_shape = (self.filters, channels // self.groups, *kernel)
        weights = self.initializer(self._weight_shape, window, fan_out, rng)
        self.W = Parameter(weights.reshape(*self._weight_shape[:2], *kernel[-self.axes :]))
        if self.bias:
            self.b = Parameter(Zeros()((self.filters,), window, fan_out, rng), decay=False)
        return (self.filters, *output)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        W, b = self.W.value.reshape(self._weight_shape), self.b.value if self.bias else None
        return conv_forward(x, W, b, *self.reading()), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x, W = cache, self.W.value.reshape(self._weight_shape)
        # y[n, f, p, q] = b[f] + sum over c, i, j of W[f, c, i, j] x[n, c, p S + i D - top, q S + j D - left]
        self.W.grad += conv_weight_gradient(x, dy, W.shape, *self.reading()).reshape(self.W.shape)
        if self.bias:
            self.b.grad += kernels.conv_bias_gradient(dy)
        if not input_gradient:
            return None
        return conv_input_gradient(dy, W, x.shape, *self.reading())

    def reading(self) -> tuple[Pair, Padding, int, Pair]:
        """Where a built layer's windows lie: stride, padding of all four sides, groups, dilation."""
        return self._stride, self._padding, self.groups, self._dilation

    def multiply_adds(self, shape: Shape) -> int:
        assert self.output_shape is not None
        return math.prod(self.output_shape[1:]) * self.W.size

    def onnx(self, graph: Any, x: str) -> str:
        arrays = [graph.weights(self), *([graph.held(self.b)] if self.bias else [])]
        plain = self._dilation == (1, 1)  # ONNX Runtime has no auto_pad with dilation
        where = onnx_padding(self.padding if is_same(self.padding) and plain else self._padding, self.axes)
        where |= {} if plain else {"dilations": self._dilation[-self.axes :]}
        name: str = graph.add("Conv", x, *arrays, strides=self._stride[-self.axes :], group=self.groups, **where)
        return name
