"""Fused layers: neighboring layers that run as one, with the same numbers and no intermediate arrays.

A network still lists its layers one by one; only its passes use the fused ones. They exist where a native kernel makes
them faster: a convolution's output, several times larger than anything else in a small network, then never leaves the
processor's cache; one call for a chain of small Affine layers is cheaper than one call per layer; and what a recurrent
layer makes of a word before it knows the state need not be computed again wherever the word stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, quiet
from chainrule.layers.activations import ReLU
from chainrule.layers.affine import Affine
from chainrule.layers.base import Layer
from chainrule.layers.conv import Conv2D
from chainrule.layers.embedding import Embedding
from chainrule.layers.gru import GRU
from chainrule.layers.lstm import LSTM
from chainrule.layers.norm import BatchNorm
from chainrule.layers.pool import MaxPool2D
from chainrule.layers.preprocess import Scale
from chainrule.layers.recurrent import Recurrent
from chainrule.layers.rnn import RNN
from chainrule.layers.shape import Flatten

__all__ = ["AffineChain", "BatchNormReLU", "ConvReLUPool", "EmbeddedRecurrence", "fuse"]


class ConvReLUPool(Layer):
    """Conv2D, ReLU and MaxPool2D(2), all built, fused."""

    spans = 3

    def __init__(self, conv: Conv2D, relu: ReLU, pool: MaxPool2D) -> None:
        self.conv = conv
        self.relu = relu
        self.pool = pool
        self.input_shape, self.output_shape, self.dtype = conv.input_shape, pool.output_shape, conv.dtype

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        b = self.conv.b.value if self.conv.bias else None
        y, place = kernels.conv_relu_pool_forward(x, self.conv.W.value, b, *self.conv.reading()[:3])
        return y, (x, y, place)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        (x, y, place), W = cache, self.conv.W
        # y = max of each window of max(conv(x), 0)
        dW, db = kernels.conv_relu_pool_weight_gradient(x, dy, y, place, W.shape, *self.conv.reading()[:3])
        W.grad += dW
        if self.conv.bias:
            self.conv.b.grad += db
        if not input_gradient:
            return None
        return kernels.conv_relu_pool_input_gradient(dy, y, place, W.value, x.shape, *self.conv.reading()[:3])


class BatchNormReLU(Layer):
    """BatchNorm and ReLU, both built, fused."""

    spans = 2

    def __init__(self, norm: BatchNorm) -> None:
        self.norm = norm
        self.input_shape, self.output_shape, self.dtype = norm.input_shape, norm.output_shape, norm.dtype

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, cache = self.norm.normalize(x, train, relu=True)
        return y, (cache, y)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        of_norm, y = cache
        # y = max(norm(x), 0)
        return self.norm.normalize_backward(dy, of_norm, y)


class AffineChain(Layer):
    """Scale and Flatten, then Affine, ReLU, Affine, ..., Affine, all built, fused."""

    reads = "numbers"

    def __init__(self, factor: float, affines: Sequence[Affine], spans: int) -> None:
        self.factor = factor
        self.spans = spans
        self.affines = list(affines)
        self.input_shape, self.output_shape = affines[0].input_shape, affines[-1].output_shape
        self.dtype = affines[0].dtype

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        rows = x.reshape(len(x), self.affines[0].W.shape[0])
        if rows.dtype.kind != "f" and rows.dtype != np.uint8:
            rows = rows.astype(self.dtype)
        outputs = kernels.chain_forward(
            rows, self.factor, [affine.W.value for affine in self.affines], [affine.b.value for affine in self.affines]
        )
        return outputs[-1], (x.shape, rows, outputs)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape, rows, outputs = cache
        if self.factor == 1 and rows.dtype == dy.dtype and any(affine.W.holding for affine in self.affines):
            return self._backward_holding(dy, cache, input_gradient)
        # y = max(factor x W1 + b1, 0) W2 + b2, and so on
        dx = kernels.add_chain_gradients(
            rows,
            self.factor,
            outputs,
            dy,
            [affine.W.value for affine in self.affines],
            [affine.W.grad for affine in self.affines],
            [affine.b.grad for affine in self.affines],
            input_gradient,
        )
        return None if dx is None else dx.reshape(shape)

    @quiet
    def _backward_holding(self, dy: Array, cache: Any, input_gradient: bool) -> Array | None:
        """The same, one layer after the other; weights that are `holding` get deferred products."""
        shape, rows, outputs = cache
        for index in reversed(range(len(self.affines))):
            affine = self.affines[index]
            # y = x @ W + b
            affine.W.add_product(outputs[index - 1] if index else rows, dy)
            affine.b.grad += kernels.affine_bias_gradient(dy)
            if index or input_gradient:
                dy = kernels.affine_input_gradient(dy, affine.W.value)
            if index:
                # x = max(x, 0)
                dy = kernels.relu_backward(dy, outputs[index - 1])
        return dy.reshape(shape) if input_gradient else None


class EmbeddedRecurrence(Layer):
    """Embedding and a recurrent layer, both built, fused: x_t W is computed once for each entry of the table.

    Where the table has more than half as many entries as there are steps in the batch, the two run one by one.
    """

    reads = "indices"
    spans = 2

    def __init__(self, embedding: Embedding, recurrent: Recurrent) -> None:
        self.embedding = embedding
        self.recurrent = recurrent
        self.input_shape, self.output_shape = embedding.input_shape, recurrent.output_shape
        self.dtype = recurrent.dtype

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, _, cache = self.run(x)
        return y, cache

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """See `Layer.run`; the state is the recurrent layer's."""
        once = 2 * self.embedding.entries <= x.size
        if once:
            self.embedding.check_indices(x)
            y, state, cache = self.recurrent.run_rows(self.embedding.W.value, x, state, mask)
        else:
            rows, _ = self.embedding.forward(x)
            y, state, cache = self.recurrent.run(rows, state, mask)
        return y, state, (x, cache, once)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        x, of_steps, once = cache
        # y = recurrent(table[x])
        drows = self.recurrent.backward(dy, of_steps)
        assert drows is not None
        if once:  # drows is the table's gradient already
            self.embedding.W.grad += drows
        else:
            self.embedding.backward(drows, x)
        return None


def fuse(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers, with neighbors fused where a fused version exists; unchanged without native kernels."""
    if not kernels.NATIVE:
        return tuple(layers)
    steps: list[Layer] = []
    rest = list(layers)
    while rest:
        count, step = _fused(rest) or (1, rest[0])
        steps.append(step)
        del rest[:count]
    return tuple(steps)


# Only these exact classes are fused, never a subclass, and only built layers.


def _fused(layers: Sequence[Layer]) -> tuple[int, Layer] | None:
    """If the layers start with some that can be fused: how many these are, and the fused layer."""
    return _conv_relu_pool(layers) or _batch_norm_relu(layers) or _embedded_recurrence(layers) or _affine_chain(layers)


def _conv_relu_pool(layers: Sequence[Layer]) -> tuple[int, ConvReLUPool] | None:
    """If the layers start with a convolution, ReLU and 2 x 2 pooling: how many these are, and the fused layer."""
    if [type(layer) for layer in layers[:3]] != [Conv2D, ReLU, MaxPool2D]:
        return None
    conv, relu, pool = layers[:3]
    assert isinstance(conv, Conv2D)
    assert isinstance(relu, ReLU)
    assert isinstance(pool, MaxPool2D)
    if conv.output_shape is None or conv.reading()[3] != (1, 1):
        return None
    if pool.windows(conv.output_shape) != ((2, 2), (2, 2), ((0, 0), (0, 0))):
        return None
    return 3, ConvReLUPool(conv, relu, pool)


def _batch_norm_relu(layers: Sequence[Layer]) -> tuple[int, BatchNormReLU] | None:
    """If the layers start with BatchNorm and ReLU: how many these are, and the fused layer."""
    if [type(layer) for layer in layers[:2]] != [BatchNorm, ReLU] or layers[0].output_shape is None:
        return None
    norm = layers[0]
    assert isinstance(norm, BatchNorm)
    return 2, BatchNormReLU(norm)


def _embedded_recurrence(layers: Sequence[Layer]) -> tuple[int, EmbeddedRecurrence] | None:
    """If the layers start with Embedding and RNN, LSTM or GRU: how many these are, and the fused layer."""
    first, second = (*layers[:2], None)[:2]
    if type(first) is not Embedding or type(second) not in (RNN, LSTM, GRU):
        return None
    assert isinstance(second, Recurrent)
    if second.output_shape is None or len(first.input_shape or ()) != 1:
        return None
    return 2, EmbeddedRecurrence(first, second)


def _affine_chain(layers: Sequence[Layer]) -> tuple[int, AffineChain] | None:
    """If the layers start with a chain of Affine layers, or Scale and such a chain: its length, and the fused layer."""
    factor, count = 1.0, 0
    for layer in layers[:2]:
        if type(layer) is Scale and factor == 1:
            factor = layer.factor
        elif type(layer) is not Flatten:
            break
        count += 1
    affines: list[Affine] = []
    while True:
        expected = [ReLU, Affine] if affines else [Affine]
        following = layers[count : count + len(expected)]
        if [type(layer) for layer in following] != expected or following[-1].output_shape is None:
            break
        affine = following[-1]
        assert isinstance(affine, Affine)
        affines.append(affine)
        count += len(expected)
    if not affines or (len(affines) == 1 and factor == 1):
        return None
    return count, AffineChain(factor, affines, count)
