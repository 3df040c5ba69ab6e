"""What sequence layers do besides `forward`, wrapped as layers with one input, so that gradcheck sees all gradients."""

from typing import Any

import numpy as np

import chainrule as cr
from catalogue import Row
from chainrule.arrays import Array
from chainrule.layers.recurrent import Recurrent

__all__ = ["ROWS"]


class Carrying(cr.Layer):
    """A recurrent layer whose input is steps and a state, flattened into one array, and whose output is so too."""

    def __init__(self, layer: Recurrent, steps: int, features: int) -> None:
        self.layer = layer
        self.steps = steps
        self.features = features

    def build(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
        self.layer.build((self.steps, self.features), rng)
        return shape

    def forward(self, x: Array, *, train: bool = False, rng: Any = None) -> tuple[Array, Any]:
        steps, state = x[:, : self.steps * self.features], x[:, self.steps * self.features :]
        y, after, cache = self.layer.run(steps.reshape(len(x), self.steps, self.features), self._parts(state))
        return np.concatenate((y.reshape(len(x), -1), self._flat(after)), axis=1), (y.shape, cache)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        shape, inner = cache
        size = int(np.prod(shape[1:]))
        dstate = self._parts(dy[:, size:])
        dx, dbegin = self.layer.run_backward(dy[:, :size].reshape(shape), inner, dstate, input_gradient=input_gradient)
        return None if dx is None else np.concatenate((dx.reshape(len(dx), -1), self._flat(dbegin)), axis=1)

    def _parts(self, state: Array) -> tuple[Array, ...]:
        layer = self.layer
        places = layer.layers * (1 + layer.bidirectional)
        parts = state.reshape(len(state), len(layer.held), places, layer.hidden_size)
        return tuple(np.ascontiguousarray(parts[:, index].swapaxes(0, 1)) for index in range(len(layer.held)))

    def _flat(self, state: tuple[Array, ...]) -> Array:
        return np.stack(state).transpose(2, 0, 1, 3).reshape(state[0].shape[1], -1)


class Crossing(cr.Layer):
    """Cross-attention from the first steps of a sequence to the others, some of which are masked."""

    def __init__(self, attention: cr.Attention, queries: int, hidden: bool) -> None:
        self.attention = attention
        self.queries = queries
        self.hidden = hidden

    def build(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
        self.attention.build(shape, rng)
        return (self.queries, shape[1])

    def forward(self, x: Array, *, train: bool = False, rng: Any = None) -> tuple[Array, Any]:
        keys = x[:, self.queries :]
        mask = (np.add.outer(np.arange(len(x)), np.arange(keys.shape[1])) % 3 > 0) if self.hidden else None
        return self.attention.attend(x[:, : self.queries], keys, mask)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        return np.concatenate(self.attention.attend_backward(dy, cache), axis=1)


class Continuing(cr.Layer):
    """A layer that continues from a fixed state."""

    def __init__(self, layer: cr.Layer) -> None:
        self.layer = layer

    def build(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
        return self.layer.build(shape, rng)

    def forward(self, x: Array, *, train: bool = False, rng: Any = None) -> tuple[Array, Any]:
        state: Any = 2
        if isinstance(self.layer, cr.Attention):
            held = np.random.default_rng(0).standard_normal((2, len(x), 2, x.shape[2]))
            state = (*held, None)
        y, _, cache = self.layer.run(x, state)
        return y, cache

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        return self.layer.backward(dy, cache, input_gradient=input_gradient)


ROWS = [
    Row("Carrying-RNN", lambda: Carrying(cr.RNN(2, 2, bidirectional=True), 3, 2), (3 * 2 + 4 * 2,)),
    Row("Carrying-RNN-last", lambda: Carrying(cr.RNN(3, 3, sequence=False), 2, 4), (2 * 4 + 3 * 3,)),
    Row("Carrying-LSTM", lambda: Carrying(cr.LSTM(3, 2), 2, 4), (2 * 4 + 2 * 2 * 3,)),
    Row("Carrying-LSTM-last", lambda: Carrying(cr.LSTM(2, 2, True, sequence=False), 3, 1), (3 * 1 + 2 * 4 * 2,)),
    Row("Carrying-GRU", lambda: Carrying(cr.GRU(2, 2, bidirectional=True), 3, 1), (3 * 1 + 4 * 2,)),
    Row("Crossing", lambda: Crossing(cr.Attention(2), 3, hidden=False), (5, 6)),
    Row("Crossing-hidden", lambda: Crossing(cr.Attention(1), 2, hidden=True), (6, 4)),
    Row("Continuing-Attention", lambda: Continuing(cr.Attention(2, causal=True, rotary=True)), (3, 8)),
    Row("Continuing-Positions", lambda: Continuing(cr.Positions(length=6)), (3, 2)),
]
"""Rows in addition to the catalogue's."""
