"""How a gradient passes through layers made of layers: Sequential, Residual and Parallel.

The dx of such a layer is the sum of the dx of its inner layers that read the same x, plus dy if x is added to the
output. The dy of a branch that Parallel concatenates is a part of the whole dy.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.layers import Layer, Parallel, Residual, Sequential
from chainrule.layers.trace import TraceRow
from chainrule.server.terms import Factor, Group

__all__ = ["Inner", "plain_row"]


def plain_row(row: TraceRow, layer: Layer) -> TraceRow:
    """The row with the original layer in place of its copy made of recorders, whose caches are rows."""
    return replace(row, layer=layer, cache=_plain(row.cache))


def _plain(cache: Any) -> Any:
    if isinstance(cache, TraceRow):
        return _plain(cache.cache)
    if isinstance(cache, list | tuple) and not hasattr(cache, "_fields"):
        return type(cache)(_plain(item) for item in cache)
    return cache


class Inner:
    """The places of a trace, and their nesting."""

    def __init__(self, rows: Sequence[TraceRow]) -> None:
        self.rows = rows
        self._named = {row.name: row for row in rows}

    def within(self, row: TraceRow) -> list[TraceRow]:
        """The places directly inside this one."""
        start, depth = f"{row.name}.", row.name.count(".") + 2
        return [other for other in self.rows if other.name.startswith(start) and other.name.count(".") == depth]

    def around(self, row: TraceRow) -> TraceRow | None:
        """The place directly around this one."""
        parts = row.name.rsplit(".", 2)
        return self._named.get(parts[0]) if len(parts) == 3 else None

    def terms(self, row: TraceRow, flat: int) -> list[Group] | None:
        """The terms of an element of dx: dx of inner places, named after them; None for other layers."""
        if type(row.layer) not in (Sequential, Residual, Parallel):
            return None
        inner = self.within(row)
        read = inner if isinstance(row.layer, Parallel) else inner[:1]
        at = np.array([[flat]])
        groups: list[Group] = []
        if isinstance(row.layer, Residual) or not inner:
            groups.append((Factor("dy", _element(row.dy, flat), "dy", at),))
        for other in read:
            if other.dx is None or other.dx.shape != row.x.shape:
                return None
            groups.append(
                (Factor(f"{other.name.removeprefix(f'{row.name}.')}.dx", _element(other.dx, flat), other.name, at),)
            )
        return groups

    def above(self, row: TraceRow, flat: int) -> tuple[TraceRow, int] | None:
        """For a branch that Parallel concatenates: Parallel's place, and the index of the element of dy there."""
        outer = self.around(row)
        while outer is not None and not isinstance(outer.layer, Parallel):
            if outer.dy is not row.dy:
                return None
            row, outer = outer, self.around(outer)
        if outer is None or outer.layer.join != "concat":  # type: ignore[attr-defined]
            return None
        before = 0
        for other in self.within(outer):
            if other is row:
                return outer, before + flat
            before += math.prod(other.y.shape[1:])
        return None

    def below(self, row: TraceRow, flat: int) -> tuple[Array, int] | None:
        """For a Parallel that concatenates: the branch that an element of its dy belongs to, and its index there."""
        if not isinstance(row.layer, Parallel) or row.layer.join != "concat":
            return None
        for other in self.within(row):
            size = math.prod(other.y.shape[1:])
            if flat < size:
                return None if other.dy is None else (other.dy, flat)
            flat -= size
        return None

    def joined(self, row: TraceRow) -> TraceRow | None:
        """The surrounding place whose dx contains this one's dx as a term."""
        outer = self.around(row)
        while outer is not None and outer.dx is row.dx:
            row, outer = outer, self.around(outer)
        if outer is None or outer.dx is None or type(outer.layer) not in (Residual, Parallel):
            return None
        inner = self.within(outer)
        reads = inner if isinstance(outer.layer, Parallel) else inner[:1]
        return outer if any(other is row for other in reads) else None


def _element(array: Array | None, flat: int) -> Array:
    assert array is not None
    return array.reshape(-1)[[flat]].astype(np.float64)
