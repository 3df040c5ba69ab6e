"""Where touching digits may be cut: along the cheapest paths from the top of a piece to its bottom.

A path costs the ink that it crosses. Proposed are paths that cost less than their neighbors and cross little more than
one stroke; the digit reader decides which cuts are right.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import resize
from chainrule.data.ink import ndimage, pen_width
from chainrule.vision.pieces import Piece

__all__ = ["Part", "cut"]

_ROWS = 40
"""Height to which pieces are scaled for finding paths."""

_ASIDE = 0.08
"""Cost of a sideways step, in pixels of ink."""

_DEAREST = 3.0
"""Most ink that a cut may cross, as a multiple of the pen's width."""

_CUTS = 4.5
"""Maximum number of cuts tried per digit height of width."""

_APART = 0.07
"""Mean distance between two cuts, as a share of a digit's height."""


@dataclass(frozen=True)
class Part:
    """A piece, or the part of one between two cuts."""

    piece: Piece
    crossed: float
    """Ink crossed by the cut on its left, as a share of the height; 0 if nothing was cut."""

    first: bool
    """Whether a new piece begins here."""


def cut(piece: Piece, height: float) -> list[Part]:
    """A piece -> its parts from left to right, usually more than it has digits.

    Args:
        piece: of one or several digits.
        height: of a digit, in pixels.
    """
    scale = _ROWS / piece.height
    small = np.clip(resize(piece.ink, _ROWS, max(3, round(piece.width * scale))), 0, 1)
    digit = height * scale
    ways, costs = _chosen(small, digit)
    if not len(ways):
        return [Part(piece, 0.0, first=True)]
    rows = np.clip((np.arange(piece.height) * scale).astype(int), 0, _ROWS - 1)
    borders = ways[:, rows] / scale  # (cuts, H): columns of the piece
    index = (np.arange(piece.width)[np.newaxis, np.newaxis] >= borders[:, :, np.newaxis]).sum(axis=0)
    crossed = {number: float(cost) / digit for number, cost in enumerate(costs, start=1)}
    _without_bits(index, piece.ink, crossed, 0.012 * height**2)
    parts: list[Part] = []
    for number in np.unique(index[piece.ink > 0]).tolist():
        trimmed = _trimmed(np.where(index == number, piece.ink, 0), piece.box)
        if trimmed is not None:
            parts.append(Part(trimmed, crossed[number] if parts else 0.0, first=not parts))
    return parts


def _without_bits(index: Array, ink: Array, crossed: dict[int, float], least: float) -> None:
    """Merge parts with hardly any ink into the neighbor across the more expensive of their two cuts, in place."""
    last = max(crossed)
    sizes = np.bincount(index.ravel(), ink.ravel(), last + 1)
    for number in range(last + 1):
        if sizes[number] >= least:
            continue
        before = crossed.get(number, -1.0) if any(sizes[:number] > 0) else -1.0
        behind = crossed.get(number + 1, -1.0)
        other = int(np.flatnonzero(sizes[:number] > 0)[-1]) if before >= behind and before >= 0 else number + 1
        if other > last:
            continue
        index[index == number] = other
        sizes[other] += sizes[number]
        sizes[number] = 0
        if other > number and number in crossed:
            crossed[other] = min(crossed[other], crossed[number])


def _ways(ink: Array, row: int) -> tuple[Array, Array]:
    """The cheapest path through (row, column), for each column: (W, H) columns and (W,) costs."""
    down, to_bottom = _cheapest(ink[row:])
    up, to_top = _cheapest(ink[: row + 1][::-1])
    return np.concatenate([up[:, :0:-1], down], axis=1), to_bottom + to_top - ink[row]


def _cheapest(ink: Array) -> tuple[Array, Array]:
    """The cheapest paths from each column of the first row to the last: (W, H) columns and (W,) costs."""
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


def _chosen(ink: Array, digit: float) -> tuple[Array, Array]:
    """Paths worth trying, from left to right: (cuts, H) columns and their costs, (cuts,)."""
    most = _DEAREST * max(pen_width(ink), 2.0)
    found: list[tuple[float, Array]] = []
    for row in (len(ink) // 4, len(ink) // 2, 3 * len(ink) // 4):
        ways, costs = _ways(ink, row)
        lowest = costs <= ndimage().minimum_filter1d(costs, 5)
        found += [(float(costs[i]), ways[i]) for i in np.flatnonzero(lowest & (costs <= most))]
    found.sort(key=lambda way: way[0])
    chosen: list[tuple[float, Array]] = []
    room = _CUTS * ink.shape[1] / digit + 1
    for cost, way in found:
        inside = 0.1 * digit <= way.mean() < ink.shape[1] - 0.1 * digit
        if inside and all(np.abs(way - other).mean() > _APART * digit for _, other in chosen):
            chosen.append((cost, way))
        if len(chosen) >= room:
            break
    chosen.sort(key=lambda way: float(way[1].mean()))
    ways = np.array([way for _, way in chosen]).reshape(-1, len(ink))
    return np.maximum.accumulate(ways, axis=0), np.array([cost for cost, _ in chosen])


def _trimmed(ink: Array, box: tuple[int, int, int, int]) -> Piece | None:
    """The rest of a piece as a piece of its own, or None if nothing is left."""
    rows, columns = np.flatnonzero((ink > 0.3).any(axis=1)), np.flatnonzero((ink > 0.3).any(axis=0))
    if not rows.size:
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    kept = ink[top:bottom, left:right]
    return Piece((box[0] + left, box[1] + top, box[0] + right, box[1] + bottom), kept, float((kept > 0.3).sum()))
