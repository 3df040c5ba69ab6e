"""Strokes that many people write and MNIST's writers rarely did: the flag and foot of a 1, the bar of a 7.

A network that has hardly ever seen a 1 with a flag takes it for a 7. The strokes are drawn onto MNIST's own digits, as
wide as the digit's strokes.
"""

from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.data.strokes import draw_line

__all__ = ["add_strokes"]

_FOOT = 0.3
"""The fraction of the flagged ones that also get a foot."""


def add_strokes(x: Array, classes: Sequence[str], share: float, rng: np.random.Generator) -> Array:
    """x (N, 1, H, W) uint8, bright digits on black, and each one's class name -> the same, some with added strokes.

    Args:
        classes: N names; only "1" and "7" are changed.
        share: the fraction of these that get strokes, from 0 to 1.
        rng: draws which ones, and how long and steep the strokes are.
    """
    y = x.copy()
    for picture, name in zip(y, classes, strict=True):
        if name in ("1", "7") and rng.random() < share:
            picture[0] = _centred(_with_flag(picture[0], rng) if name == "1" else _with_bar(picture[0], rng))
    return y


def _with_flag(digit: Array, rng: np.random.Generator) -> Array:
    top, bottom = _ends(digit)
    height, pen = _size(digit, top, bottom, rng)
    reach = height * rng.uniform(0.15, 0.42)
    drawn = draw_line(digit, top, (top[0] + reach * rng.uniform(0.5, 1.6), top[1] - reach), pen)
    if rng.random() < _FOOT:
        left, right = height * rng.uniform(0.12, 0.35, 2)
        drawn = draw_line(drawn, (bottom[0], bottom[1] - left), (bottom[0], bottom[1] + right), pen)
    return drawn


def _with_bar(digit: Array, rng: np.random.Generator) -> Array:
    top, bottom = _ends(digit)
    height, pen = _size(digit, top, bottom, rng)
    row = int(top[0] + height * rng.uniform(0.42, 0.62))
    middle = _middle(digit[row : row + 1], default=(top[1] + bottom[1]) / 2)
    left, right = height * rng.uniform(0.12, 0.32, 2)
    tilt = height * rng.uniform(-0.08, 0.05)
    return draw_line(digit, (row - tilt, middle - left), (row + tilt, middle + right), pen)


def _ends(digit: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """(row, column) where the ink starts and ends."""
    rows = np.flatnonzero((digit > 100).any(axis=1))
    top, bottom = (int(rows[0]), int(rows[-1])) if rows.size else (0, len(digit) - 1)
    return (top, _middle(digit[top : top + 2])), (bottom, _middle(digit[max(bottom - 1, 0) : bottom + 1]))


def _middle(rows: Array, default: float = 0.0) -> float:
    """The mean column of the ink in some rows."""
    weights = rows.sum(axis=0, dtype=np.float64)
    return float((weights * np.arange(len(weights))).sum() / weights.sum()) if weights.any() else default


def _size(
    digit: Array, top: tuple[float, float], bottom: tuple[float, float], rng: np.random.Generator
) -> tuple[float, float]:
    """The digit's height, and the width of a pen like the one it was written with, in pixels."""
    height = max(bottom[0] - top[0], 1.0)
    length = float(np.hypot(height, bottom[1] - top[1]))
    pen = digit.sum(dtype=np.float64) / 255 / length * rng.uniform(0.7, 1.1)
    return height, float(np.clip(pen, 1.0, 5.0))


def _centred(digit: Array) -> Array:
    """The digit shifted by whole pixels so that its center of mass is in the middle, as in MNIST."""
    place = [_middle(digit.T), _middle(digit)]
    shifts = [
        int(np.clip(round((length - 1) / 2 - at), -_free(digit, axis)[0], _free(digit, axis)[1]))
        for axis, (length, at) in enumerate(zip(digit.shape, place, strict=True))
    ]
    moved: Array = np.roll(digit, shifts, (0, 1))
    return moved


def _free(digit: Array, axis: int) -> tuple[int, int]:
    """Empty rows (0) or columns (1) before and after the ink."""
    inked = np.flatnonzero(digit.any(axis=1 - axis))
    return (int(inked[0]), digit.shape[axis] - 1 - int(inked[-1])) if inked.size else (0, 0)
