"""Which cell of a table or a form each piece of ink stands in: cells are what printed lines part from each other.

No rectangle is looked for, so that tables may lean, bend and run out of the photograph; where a line has a gap, two
cells are one (pieces.py looks once more for a line between two digits of one cell). On squared paper, too, lines part
the page: there most digits stand on a line, or fill a square.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.ink import ndimage

__all__ = ["Cells", "find_cells", "place_pieces"]

_FIRM = 0.85
"""Share of a piece's ink in one cell from which it stands in it, and not across a line."""

_ROOMY, _STACKED = 1.6, 1.1
"""The usual area of a table's cells, in squares of the digits' height: any, and those that stand below each other. The
squares of squared paper are mostly smaller, and boxes for single digits stand in lone rows."""

_BOUNDED = (0.1, 60.0)
"""The area of what may be a cell, in the same unit: not the hole of a stroke, and not the rest of the page."""

_SEVERAL = 6
"""Cells that make a table: fewer are what is left of boxes of which some sides were not found."""

_MOSTLY = 0.9
"""Share of the pieces that stand in a cell, from which lines are those of a table: nearly all do, on generated pages
too, and on squared paper 0.83 at most."""


@dataclass(frozen=True)
class Cells:
    """What printed lines make of a page."""

    labels: Array
    """(H, W) int: a number for each cell; 0 on the lines."""

    areas: Array
    """(cells + 1,) pixels of each."""


def find_cells(printed: Array) -> Cells | None:
    """(H, W) bool, where printed lines are -> cells; None where nothing parts the page."""
    if not printed.any():
        return None
    filters = ndimage()
    lines = filters.binary_dilation(printed, np.ones((3, 3)))
    labels, count = filters.label(~lines)
    if count < 2:
        return None
    return Cells(labels, np.bincount(labels.ravel(), minlength=count + 1))


def place_pieces(boxes: Sequence[tuple[int, int, int, int]], inks: Sequence[Array], cells: Cells | None) -> Array:
    """The cell of each piece, (N,) int; -1 of one that stands across a line, and of all where there is no table.

    Args:
        boxes: left, top, right, bottom of each piece.
        inks: (H, W) float32 of each box.
        cells: of the page.
    """
    places = np.full(len(boxes), -1)
    if cells is None or not len(boxes):
        return places
    for index, ((left, top, right, bottom), ink) in enumerate(zip(boxes, inks, strict=True)):
        own = cells.labels[top:bottom, left:right][ink > 0.5]
        own = own[own > 0]
        if own.size:
            counts = np.bincount(own)
            if counts.max() >= _FIRM * own.size:
                places[index] = counts.argmax()
    is_table = (places >= 0).mean() >= _MOSTLY and _parts(cells, float(np.median([b - t for _, t, _, b in boxes])))
    return places if is_table else np.full(len(boxes), -1)


def _parts(cells: Cells, height: float) -> bool:
    """Whether cells are those of a table, and not of squared paper or form boxes; `height` is that of the digits."""
    areas = cells.areas / height**2
    bounded = (areas > _BOUNDED[0]) & (areas < _BOUNDED[1])
    bounded[0] = False
    usual = float(np.median(areas[bounded])) if bounded.sum() >= _SEVERAL else 0.0
    return usual >= _ROOMY or (usual >= _STACKED and _below_each_other(cells, bounded, height))


def _below_each_other(cells: Cells, bounded: Array, height: float) -> bool:
    """Whether most cells have another just above or below."""
    places = ndimage().find_objects(cells.labels)
    beside = []
    for index in np.flatnonzero(bounded).tolist():
        rows, columns = places[index - 1]
        step = max(4, round(0.15 * height))
        middle = (columns.start + columns.stop) // 2
        ends = [row for row in (rows.start - step, rows.stop + step) if 0 <= row < len(cells.labels)]
        beside.append(any(bounded[cells.labels[row, middle]] for row in ends))
    return bool(np.mean(beside) > 0.5)
