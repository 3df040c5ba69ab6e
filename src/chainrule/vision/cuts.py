"""Where digits that touch may be cut: along the cheapest ways from the top of a piece to its bottom.

A way costs the ink that it crosses. Of all ways through the middle row, those are proposed that cost less than their
neighbours; which cuts are right is for the reader of digits to say.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import resize
from chainrule.vision.pieces import Piece

__all__ = ["Part", "cut"]

_ROWS = 40
"""Height at which ways are looked for."""

_ASIDE = 0.08
"""What a step to the side costs, in pixels of ink."""


@dataclass(frozen=True)
class Part:
    """A piece, or what is between two cuts of one."""

    piece: Piece
    crossed: float
    """Ink crossed by the cut on its left, as a share of the height; 0 where nothing was cut."""

    first: bool
    """Whether a new piece begins here."""


def cut(piece: Piece, height: float) -> list[Part]:
    """A piece -> its parts from left to right, more than there are digits.

    Args:
        piece: of one or several digits.
        height: of a digit, in pixels.
    """
    scale = _ROWS / piece.height
    small = np.clip(resize(piece.ink, _ROWS, max(3, round(piece.width * scale))), 0, 1)
    ways, costs = _ways(small)
    digit = height * scale
    chosen = _chosen(costs, digit, small.shape[1])
    if not chosen:
        return [Part(piece, 0.0, first=True)]
    rows = np.clip((np.arange(piece.height) * scale).astype(int), 0, _ROWS - 1)
    borders = ways[chosen][:, rows] / scale  # (cuts, H): columns of the piece
    index = (np.arange(piece.width)[np.newaxis, np.newaxis] >= borders[:, :, np.newaxis]).sum(axis=0)
    parts = []
    for number in range(len(chosen) + 1):
        own = np.where(index == number, piece.ink, 0)
        trimmed = _trimmed(own, piece.box)
        if trimmed is not None:
            crossed = float(costs[chosen[number - 1]]) / digit if number and parts else 0.0
            parts.append(Part(trimmed, crossed, first=not parts))
    return parts


def _ways(ink: Array) -> tuple[Array, Array]:
    """The cheapest way through (middle row, column), for each column: (W, H) columns and (W,) costs."""
    middle = len(ink) // 2
    down, to_bottom = _cheapest(ink[middle:])
    up, to_top = _cheapest(ink[: middle + 1][::-1])
    ways = np.concatenate([up[:, :0:-1], down], axis=1)
    return ways, to_bottom + to_top - ink[middle]


def _cheapest(ink: Array) -> tuple[Array, Array]:
    """The cheapest ways from each column of the first row to the last: (W, H) columns and (W,) costs."""
    rows, width = ink.shape
    cost = ink[-1].copy()
    steps = np.zeros((rows, width), int)
    for row in range(rows - 2, -1, -1):
        beside = np.full((3, width), np.inf, ink.dtype)
        beside[0, 1:] = cost[:-1] + _ASIDE
        beside[1] = cost
        beside[2, :-1] = cost[1:] + _ASIDE
        best = beside.argmin(axis=0)
        steps[row] = best - 1
        cost = ink[row] + beside[best, np.arange(width)]
    ways = np.zeros((width, rows), int)
    ways[:, 0] = np.arange(width)
    for row in range(rows - 1):
        ways[:, row + 1] = ways[:, row] + steps[row, ways[:, row]]
    return ways, cost


def _chosen(costs: Array, digit: float, width: int) -> list[int]:
    """Columns of the ways worth trying, cheapest first taken, from left to right."""
    apart = max(2, round(0.13 * digit))
    most = 0.5 * digit
    chosen: list[int] = []
    for column in np.argsort(costs, kind="stable").tolist():
        if costs[column] > most or len(chosen) >= 3 * width / digit + 1:
            break
        if apart <= column < width - apart and all(abs(column - other) >= apart for other in chosen):
            chosen.append(column)
    return sorted(chosen)


def _trimmed(ink: Array, box: tuple[int, int, int, int]) -> Piece | None:
    """What is left of a piece as a piece of its own, or None where that is nothing."""
    rows, columns = np.flatnonzero((ink > 0.3).any(axis=1)), np.flatnonzero((ink > 0.3).any(axis=0))
    if not rows.size:
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    kept = ink[top:bottom, left:right]
    return Piece((box[0] + left, box[1] + top, box[0] + right, box[1] + bottom), kept, float((kept > 0.3).sum()))
