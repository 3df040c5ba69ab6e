"""The summary of a network: a table with one row per layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape, name_shape
from chainrule.layers.base import Layer
from chainrule.layers.trace import record
from chainrule.markup import bar, fragment, rows
from chainrule.text import table

__all__ = ["Summary", "SummaryRow", "summarize"]

_HEADERS = ("", "layer", "output", "parameters", "multiply-adds", "bytes a sample")


@dataclass(frozen=True)
class SummaryRow:
    """One layer: its place and repr, per-sample output shape, parameters, and multiply-adds per sample.

    Parameters that several layers share are counted at the first of them.
    `memory` is the bytes per sample that this layer keeps in training from its forward to its backward pass; an array
    that two layers keep is counted at the first.
    """

    name: str
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    memory: int


@dataclass(frozen=True)
class Summary:
    """`rows`, one per layer; printed as a table with the totals below."""

    rows: tuple[SummaryRow, ...]
    parameters: int

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes per sample kept in training, not counting parameters, gradients and the optimizer's state."""
        return sum(row.memory for row in self.rows)

    def __str__(self) -> str:
        return table(*self.cells())

    def cells(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """Headers and rows as they are printed, the totals last."""
        lines, total = self._lines()
        return _HEADERS, [*lines, total]

    def _repr_html_(self) -> str:
        """HTML for notebooks, with a bar for each layer's share of the multiply-adds."""
        lines, total = self._lines()
        most = max([row.multiply_adds for row in self.rows] or [0]) or 1
        shares = [bar(row.multiply_adds / most) for row in self.rows]
        drawn = [(*line, share) for line, share in zip(lines, shares, strict=True)]
        return fragment(f"{self.parameters:,} parameters", rows((*_HEADERS, ""), drawn, (*total, "")))

    def _lines(self) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
        """Each row's cells, and those of the totals."""
        lines: list[tuple[str, ...]] = [
            (
                row.name,
                row.layer,
                name_shape(row.output_shape),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                f"{row.memory:,}",
            )
            for row in self.rows
        ]
        return lines, ("", "total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", f"{self.memory:,}")


def summarize(network: Layer) -> Summary:
    """The rows of a built network, in the order of the forward pass.

    Nested layers have one row each; the layer that joins them (Residual, Parallel) has its own row before them.
    """
    assert network.input_shape is not None
    kept = _memory(network)
    rows: list[SummaryRow] = []
    counted: set[int] = set()
    for path, layer, shape in _places(network, "", network.input_shape):
        container = any(layer.children())
        if container and type(layer).__name__ == "Sequential":
            continue
        place = ".".join(part for part in path.split(".") if part.isdigit())
        output = layer.build(shape, np.random.default_rng(0))  # already built: this only checks and returns the shape
        own = {} if container else {id(holder): holder.size for holder in layer.parameters.values()}
        rows.append(
            SummaryRow(
                place,
                type(layer).__name__ if container else repr(layer),
                output,
                sum(size for holder, size in own.items() if holder not in counted),
                0 if container else layer.multiply_adds(shape),
                kept[path],
            )
        )
        counted |= own.keys()
    return Summary(tuple(rows), sum(parameter.size for parameter in network.parameters.values()))


def _places(layer: Layer, prefix: str, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
    for name, part, input_shape in layer.parts(shape):
        yield prefix + name, part, input_shape
        yield from _places(part, f"{prefix}{name}.", input_shape)


def _memory(network: Layer) -> dict[str, int]:
    """Bytes per sample that each layer keeps, from two small batches: their difference leaves out fixed costs."""
    small, large = (_kept(network, batch) for batch in (2, 4))
    return {name: (large[name] - small[name]) // 2 for name in small}


def _kept(network: Layer, batch: int) -> dict[str, int]:
    assert network.input_shape is not None
    x = np.zeros((batch, *network.input_shape), np.int64 if network.takes_indices else network.dtype)
    with np.errstate(all="ignore"):
        _, _, rows = record(network.copy(), x, train=True, rng=np.random.default_rng(0))
    seen: set[int] = set()
    kept: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: any(row.layer.children())):  # plain layers first, then those that join them
        kept[row.name] = kept.get(row.name, 0)
        for array in _arrays(row.cache):
            owner = _owner(array)
            if id(owner) not in seen:
                seen.add(id(owner))
                kept[row.name] += owner.nbytes
    return kept


def _arrays(cache: Any) -> Iterator[Array]:
    if isinstance(cache, np.ndarray):
        yield cache
    elif isinstance(cache, list | tuple):
        for item in cache:
            yield from _arrays(item)


def _owner(array: Array) -> Array:
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
