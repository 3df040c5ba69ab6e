"""What a network consists of, as a table: a row a layer."""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Shape, name_shape
from chainrule.layers.base import Layer
from chainrule.text import table

__all__ = ["Summary", "SummaryRow", "summarize"]


@dataclass(frozen=True)
class SummaryRow:
    """One layer: its place and repr, per-sample output shape, parameters, multiply-adds a sample."""

    name: str
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """`rows`, one a layer; printed as a table with the totals below."""

    rows: tuple[SummaryRow, ...]
    parameters: int

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    def __str__(self) -> str:
        rows = [
            (row.name, row.layer, name_shape(row.output_shape), f"{row.parameters:,}", f"{row.multiply_adds:,}")
            for row in self.rows
        ]
        rows.append(("", "total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}"))
        return table(("", "layer", "output", "parameters", "multiply-adds"), rows)


def summarize(network: Layer) -> Summary:
    """The rows of a built network whose children stand one after another; a network within it is told row by row."""
    rows: list[SummaryRow] = []
    assert network.input_shape is not None
    _describe(network, "", network.input_shape, rows)
    return Summary(tuple(rows), sum(parameter.size for parameter in network.parameters.values()))


def _describe(network: Layer, prefix: str, shape: Shape, rows: list[SummaryRow]) -> None:
    for name, layer in network.children():
        output = layer.build(shape, np.random.default_rng(0))  # built already: this only checks and tells the shape
        place = prefix + name.split(".")[0]
        if any(layer.children()):
            _describe(layer, f"{place}.", shape, rows)
        else:
            size = sum(parameter.size for parameter in layer.parameters.values())
            rows.append(SummaryRow(place, repr(layer), output, size, layer.multiply_adds(shape)))
        shape = output
