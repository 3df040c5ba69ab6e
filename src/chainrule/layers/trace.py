"""A record of one pass: each layer's input and output, then dy, dx and the parameters' gradients.

A copy of the network gets a recorder around every layer; the layers themselves do not know about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.arrays import Array, name_shape, quiet
from chainrule.layers.base import Layer
from chainrule.markup import fragment, histogram, note, rows

__all__ = ["Trace", "TraceRow", "record", "trace"]


@dataclass
class TraceRow:
    """One layer at one place: `name` such as "2.Affine", or "3.Residual.0.Conv2D" within another layer.

    x (N, ...), y (N, ...), the gradients dx and dy of the loss with respect to them (None if backward does not reach
    the layer, or the input has no gradient), and `gradients`: what this place adds to each of the layer's parameters.
    """

    name: str
    layer: Layer
    x: Array
    y: Array
    cache: Any = field(repr=False)
    dy: Array | None = None
    dx: Array | None = None
    gradients: dict[str, Array] = field(default_factory=dict)

    @property
    def between(self) -> dict[str, Array]:
        """Intermediate results between x and y, by name: states and gates (N, T, H), shares (N, heads, T, S)."""
        return self.layer.between(self.cache)

    @property
    def state_gradients(self) -> dict[str, Array]:
        """The gradient of the state after each step, by name (N, T, H); {} for layers without a state."""
        return {} if self.dy is None else self.layer.state_gradients(self.dy, self.cache)


@dataclass(frozen=True)
class Trace:
    """`rows` in the order of the forward pass, a layer before its sublayers; `trace["2.Affine"]` is one of them.

    outputs: what the network returned. loss: its value. doutputs: the loss's gradient with respect to the outputs.
    """

    rows: tuple[TraceRow, ...]
    outputs: Array
    loss: float
    doutputs: Array

    def __getitem__(self, name: str) -> TraceRow:
        return next(row for row in self.rows if row.name == name)

    def _repr_html_(self) -> str:
        """HTML for notebooks: one row per layer, with histograms of its outputs and of their gradients."""
        headers = ("layer", "output", "y", "size of y", "dy", "size of dy", "size of the parameters' gradients")
        lines = [
            (
                row.name,
                name_shape(row.y.shape[1:]),
                histogram(row.y),
                f"{_size(row.y):.3g}",
                "" if row.dy is None else histogram(row.dy),
                "" if row.dy is None else f"{_size(row.dy):.3g}",
                ", ".join(f"{name} {_size(gradient):.2g}" for name, gradient in row.gradients.items()),
            )
            for row in self.rows
        ]
        told = "y forward from top to bottom, dy backward from bottom to top; sizes are root mean squares"
        return fragment(f"loss {self.loss:.4f} of {len(self.outputs):,} samples", rows(headers, lines), note(told))


@quiet
def _size(values: Array) -> float:
    """The root mean square; 0 for an empty array."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0


def trace(
    network: Layer,
    x: Array,
    labels: Array,
    loss: Callable[[Array, Array], tuple[float, Array]],
    *,
    train: bool,
    rng: np.random.Generator | None,
) -> Trace:
    """Run a copy of a built network forward and backward on one batch, and keep everything."""
    network = network.copy()
    network.gradients.fill(0)
    outputs, cache, rows = record(network, x, train=train, rng=rng)
    value, doutputs = loss(outputs, labels)
    network.backward(doutputs, cache)
    return Trace(tuple(rows), outputs, value, doutputs)


def record(
    network: Layer, x: Array, *, train: bool, rng: np.random.Generator | None
) -> tuple[Array, Any, list[TraceRow]]:
    """Run forward after replacing the network's layers by recorders; it stays changed, so pass a copy.

    Returns the outputs, the cache and the rows; the backward pass completes the rows.
    """
    rows: list[TraceRow] = []
    _replace_children(network, "", rows, set())
    if x.shape[1:] == network.input_shape:
        outputs, cache = network.forward(x, train=train, rng=rng)
    else:  # a chunk of sequences
        outputs, _, cache = network.run(x, train=train, rng=rng)
    return outputs, cache, rows


class _Recorder(Layer):
    """Takes a layer's place and records what passes through."""

    def __init__(self, layer: Layer, name: str, rows: list[TraceRow]) -> None:
        self.layer = layer
        self.name = name
        self.rows = rows
        self.reads, self.dtype = layer.reads, layer.dtype

    def __repr__(self) -> str:
        return repr(self.layer)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        row = TraceRow(self.name, self.layer, x, x, None)
        self.rows.append(row)
        row.y, row.cache = self.layer.forward(x, train=train, rng=rng)
        return row.y, row

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        row = TraceRow(self.name, self.layer, x, x, None)
        self.rows.append(row)
        row.y, state, row.cache = self.layer.run(x, state, mask, train=train, rng=rng)
        return row.y, state, row

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        row: TraceRow = cache
        own = {} if any(self.layer.children()) else self.layer.parameters
        before = {name: parameter.grad.copy() for name, parameter in own.items()}
        row.dy = dy
        row.dx = self.layer.backward(dy, row.cache, input_gradient=input_gradient)
        row.gradients = {name: parameter.grad - before[name] for name, parameter in own.items()}
        return row.dx


def _replace_children(layer: Layer, prefix: str, rows: list[TraceRow], done: set[int]) -> None:
    """Put a recorder around each sublayer of `layer`; a layer used in two places gets one at each."""
    if id(layer) in done:
        return
    done.add(id(layer))
    recorders: dict[str, Layer] = {}
    for name, child in layer.children():
        _replace_children(child, f"{prefix}{name}.", rows, done)
        recorders[name] = _Recorder(child, prefix + name, rows)
    for name, value in vars(layer).items():
        if name in recorders:
            vars(layer)[name] = recorders[name]
        elif isinstance(value, list | tuple) and any(isinstance(item, Layer) for item in value):
            vars(layer)[name] = type(value)(
                recorders[f"{index}.{type(item).__name__}"] if isinstance(item, Layer) else item
                for index, item in enumerate(value)
            )
