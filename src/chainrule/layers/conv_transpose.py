"""ConvTranspose2D: a transposed convolution, which spreads each pixel over a window and enlarges images.

Its forward pass is the input gradient of a convolution from y to x, and its backward pass is that convolution. With
p, q a position in the input, c one of its channels and i, j a position in the kernel,

    y[n, f, p S + i - top, q S + j - left] is b[f] plus the sum, over all p, q, i, j that lead to that pixel, of
        sum over c of W[c, f, i, j] x[n, c, p, q]

    dW[c, f, i, j] = sum over n, p, q of x[n, c, p, q] dy[n, f, p S + i - top, q S + j - left]
    db[f] = sum over n and all pixels of dy
    dx[n, c, p, q] = sum over f, i, j of W[c, f, i, j] dy[n, f, p S + i - top, q S + j - left]

An axis of length L becomes (L - 1) S + K - before - after + output_padding.
(Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285; Zeiler et al. 2010,
"Deconvolutional networks".)
Legend: N batch, C channels, F filters, H height, W width, K kernel, S stride.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Padding, Pair, Shape, quiet
from chainrule.errors import OptionError
from chainrule.initializers import He, Initializer, Zeros
from chainrule.layers.base import Layer, check_size
from chainrule.layers.geometry import PairOption, check_image, onnx_padding, pair, sides
from chainrule.parameters import Parameter

__all__ = ["ConvTranspose2D"]


class ConvTranspose2D(Layer):
    """x (N, C, H, W), W (C, F / groups, KH, KW), b (F,) -> y (N, F, OH, OW), larger by the stride.

    Args:
        filters: F.
        kernel_size: K, or (KH, KW).
        stride: the distance between the windows of neighboring pixels, one number or (down, across).
        padding: rows and columns cut off around the result: one number, (above and below, left and right), or
            ((above, below), (left, right)).
        output_padding: extra rows below and columns on the right, fewer than the stride.
        groups: number of groups that channels and filters are split into, each convolved separately.
        bias: whether to add b.
        initializer: draws W; b starts at zero.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: PairOption,
        stride: PairOption = 1,
        padding: PairOption | Padding = 0,
        output_padding: PairOption = 0,
        groups: int = 1,
        bias: bool = True,
        initializer: Initializer = He(),  # noqa: B008 (an initializer has no state)
    ) -> None:
        pair(kernel_size, "kernel_size", 1), sides(padding)
        steps, more = pair(stride, "stride", 1), pair(output_padding, "output_padding", 0)
        if any(extra >= step for extra, step in zip(more, steps, strict=True)):
            raise OptionError(f"output_padding must be less than the stride {steps}, got {more}")
        if filters < 1 or groups < 1 or filters % groups:
            raise OptionError(f"ConvTranspose2D needs filters that divide into groups, got {filters} into {groups}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.groups = groups
        self.bias = bias
        self.initializer = initializer

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_image(self, shape)
        channels = shape[0]
        if channels % self.groups:
            raise self.shape_error(
                f"cannot divide {channels} channels into {self.groups} groups, got {shape}: "
                "choose groups that divide both channels and filters"
            )
        kernel, stride = pair(self.kernel_size, "kernel_size", 1), pair(self.stride, "stride", 1)
        more = pair(self.output_padding, "output_padding", 0)
        whole = tuple((n - 1) * s + k + o for n, s, k, o in zip(shape[1:], stride, kernel, more, strict=True))
        check_size(self, (self.filters, *whole))
        output = tuple(length - sum(cut) for length, cut in zip(whole, sides(self.padding), strict=True))
        if min(output) < 1:
            raise self.shape_error(
                f"makes {whole[0]} x {whole[1]} of {shape}, and the padding {self.padding} "
                "cuts all of it off: use less padding"
            )
        window = channels // self.groups * kernel[0] * kernel[1]
        fan_in = max(1, window // (stride[0] * stride[1]))  # the average number of products summed in an output
        weight_shape = (channels, self.filters // self.groups, *kernel)
        fan_out = self.filters // self.groups * kernel[0] * kernel[1]
        self.W = Parameter(self.initializer(weight_shape, fan_in, fan_out, rng))
        if self.bias:
            self.b = Parameter(Zeros()((self.filters,), fan_in, fan_out, rng), decay=False)
        return (self.filters, *output)

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        assert self.output_shape is not None
        y = kernels.conv_input_gradient(x, self.W.value, (len(x), *self.output_shape), *self._reading())
        if self.bias:
            y = y + self.b.value[:, np.newaxis, np.newaxis]
        return y, x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x, W = cache, self.W.value
        # y[n, f, p S + i - top, q S + j - left] += sum over c of W[c, f, i, j] x[n, c, p, q], and b[f] everywhere
        self.W.grad += kernels.conv_weight_gradient(dy, x, W.shape, *self._reading())
        if self.bias:
            self.b.grad += kernels.conv_bias_gradient(dy)
        return kernels.conv_forward(dy, W, None, *self._reading()) if input_gradient else None

    def multiply_adds(self, shape: Shape) -> int:
        return shape[1] * shape[2] * self.W.size

    def onnx(self, graph: Any, x: str) -> str:
        stride, _, groups = self._reading()
        arrays = [graph.held(self.W), *([graph.held(self.b)] if self.bias else [])]
        more = pair(self.output_padding, "output_padding", 0)
        where = {"strides": stride, "group": groups, "output_padding": more} | onnx_padding(sides(self.padding))
        name: str = graph.add("ConvTranspose", x, *arrays, **where)
        return name

    def _reading(self) -> tuple[Pair, Padding, int]:
        """Where the windows lie in y: stride, padding of all four sides, groups, as the kernels take them."""
        return pair(self.stride, "stride", 1), sides(self.padding), self.groups
