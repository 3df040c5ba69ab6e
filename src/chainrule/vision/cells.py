"""Which cell of a table or form each piece of ink is in; a cell is an area enclosed by printed lines.

Cells need not be rectangles, so tables may lean, bend and run out of the photograph; where a line has a gap, two cells
merge (pieces.py checks again for a line between two digits of one cell). Squared paper is divided by lines too: there
most digits stand on a line, or fill a square.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.ink import ndimage

__all__ = ["Cells", "find_cells", "place_pieces"]

_FIRM = 0.85
"""Minimum share of a piece's ink in one cell for the piece to belong to it rather than cross a line."""

_ROOMY, _STACKED = 1.6, 1.1
"""Typical area of a table's cells, in squared digit heights: of any, and of stacked ones. The squares of squared paper
are mostly smaller, and boxes for single digits are in single rows."""

_BOUNDED = (0.1, 60.0)
"""The area a cell may have, in the same unit; excludes the hole in a stroke and the rest of the page."""

_SEVERAL = 6
"""Minimum number of cells in a table; fewer are boxes with some sides not found."""

_MOSTLY = 0.9
"""Minimum share of pieces inside a cell for the lines to be a table's: in tables nearly all are, on squared paper at
most 0.83."""


@dataclass(frozen=True)
class Cells:
    """The cells into which printed lines divide a page."""

    labels: Array
    """(H, W) int: a number for each cell; 0 on the lines."""

    areas: Array
    """(cells + 1,) the area of each, in pixels."""


def find_cells(printed: Array) -> Cells | None:
    """(H, W) bool, where printed lines are -> cells; None if they do not divide the page."""
    if not printed.any():
        return None
    filters = ndimage()
    lines = filters.binary_dilation(printed, np.ones((3, 3)))
    labels, count = filters.label(~lines)
    if count < 2:
        return None
    return Cells(labels, np.bincount(labels.ravel(), minlength=count + 1))


def place_pieces(boxes: Sequence[tuple[int, int, int, int]], inks: Sequence[Array], cells: Cells | None) -> Array:
    """The cell of each piece, (N,) int; -1 for a piece across a line, and for all if there is no table.

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
    """Whether the cells are a table's, not squared paper or form boxes; `height` is the digits'."""
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
