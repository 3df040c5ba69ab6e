"""More elementwise activations: clipped, exponential, learned and hard ones, and Mish.

    Clip         y = min(max(x, low), high)          dx = dy where low < x < high, else 0
    ELU          y = x, or alpha (e^x - 1) below 0   dx = dy, or alpha e^x dy below 0
    SELU         y = scale ELU(x)                    dx = scale dELU
    PReLU        y = x, or slope x below 0           dx = dy, or slope dy below 0;  dslope = sum of dy x below 0
    HardSigmoid  y = slope x + offset, 0 to 1        dx = slope dy where 0 < y < 1, else 0
    HardSwish    y = x h, h = HardSigmoid(x)         dx = dy (h + x / 6 where 0 < h < 1)
    Mish         y = x t, t = tanh(softplus(x))      dx = dy (t + x (1 - t^2) sigmoid(x))

Any shape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.parameters import Parameter

__all__ = ["ELU", "SELU", "Clip", "HardSigmoid", "HardSwish", "Mish", "PReLU"]

_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805
"""SELU's constants, which make mean 0 and variance 1 a fixed point."""


class Clip(Layer):
    """y = x between low and high, else the nearer bound; Clip(0, 6) is ReLU6  (Howard et al. 2017, arXiv:1704.04861).

    Args:
        low: the smallest y, or None for no bound.
        high: the largest y, or None for no bound.
    """

    def __init__(self, low: float | None = 0.0, high: float | None = 6.0) -> None:
        if low is not None and high is not None and not low <= high:
            raise OptionError(f"Clip needs a low bound that is not above the high one, got {low} and {high}")
        self.low = low
        self.high = high

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        low, high = self._bounds()
        y: Array = np.minimum(np.maximum(x, low), high)
        return y, x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        low, high = self._bounds()
        # y = min(max(x, low), high)
        dx: Array = dy * ((x > low) & (x < high))
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        low, high = ("" if bound is None else graph.constant(bound) for bound in (self.low, self.high))
        name: str = graph.add("Clip", x, low, high)
        return name

    def _bounds(self) -> tuple[float, float]:
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high


class ELU(Layer):
    """y = x where x > 0, else alpha (exp(x) - 1)  (Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289).

    Args:
        alpha: y tends to -alpha far below zero.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return _elu(x, self.alpha), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = x where x > 0, else alpha * (exp(x) - 1)
        return dy * _elu_slope(x, self.alpha)

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Elu", x, alpha=self.alpha)
        return name


class SELU(Layer):
    """y = 1.0507 ELU(x) with alpha = 1.6733: keeps mean 0 and variance 1  (Klambauer et al. 2017, arXiv:1706.02515)."""

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return _SCALE * _elu(x, _ALPHA), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = scale * (x where x > 0, else alpha * (exp(x) - 1))
        return dy * (_SCALE * _elu_slope(x, _ALPHA))

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Selu", x)
        return name


class PReLU(Layer):
    """y = x where x > 0, else slope x, with a learned slope  (He et al. 2015, arXiv:1502.01852).

    x (N, ...) -> the same shape; slope (1,), or (C,) with one per channel or feature.

    Args:
        slope: the initial value of all slopes.
        shared: one slope for all; otherwise one per channel (C, ...).
    """

    def __init__(self, slope: float = 0.25, shared: bool = True) -> None:
        self.slope = slope
        self.shared = shared

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if not (shape or self.shared):
            raise self.shape_error("needs features (C,) or images (C, H, W), got (): use PReLU(shared=True)")
        count = 1 if self.shared else shape[0]
        self.slopes = Parameter(np.full(count, self.slope, np.float32), decay=False)
        return shape

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return np.where(x > 0, x, self._along(x) * x), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        # y = x where x > 0, else slope * x
        dslope = dy * np.where(x > 0, 0, x)
        self.slopes.grad += dslope.sum() if self.shared else dslope.sum(axis=(0, *range(2, x.ndim)))
        return np.where(x > 0, dy, self._along(x) * dy)

    def onnx(self, graph: Any, x: str) -> str:
        assert self.input_shape is not None
        slopes = graph.held(self.slopes)
        if not self.shared and len(self.input_shape) > 1:
            slopes = graph.add("Reshape", slopes, graph.constant([-1] + [1] * (len(self.input_shape) - 1), np.int64))
        name: str = graph.add("PRelu", x, slopes)
        return name

    def _along(self, x: Array) -> Array:
        """The slopes as an array that broadcasts to x."""
        return self.slopes.value if self.shared else self.slopes.value.reshape(-1, *[1] * (x.ndim - 2))


class HardSigmoid(Layer):
    """y = slope x + offset, clipped to 0..1  (Courbariaux, Bengio and David 2015, arXiv:1511.00363).

    Args:
        slope: of the linear part.
        offset: y at x = 0.
    """

    def __init__(self, slope: float = 1 / 6, offset: float = 0.5) -> None:
        self.slope = slope
        self.offset = offset

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y = _hard_sigmoid(x, self.slope, self.offset)
        return y, y

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        y = cache
        # y = min(max(slope * x + offset, 0), 1)
        dx: Array = dy * self.slope * ((y > 0) & (y < 1))
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("HardSigmoid", x, alpha=self.slope, beta=self.offset)
        return name


class HardSwish(Layer):
    """y = x min(max(x / 6 + 1 / 2, 0), 1)  (Howard et al. 2019, arXiv:1905.02244)."""

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return x * _hard_sigmoid(x, 1 / 6, 0.5), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        h = _hard_sigmoid(x, 1 / 6, 0.5)
        # y = x * h with h = min(max(x / 6 + 1 / 2, 0), 1), and dh/dx = 1 / 6 where 0 < h < 1
        dx: Array = dy * (h + np.where((h > 0) & (h < 1), x / 6, 0))
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("HardSwish", x)
        return name


class Mish(Layer):
    """y = x tanh(softplus(x))  (Misra 2019, arXiv:1908.08681)."""

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return x * np.tanh(kernels.softplus_forward(x)), x

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x = cache
        t = np.tanh(kernels.softplus_forward(x))
        # y = x * t with t = tanh(softplus(x)), and dt/dx = (1 - t^2) * sigmoid(x)
        dx: Array = dy * (t + x * (1 - t**2) * kernels.sigmoid_forward(x))
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        name: str = graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))
        return name


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _elu_slope(x: Array, alpha: float) -> Array:
    return np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


def _hard_sigmoid(x: Array, slope: float, offset: float) -> Array:
    y: Array = np.minimum(np.maximum(slope * x + offset, 0), 1)
    return y
