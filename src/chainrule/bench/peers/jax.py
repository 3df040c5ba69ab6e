"""JAX: a single step compiled, and a whole epoch compiled with `lax.scan`."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from chainrule.arrays import Array
from chainrule.bench.rounds import Run
from chainrule.bench.work import RATE, Goal, Work, repeated
from chainrule.data import Dataset
from chainrule.errors import OptionError
from chainrule.layers import (
    Affine,
    BatchNorm,
    Conv2D,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    Parallel,
    ReLU,
    Residual,
    Scale,
    Sequential,
)

__all__ = ["convert", "inference", "time_to", "training", "version"]

_Function = Callable[[Any, Any], Any]  # of parameters and x


def version() -> str:
    """Return JAX's version."""
    return str(jax.__version__)


def convert(layer: Layer) -> tuple[Any, _Function]:
    """Convert a built layer of ours to parameters and a function of them and x.

    The function is in training mode, and BatchNorm keeps no running statistics.
    """
    match layer:
        case Residual():
            parameters, inner = _chain(layer)
            return parameters, lambda p, x: x + inner(p, x)
        case Sequential():
            return _chain(layer)
        case Parallel(join="sum"):
            several, functions = zip(*map(convert, layer.branches), strict=True)
            return list(several), lambda p, x: sum(f(own, x) for own, f in zip(p, functions, strict=True))
        case Scale():
            return [], lambda p, x: x.astype(jnp.float32) * layer.factor
        case Flatten():
            return [], lambda p, x: x.reshape(len(x), -1)
        case ReLU():
            return [], lambda p, x: jax.nn.relu(x)
        case Affine():
            return _arrays(layer.W.value, layer.b.value), lambda p, x: x @ p[0] + p[1]
        case Conv2D():
            stride, padding, groups, dilation = layer.reading()
            arrays = [layer.W.value, *([layer.b.value] if layer.bias else [])]

            def conv(p: Any, x: Any) -> Any:
                y = lax.conv_general_dilated(x, p[0], stride, padding, None, dilation, feature_group_count=groups)
                return y + p[1][:, None, None] if layer.bias else y

            return _arrays(*arrays), conv
        case MaxPool2D():
            assert layer.input_shape is not None
            kernel, stride, padding = layer.windows(layer.input_shape)
            windows = (1, 1, *kernel), (1, 1, *stride), ((0, 0), (0, 0), *padding)
            return [], lambda p, x: lax.reduce_window(x, -jnp.inf, lax.max, *windows)
        case GlobalAvgPool2D():
            return [], lambda p, x: x.mean((2, 3))
        case BatchNorm():

            def norm(p: Any, x: Any) -> Any:
                mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
                gamma, beta = (array[:, None, None] for array in p)
                return gamma * (x - mean) * lax.rsqrt(variance + layer.epsilon) + beta

            return _arrays(layer.gamma.value, layer.beta.value), norm
    raise OptionError(f"{layer!r} has no counterpart in this benchmark")


def _chain(layer: Sequential) -> tuple[Any, _Function]:
    several, functions = zip(*map(convert, layer.layers), strict=True)

    def forward(parameters: Any, x: Any) -> Any:
        for own, function in zip(parameters, functions, strict=True):
            x = function(own, x)
        return x

    return list(several), forward


def _arrays(*arrays: Array) -> list[Any]:
    return [jnp.asarray(array) for array in arrays]


def training(net: Sequential, work: Work, train: Dataset, *, compiled: bool = True) -> Mapping[str, Run]:
    """Return SGD one step at a time, and many steps in one program."""
    first, forward = convert(net)
    assert train.y is not None
    images, labels = jnp.asarray(train.x), jnp.asarray(train.y.astype(np.int32))
    rng = np.random.default_rng(0)

    def loss(parameters: Any, x: Any, t: Any) -> Any:
        scores = jax.nn.log_softmax(forward(parameters, x))
        return -jnp.mean(jnp.take_along_axis(scores, t[:, None], 1))

    def step(state: Any, chosen: Any) -> tuple[Any, Any]:
        parameters, velocity = state
        value, gradients = jax.value_and_grad(loss)(parameters, images[chosen], labels[chosen])
        if work.momentum:
            velocity = jax.tree.map(lambda v, g: work.momentum * v + g, velocity, gradients)
        moved = velocity if work.momentum else gradients
        return (jax.tree.map(lambda p, v: p - RATE * v, parameters, moved), velocity), value

    one, many = jax.jit(step), jax.jit(lambda state, order: lax.scan(step, state, order))
    begin = first, jax.tree.map(jnp.zeros_like, first) if work.momentum else None
    state = {"step": begin, "epoch": begin}

    def order() -> Array:
        picked: Array = rng.integers(0, len(images), (work.steps, work.batch))
        return picked

    def by_step() -> float:
        batches = order()
        started = time.perf_counter()
        for chosen in batches:
            state["step"], value = one(state["step"], chosen)
        jax.block_until_ready((state["step"], value))
        return (time.perf_counter() - started) / work.steps

    def by_epoch() -> float:
        batches = order()
        started = time.perf_counter()
        state["epoch"], _ = jax.block_until_ready(many(state["epoch"], batches))
        return (time.perf_counter() - started) / work.steps

    return {"JAX, by step": by_step, "JAX, epoch compiled": by_epoch} if compiled else {"JAX, by step": by_step}


def inference(net: Sequential, x: Array, repeats: int) -> Mapping[str, Run]:
    """Return the compiled forward pass, for networks without BatchNorm."""
    parameters, forward = convert(net)
    compiled, pixels = jax.jit(forward), jnp.asarray(x)
    return {"JAX": repeated(lambda: jax.block_until_ready(compiled(parameters, pixels)), repeats)}


def time_to(goal: Goal, net: Sequential, train: Dataset, test: Dataset, seed: int) -> float | None:
    """Return None: not measured for JAX."""
    return None
