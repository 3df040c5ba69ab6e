"""BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm: mean 0 and variance 1, then a learned scale and shift.

    h = (x - mean) / sqrt(variance + epsilon),   y = gamma h + beta

BatchNorm takes the mean and variance of a channel over the batch (and over the image); LayerNorm of a sample over its
features; GroupNorm of a sample over a group of its channels; InstanceNorm of each channel of a sample. When they are
computed from the data, they depend on every x, and with means taken over the same numbers

    dgamma = sum of dy h,   dbeta = sum of dy
    dx = gamma / sqrt(variance + epsilon) (dy - mean(dy) - h mean(dy h))                              (BatchNorm)
    dx = 1 / sqrt(variance + epsilon) (dh - mean(dh) - h mean(dh h)),  dh = gamma dy                  (the others)

In inference BatchNorm's mean and variance are constants, and dx = gamma / sqrt(variance + epsilon) dy. RMSNorm
subtracts no mean and has no shift: h = x / sqrt(mean(x^2) + epsilon), y = gamma h, and with dh = gamma dy

    dgamma = sum of dy h,   dx = 1 / sqrt(mean(x^2) + epsilon) (dh - h mean(dh h))

(Ioffe and Szegedy 2015, arXiv:1502.03167; Ba, Kiros and Hinton 2016, arXiv:1607.06450; Wu and He 2018,
arXiv:1803.08494; Ulyanov, Vedaldi and Lempitsky 2016, arXiv:1607.08022; Zhang and Sennrich 2019, arXiv:1910.07467.)
Legend: N batch, C channels or features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.base import Layer
from chainrule.parameters import Buffer, Parameter

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]


class BatchNorm(Layer):
    """x (N, C), (N, C, L) or (N, C, H, W) -> the same shape; gamma, beta and the running statistics (C,).

    Training uses the batch's mean and variance and updates the running ones; inference uses the running ones.

    Args:
        momentum: running <- momentum running + (1 - momentum) batch; for the variance it uses the paper's unbiased
            estimate, divided by one less than the count.
        epsilon: keeps the root away from zero.

    Attributes:
        across: if this batch is part of a larger one, adds its sums to those of the other parts
            (training/whole_batch.py); otherwise None.
    """

    across: Callable[[Array], Array] | None = None

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5) -> None:
        if not 0 <= momentum < 1:
            raise OptionError(f"momentum must be from 0 up to (not including) 1, got {momentum}: 0.9 is usual")
        _check_epsilon(epsilon)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if not shape:
            raise self.shape_error("needs features (C,) or images (C, H, W), got (): put Reshape((1,)) before it")
        channels = shape[:1]
        self.check_room(channels, 6)  # with the gradients
        self.gamma = Parameter(np.ones(channels, np.float32), decay=False)
        self.beta = Parameter(np.zeros(channels, np.float32), decay=False)
        self.running_mean = Buffer(np.zeros(channels, np.float32))
        self.running_variance = Buffer(np.ones(channels, np.float32))
        return shape

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        return self.normalize(x, train)

    @quiet
    def normalize(self, x: Array, train: bool, relu: bool = False) -> tuple[Array, Any]:
        """`forward`, followed by a ReLU if the two are fused (layers/fused.py)."""
        flat = x.reshape(len(x), x.shape[1], math.prod(x.shape[2:]))
        gamma, beta = self.gamma.value, self.beta.value
        count = flat.shape[0] * flat.shape[2]
        if train and self.across is not None:
            return self._normalize_part(flat, x.shape, self.across, relu)
        if train and count:
            self._refuse_single(count, x.shape)
            y, mean, variance = kernels.batch_norm_forward(flat, gamma, beta, self.epsilon, relu)
            self._keep(mean, variance, count)
            inverse_std = 1 / np.sqrt(variance + self.epsilon)
        else:
            mean, inverse_std = self.running_mean.value.copy(), 1 / np.sqrt(self.running_variance.value + self.epsilon)
            y = kernels.batch_norm_inference(flat, gamma, beta, mean, inverse_std, relu)
        return y.reshape(x.shape), (train and count > 0, flat, mean, inverse_std)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        return self.normalize_backward(dy, cache)

    @quiet
    def normalize_backward(self, dy: Array, cache: Any, y: Array | None = None) -> Array:
        """`backward`; y is the output of the fused ReLU, if there is one."""
        # of_batch: whether the batch's own statistics were used; for a part, the sum over all parts and their count
        of_batch, x, mean, inverse_std = cache
        if isinstance(of_batch, tuple):
            return self._part_backward(dy, cache, y)
        # y = gamma (x - mean) / sqrt(variance + epsilon) + beta; in training mean and variance are functions of x
        backward = kernels.batch_norm_backward if of_batch else kernels.batch_norm_inference_backward
        after_relu = None if y is None else y.reshape(x.shape)
        dx, dgamma, dbeta = backward(dy.reshape(x.shape), x, after_relu, self.gamma.value, mean, inverse_std)
        self.gamma.grad += dgamma
        self.beta.grad += dbeta
        result: Array = dx.reshape(dy.shape)
        return result

    def _normalize_part(
        self, x: Array, shape: Shape, across: Callable[[Array], Array], relu: bool
    ) -> tuple[Array, Any]:
        """`normalize` for a part x (N, C, L) of a batch, with the mean and variance of all parts."""
        shift = self.running_mean.value  # squares of numbers near zero lose no digits; the same shift for all parts
        centered = x - shift[:, None]
        sums = centered.sum(axis=(0, 2), dtype=np.float64)
        squares = np.einsum("ncl,ncl->c", centered, centered, dtype=np.float64)
        count, *moments = np.split(across(np.concatenate([[x.size / len(sums)], sums, squares])), [1, 1 + len(sums)])
        self._refuse_single(int(count[0]), shape)
        offset, square = (moment / count for moment in moments)
        mean = (shift + offset).astype(x.dtype)
        variance = np.maximum(square - offset**2, 0).astype(x.dtype)
        self._keep(mean, variance, int(count[0]))
        inverse_std = 1 / np.sqrt(variance + self.epsilon)
        y = kernels.batch_norm_inference(x, self.gamma.value, self.beta.value, mean, inverse_std, relu)
        return y.reshape(shape), ((across, int(count[0])), x, mean, inverse_std)

    def _part_backward(self, dy: Array, cache: Any, y: Array | None) -> Array:
        """`normalize_backward` for a part: its own dgamma and dbeta, and a dx that accounts for all parts."""
        (across, count), x, mean, inverse_std = cache
        upstream = dy.reshape(x.shape)
        if y is not None:
            upstream = upstream * (y.reshape(x.shape) > 0)
        h = (x - mean[:, None]) * inverse_std[:, None]
        dbeta = upstream.sum(axis=(0, 2), dtype=np.float64)
        dgamma = np.einsum("ncl,ncl->c", upstream, h, dtype=np.float64)
        self.gamma.grad += dgamma
        self.beta.grad += dbeta
        means = (across(np.concatenate([dbeta, dgamma])) / count).astype(x.dtype)
        of_dy, of_dy_h = np.split(means, 2)
        # y = gamma h + beta, h = (x - mean) / sqrt(variance + epsilon); mean and variance are functions of every x
        dx = (self.gamma.value * inverse_std)[:, None] * (upstream - of_dy[:, None] - h * of_dy_h[:, None])
        result: Array = dx.reshape(dy.shape)
        return result

    def _keep(self, mean: Array, variance: Array, count: int) -> None:
        """Update the running statistics from a batch's."""
        keep = self.momentum
        self.running_mean.value = keep * self.running_mean.value + (1 - keep) * mean
        unbiased = variance * (count / (count - 1))
        self.running_variance.value = keep * self.running_variance.value + (1 - keep) * unbiased

    def _refuse_single(self, count: int, shape: Shape) -> None:
        if count == 1:
            raise ShapeError(
                f"cannot train on a batch of one, got {shape}: one number has no variance; use a batch_size that "
                "leaves no batch of one at the end, or LayerNorm",
                self,
            )


class LayerNorm(Layer):
    """x (N, ...) -> the same shape, each sample separately; gamma and beta have the shape of the normalized axes.

    Args:
        axes: how many of the last axes are normalized together: 1 for rows, 3 for whole images.
        epsilon: keeps the root away from zero.
    """

    def __init__(self, axes: int = 1, epsilon: float = 1e-5) -> None:
        _check_axes(self, axes)
        _check_epsilon(epsilon)
        self.axes = axes
        self.epsilon = epsilon

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        normalised = _last_axes(self, self.axes, shape)
        self.check_room(normalised, 4)
        self.gamma = Parameter(np.ones(normalised, np.float32), decay=False)
        self.beta = Parameter(np.zeros(normalised, np.float32), decay=False)
        return shape

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        size = self.gamma.size
        rows = x.reshape(x.size // size, size)
        gamma, beta = self.gamma.value.ravel(), self.beta.value.ravel()
        y, mean, inverse_std = kernels.layer_norm_forward(rows, gamma, beta, self.epsilon)
        return y.reshape(x.shape), (rows, mean, inverse_std)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        rows, mean, inverse_std = cache
        gamma = self.gamma.value.ravel()
        # y = gamma (x - mean) / sqrt(variance + epsilon) + beta; mean and variance are functions of x
        dx, dgamma, dbeta = kernels.layer_norm_backward(dy.reshape(rows.shape), rows, gamma, mean, inverse_std)
        self.gamma.grad += dgamma.reshape(self.gamma.shape)
        self.beta.grad += dbeta.reshape(self.beta.shape)
        return dx.reshape(dy.shape)


class RMSNorm(Layer):
    """x (N, ...) -> the same shape, each sample divided by its root mean square; gamma has the normalized axes' shape.

    Args:
        axes: how many of the last axes are normalized together: 1 for rows, 3 for whole images.
        epsilon: keeps the root away from zero.
    """

    def __init__(self, axes: int = 1, epsilon: float = 1e-5) -> None:
        _check_axes(self, axes)
        _check_epsilon(epsilon)
        self.axes = axes
        self.epsilon = epsilon

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        normalised = _last_axes(self, self.axes, shape)
        self.check_room(normalised, 2)
        self.gamma = Parameter(np.ones(normalised, np.float32), decay=False)
        return shape

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        over = self._over(x)
        inverse_rms = 1 / np.sqrt(np.square(x).mean(axis=over, keepdims=True) + self.epsilon)
        h = x * inverse_rms
        return self.gamma.value * h, (h, inverse_rms)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        h, inverse_rms = cache
        # y = gamma * h
        self.gamma.grad += (dy * h).sum(axis=tuple(range(dy.ndim - self.axes)))
        dh = dy * self.gamma.value
        # h = x / sqrt(mean(x^2) + epsilon); the mean is a function of x
        dx: Array = inverse_rms * (dh - h * (dh * h).mean(axis=self._over(dy), keepdims=True))
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        square = graph.add("ReduceMean", graph.add("Mul", x, x), axes=list(range(-self.axes, 0)))
        root = graph.add("Sqrt", graph.add("Add", square, graph.constant(self.epsilon)))
        name: str = graph.add("Mul", graph.add("Div", x, root), graph.held(self.gamma))
        return name

    def _over(self, x: Array) -> tuple[int, ...]:
        """The normalized axes of x."""
        return tuple(range(x.ndim - self.axes, x.ndim))


class _OfChannels(Layer):
    """What GroupNorm and InstanceNorm share: each group of channels is normalized separately, then gamma, beta (C,)."""

    epsilon: float

    def groups_of(self, channels: int) -> int:
        """The number of groups for this number of channels."""
        raise NotImplementedError

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if not shape:
            raise self.shape_error("needs channels (C, ...), got (): put Reshape((1,)) before it")
        if shape[0] % self.groups_of(shape[0]):
            raise self.shape_error(
                f"cannot divide {shape[0]} channels into {self.groups_of(shape[0])} groups, got {shape}: "
                "use a number of groups that divides them"
            )
        self.check_room(shape[:1], 4)
        self.gamma = Parameter(np.ones(shape[:1], np.float32), decay=False)
        self.beta = Parameter(np.zeros(shape[:1], np.float32), decay=False)
        return shape

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        groups = self.groups_of(x.shape[1])
        rows = x.reshape(len(x) * groups, math.prod(x.shape[1:]) // groups)
        centered = rows - rows.mean(axis=1, keepdims=True)
        inverse_std = 1 / np.sqrt(np.square(centered).mean(axis=1, keepdims=True) + self.epsilon)
        h = centered * inverse_std
        channels = (-1, *[1] * (x.ndim - 2))
        y = self.gamma.value.reshape(channels) * h.reshape(x.shape) + self.beta.value.reshape(channels)
        return y, (h, inverse_std)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        h, inverse_std = cache
        others = (0, *range(2, dy.ndim))
        # y = gamma * h + beta
        self.gamma.grad += (dy * h.reshape(dy.shape)).sum(axis=others)
        self.beta.grad += dy.sum(axis=others)
        dh = (dy * self.gamma.value.reshape(-1, *[1] * (dy.ndim - 2))).reshape(h.shape)
        # h = (x - mean) / sqrt(variance + epsilon); mean and variance are functions of x
        dx: Array = inverse_std * (dh - dh.mean(axis=1, keepdims=True) - h * (dh * h).mean(axis=1, keepdims=True))
        return dx.reshape(dy.shape)


class GroupNorm(_OfChannels):
    """x (N, C, ...) -> the same shape, each group of channels of a sample separately; gamma and beta (C,).

    Args:
        groups: the number of groups; neighboring channels are grouped together.
        epsilon: keeps the root away from zero.
    """

    def __init__(self, groups: int, epsilon: float = 1e-5) -> None:
        if groups < 1:
            raise OptionError(f"GroupNorm needs 1 group or more, got {groups}")
        _check_epsilon(epsilon)
        self.groups = groups
        self.epsilon = epsilon

    def groups_of(self, channels: int) -> int:
        return self.groups

    def onnx(self, graph: Any, x: str) -> str:
        assert self.input_shape is not None
        rows = graph.add("Reshape", x, graph.constant([0, self.groups, -1], np.int64))
        one, zero = (graph.constant(np.full(self.groups, number)) for number in (1, 0))
        h = graph.add("InstanceNormalization", rows, one, zero, epsilon=self.epsilon)
        y = graph.add("Reshape", h, graph.constant([-1, *self.input_shape], np.int64))
        along = graph.constant([-1] + [1] * (len(self.input_shape) - 1), np.int64)
        gamma, beta = (graph.add("Reshape", graph.held(holder), along) for holder in (self.gamma, self.beta))
        name: str = graph.add("Add", graph.add("Mul", y, gamma), beta)
        return name


class InstanceNorm(_OfChannels):
    """x (N, C, ...) -> the same shape, each channel of a sample separately; gamma and beta (C,).

    Args:
        epsilon: keeps the root away from zero.
    """

    def __init__(self, epsilon: float = 1e-5) -> None:
        _check_epsilon(epsilon)
        self.epsilon = epsilon

    def groups_of(self, channels: int) -> int:
        return channels

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if len(shape) < 2:
            raise self.shape_error(f"needs channels of several numbers (C, ...), got {shape}: use LayerNorm()")
        return super().build(shape, rng)

    def onnx(self, graph: Any, x: str) -> str:
        arrays = graph.held(self.gamma), graph.held(self.beta)
        name: str = graph.add("InstanceNormalization", x, *arrays, epsilon=self.epsilon)
        return name


def _check_axes(layer: Layer, axes: int) -> None:
    if axes < 1:
        raise OptionError(f"{type(layer).__name__} needs 1 axis or more, got {axes}")


def _last_axes(layer: Layer, axes: int, shape: Shape) -> Shape:
    if len(shape) < axes:
        cure = f"use {type(layer).__name__}({len(shape)})" if shape else "put Reshape((1,)) before it"
        raise layer.shape_error(f"normalizes the last {axes} axes, got {shape}: {cure}")
    return shape[len(shape) - axes :]


def _check_epsilon(epsilon: float) -> None:
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise OptionError(f"epsilon must be a number above 0, got {epsilon}: 1e-5 is usual")
