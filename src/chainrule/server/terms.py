"""The terms whose sum is an element of a gradient, each a product of named numbers.

`explain` takes the recorded pass of one sample through one layer and an element of dx, or of a parameter's gradient,
and returns its terms. Their sum is the element, for every layer: if no rule below covers the layer, a term is dy[i]
times the slope of y[i], found by a backward pass of a 1 at i and 0 elsewhere. All arithmetic is in float64.

Legend: D inputs, H outputs, C channels, F filters, P positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.layers import (
    ELU,
    GELU,
    SELU,
    Affine,
    AvgPool2D,
    BatchNorm,
    Clip,
    Conv2D,
    ConvTranspose2D,
    Dropout,
    Embedding,
    Expand,
    Flatten,
    GlobalAvgPool2D,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    InstanceNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    MaxPool2D,
    Mish,
    Pad,
    Parallel,
    PointwiseAffine,
    Positions,
    PReLU,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Scale,
    ScaleShift,
    Sequential,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    Standardize,
    Tanh,
    Transpose,
    Unembedding,
    Upsample,
)
from chainrule.layers.geometry import as_image
from chainrule.layers.trace import TraceRow

__all__ = ["Factor", "Group", "explain", "explainable", "products", "reads"]

_LARGEST_SLOPES = 2**24
"""Maximum size of y times size of x, if slopes are found one y at a time."""
_AT_ONCE = 2**18


@dataclass(frozen=True)
class Factor:
    """One factor of each of n terms.

    name: for display. values: (n,) float64. array: "dy", "x" or a parameter, if it was read from there; at: the flat
    positions read (n, m), with m = 1 unless the factor is a sum of m numbers.
    """

    name: str
    values: Array
    array: str = ""
    at: Array | None = None


Group = tuple[Factor, ...]
"""The factors of n terms."""
_Rule = Callable[[TraceRow, int], list[Group]]


def explainable(row: TraceRow) -> list[str]:
    """The gradients of this place that can be explained: "dx", and names of parameters."""
    names = [name for name in row.gradients if _rule(row.layer, name) is not None]
    known = type(row.layer) in _OF_LAYERS or _rule(row.layer, "dx") is not None
    return [*(["dx"] if row.dx is not None and (known or _fits(row)) else []), *names]


def explain(row: TraceRow, array: str, flat: int) -> list[Group]:
    """The terms of element `flat` of dx, or of the gradient of the parameter `array`, for a batch of one."""
    rule = _rule(row.layer, array)
    return _slopes(row, flat) if rule is None else rule(row, flat)


def products(groups: list[Group]) -> Array:
    """The terms' values (n,)."""
    return np.concatenate([math.prod((factor.values for factor in group), start=np.float64(1)) for group in groups])


def reads(groups: list[Group]) -> dict[str, Array]:
    """The numbers read, by array: flat positions in order."""
    found: dict[str, list[Array]] = {}
    for group in groups:
        for factor in group:
            if factor.array and factor.at is not None:
                found.setdefault(factor.array, []).append(factor.at.ravel())
    return {name: np.unique(np.concatenate(places)) for name, places in found.items()}


def _rule(layer: Layer, array: str) -> _Rule | None:
    return next((rules[array] for kinds, rules in _RULES if isinstance(layer, kinds) and array in rules), None)


def _read(name: str, array: Array, at: Array) -> Factor:
    """A factor that is one number of an array of the sample, or of a parameter."""
    at = np.atleast_1d(at)
    return Factor(name, array.reshape(-1)[at].astype(np.float64), name, at[:, np.newaxis])


def _dy(row: TraceRow, at: Array) -> Factor:
    assert row.dy is not None
    return _read("dy", row.dy, at)


def _x(row: TraceRow, at: Array) -> Factor:
    return _read("x", row.x, at)


def _weight(row: TraceRow, name: str, at: Array) -> Factor:
    return _read(name, row.layer.parameters[name].value, at)


# ---- affine layers: y = x W + b at every position ----


def _affine_dx(row: TraceRow, flat: int) -> list[Group]:
    inputs, outputs = row.layer.parameters["W"].shape
    place, j = divmod(flat, inputs)
    k = np.arange(outputs)
    return [(_dy(row, place * outputs + k), _weight(row, "W", j * outputs + k))]


def _affine_dw(row: TraceRow, flat: int) -> list[Group]:
    inputs, outputs = row.layer.parameters["W"].shape
    j, k = divmod(flat, outputs)
    places = np.arange(row.x.size // inputs)
    return [(_x(row, places * inputs + j), _dy(row, places * outputs + k))]


def _affine_db(row: TraceRow, flat: int) -> list[Group]:
    outputs = row.layer.parameters["b"].size
    return [(_dy(row, np.arange(row.y.size // outputs) * outputs + flat),)]


def _table_dx(row: TraceRow, flat: int) -> list[Group]:
    entries, size = row.layer.parameters["W"].shape  # y = x W^T
    place, d = divmod(flat, size)
    v = np.arange(entries)
    return [(_dy(row, place * entries + v), _weight(row, "W", v * size + d))]


def _table_dw(row: TraceRow, flat: int) -> list[Group]:
    entries, size = row.layer.parameters["W"].shape
    v, d = divmod(flat, size)
    places = np.arange(row.x.size // size)
    return [(_x(row, places * size + d), _dy(row, places * entries + v))]


def _embedding_dw(row: TraceRow, flat: int) -> list[Group]:
    size = row.layer.parameters["W"].shape[1]
    v, d = divmod(flat, size)  # y = W[x]
    return [(_dy(row, np.flatnonzero(row.x.ravel() == v) * size + d),)]


# ---- windows: convolution and pooling ----


def _conv_dx(row: TraceRow, flat: int) -> list[Group]:
    layer, image, output, weights = _convolution(row)
    (down, across), ((top, _), (left, _)), groups, dilation = layer.reading()
    c, i, j = np.unravel_index(flat, image)
    per_group, filters = weights[1], weights[0] // groups
    places: list[tuple[int, int, int, int]] = []
    for a in range(weights[2]):
        p, over = divmod(int(i) + top - a * dilation[0], down)
        for b in range(weights[3] if over == 0 and 0 <= p < output[1] else 0):
            q, over = divmod(int(j) + left - b * dilation[1], across)
            if over == 0 and 0 <= q < output[2]:
                places.append((a, b, p, q))
    at_a, at_b, at_p, at_q = np.array(places, int).reshape(-1, 4).T
    f = int(c) // per_group * filters + np.arange(filters)[:, np.newaxis]
    dy_at = np.ravel_multi_index((f, at_p, at_q), output).ravel()
    w_at = np.ravel_multi_index((f, np.int64(c % per_group), at_a, at_b), weights).ravel()
    return [(_dy(row, dy_at), _weight(row, "W", w_at))]


def _conv_dw(row: TraceRow, flat: int) -> list[Group]:
    layer, image, output, weights = _convolution(row)
    (down, across), ((top, _), (left, _)), groups, dilation = layer.reading()
    f, c, a, b = (int(index) for index in np.unravel_index(flat, weights))
    channel = f // (weights[0] // groups) * weights[1] + c
    p, q = (axis.ravel() for axis in np.indices(output[1:]))
    i, j = p * down + a * dilation[0] - top, q * across + b * dilation[1] - left
    inside = (i >= 0) & (i < image[1]) & (j >= 0) & (j < image[2])
    x_at = np.ravel_multi_index((np.int64(channel), i[inside], j[inside]), image)
    return [(_x(row, x_at), _dy(row, np.ravel_multi_index((np.int64(f), p[inside], q[inside]), output)))]


def _channel_sum(row: TraceRow, flat: int) -> list[Group]:
    each = math.prod(row.y.shape[2:])
    return [(_dy(row, flat * each + np.arange(each)),)]


def _convolution(row: TraceRow) -> tuple[Conv2D, Shape, Shape, Shape]:
    """The layer, and the shapes of x, y and W as those of an image."""
    assert isinstance(row.layer, Conv2D)
    W = row.layer.W.shape
    return row.layer, as_image(row.x.shape[1:]), as_image(row.y.shape[1:]), (*W[:2], *as_image(W[1:])[1:])


def _max_pool_dx(row: TraceRow, flat: int) -> list[Group]:
    assert isinstance(row.layer, MaxPool2D)
    place, shape = row.cache
    (_, width), (down, across), ((top, _), (left, _)) = row.layer.windows(shape[1:])
    c, i, j = np.unravel_index(flat, shape[1:])
    found = place[0, c].astype(int)
    p, q = np.indices(found.shape)
    here = (p * down + found // width - top == i) & (q * across + found % width - left == j)
    return [(_dy(row, int(c) * found.size + np.flatnonzero(here)),)]


# ---- elementwise: activations, scales, and layers that only move numbers ----


def _elementwise(row: TraceRow, flat: int) -> list[Group]:
    assert row.dy is not None
    slopes = row.layer.backward(np.ones_like(row.dy), row.cache)
    assert slopes is not None
    at = np.array([[flat]])
    return [(_dy(row, np.array([flat])), Factor("slope", slopes.reshape(-1)[[flat]].astype(np.float64), "x", at))]


def _same(row: TraceRow, flat: int) -> list[Group]:
    return [(_dy(row, np.arange(flat, min(flat + 1, row.y.size))),)]  # positions beyond the sequence have none


def _moved(row: TraceRow, flat: int) -> list[Group]:
    """For a layer y = A x + b: the slopes are the output for a 1 at that x, minus the output for zeros."""
    both = np.zeros((2, *row.x.shape[1:]))
    both[0].flat[flat] = 1
    y = row.layer.astype("float64").forward(both)[0].reshape(2, -1)
    slopes = y[0] - y[1]
    (at,) = np.nonzero(slopes)
    return [(_dy(row, at), Factor("slope", slopes[at]))]


def _softmax_dx(row: TraceRow, flat: int) -> list[Group]:
    classes = row.y.shape[-1]
    first = flat // classes * classes
    i = first + np.arange(classes)
    y, own = row.y.reshape(-1)[i].astype(np.float64), np.float64(row.y.flat[flat])
    slopes = y * ((i == flat) - own) if isinstance(row.layer, Softmax) else (i == flat) - np.exp(own)
    return [(_dy(row, i), Factor("slope", slopes))]


def _of_parameter(name: str, where: Callable[[TraceRow], Array], factor: Callable[[TraceRow, Array], Group]) -> _Rule:
    """The sum of dy times another factor over every x that used this element of a parameter."""
    return lambda row, flat: [(_dy(row, at := np.flatnonzero(where(row) == flat)), *factor(row, at))]


def _along(row: TraceRow, shape: Shape) -> Array:
    """For each x, the parameter's element that is broadcast to it."""
    return np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), row.x.shape[1:]).ravel()


def _along_scale(row: TraceRow) -> Array:
    return _along(row, row.layer.parameters["scale"].shape)


def _along_slopes(row: TraceRow) -> Array:
    return _along(row, (row.layer.parameters["slopes"].size, *[1] * (row.x.ndim - 2)))


def _below_zero(row: TraceRow, at: Array) -> Group:
    x = _x(row, at)
    return (Factor("min(x, 0)", np.minimum(x.values, 0), "x", x.at),)


# ---- normalization: mean and variance depend on every x ----


def _along_gamma(row: TraceRow) -> Array:
    size, every = row.layer.parameters["gamma"].size, np.arange(row.x.size)
    return every % size if isinstance(row.layer, LayerNorm | RMSNorm) else every // (row.x.size // size)


def _normalized(row: TraceRow) -> tuple[Array, Array]:
    """h of each x (P, n), one row per set of numbers normalized together, and 1 / sigma of each row (P, 1)."""
    if isinstance(row.layer, GroupNorm | InstanceNorm | RMSNorm):
        h, inverse = row.cache
        return h.reshape(inverse.size, -1).astype(np.float64), inverse.reshape(-1, 1).astype(np.float64)
    x, mean, inverse = row.cache[-3:]
    x = x.reshape(mean.size, -1).astype(np.float64)
    inverse = inverse.reshape(-1, 1).astype(np.float64)
    return (x - mean.reshape(-1, 1)) * inverse, inverse


def _h(row: TraceRow, at: Array) -> Group:
    return (Factor("h", _normalized(row)[0].reshape(-1)[at], "x", at[:, np.newaxis]),)


def _norm_dx(row: TraceRow, flat: int) -> list[Group]:
    h, inverse = _normalized(row)
    group, own = divmod(flat, h.shape[1])
    gamma = _weight(row, "gamma", _along_gamma(row))
    together = (group * h.shape[1] + np.arange(h.shape[1]))[np.newaxis]
    scale = Factor("1/σ", inverse[group])
    dh = _dy(row, np.arange(row.x.size)).values * gamma.values
    dh, x = dh[together[0]], h[group]
    assert gamma.at is not None
    groups: list[Group] = [(_dy(row, np.array([flat])), _weight(row, "gamma", gamma.at[flat]), scale)]
    if isinstance(row.layer, BatchNorm) and not row.cache[0]:
        return groups  # in inference, mean and variance are constants
    if not isinstance(row.layer, RMSNorm):
        groups.append((Factor("−mean(dh)", np.array([-dh.mean()]), "dy", together), scale))
    product = Factor("mean(dh · h)", np.array([(dh * x).mean()]), "dy", together)
    return [*groups, (Factor("−h", np.array([-x[own]]), "x", np.array([[flat]])), product, scale)]


# ---- any other layer ----


def _fits(row: TraceRow) -> bool:
    return math.prod(row.x.shape[1:]) * math.prod(row.y.shape[1:]) <= _LARGEST_SLOPES


def _slopes(row: TraceRow, flat: int) -> list[Group]:
    assert row.dy is not None
    layer, x = row.layer.astype("float64"), row.x[:1].astype(np.float64)
    (used,) = np.nonzero(row.dy.reshape(-1))
    some = max(1, _AT_ONCE // max(row.x.size, row.y.size))
    slopes = np.zeros(len(used))
    for start in range(0, len(used), some):
        at = used[start : start + some]
        dy = np.zeros((len(at), *row.y.shape[1:]))
        dy.reshape(len(at), -1)[np.arange(len(at)), at] = 1
        dx = layer.backward(dy, layer.run(np.repeat(x, len(at), axis=0))[2])
        assert dx is not None
        slopes[start : start + some] = dx.reshape(len(at), -1)[:, flat]
    kept = slopes != 0
    return [(_dy(row, used[kept]), Factor("slope", slopes[kept]))]


_OF_LAYERS = (Sequential, Residual, Parallel)
"""Their dx is the sum of those of their inner layers (inner.py)."""
_ELEMENTWISE = (
    Clip, Dropout, ELU, GELU, HardSigmoid, HardSwish, LeakyReLU, Mish, PReLU, ReLU, SELU, Scale, ScaleShift, SiLU,
    Sigmoid, Softplus, Standardize, Tanh,
)  # fmt: skip
_NORMS = (BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm)
_MOVING = (AvgPool2D, ConvTranspose2D, Expand, GlobalAvgPool2D, Pad, Slice, Transpose, Upsample)
_RULES: list[tuple[tuple[type[Layer], ...], dict[str, _Rule]]] = [
    ((Affine, PointwiseAffine), {"dx": _affine_dx, "W": _affine_dw, "b": _affine_db}),
    ((Conv2D,), {"dx": _conv_dx, "W": _conv_dw, "b": _channel_sum}),
    ((ConvTranspose2D,), {"b": _channel_sum}),
    ((MaxPool2D,), {"dx": _max_pool_dx}),
    ((Flatten, Positions, Reshape), {"dx": _same, "P": _same}),
    ((Softmax, LogSoftmax), {"dx": _softmax_dx}),
    ((Embedding,), {"W": _embedding_dw}),
    ((Unembedding,), {"dx": _table_dx, "W": _table_dw}),
    ((ScaleShift,), {"scale": _of_parameter("scale", _along_scale, lambda row, at: (_x(row, at),))}),
    ((ScaleShift,), {"shift": _of_parameter("shift", _along_scale, lambda row, at: ())}),
    ((PReLU,), {"slopes": _of_parameter("slopes", _along_slopes, _below_zero)}),
    (_NORMS, {"dx": _norm_dx, "gamma": _of_parameter("gamma", _along_gamma, _h)}),
    (_NORMS, {"beta": _of_parameter("beta", _along_gamma, lambda row, at: ())}),
    (_ELEMENTWISE, {"dx": _elementwise}),
    (_MOVING, {"dx": _moved}),
]
