"""Strangers: pictures without a digit, made from digits, so that a network learns to be unsure about the unknown.

Their label is an equal part of every class (Hendrycks, Mazeika and Dietterich 2018, arXiv:1812.04606). They are halves
of two digits joined, two digits on top of each other, digits on their side or mirrored where that is not another
digit, and scribbles of straight strokes.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from chainrule.arrays import Array
from chainrule.data.strokes import draw_line

__all__ = ["add_strangers"]

_LYING = {"2", "3", "4", "5", "7"}
"""Digits that are not a digit when they lie on their side."""

_MIRRORED = {"3", "4", "7", "9"}
"""Digits that are not a digit when mirrored."""


def add_strangers(x: Array, shares: Array, classes: Sequence[str], share: float, rng: np.random.Generator) -> None:
    """Replace some pictures by strangers, in place.

    Args:
        x: (N, 1, H, W) uint8, bright digits on black.
        shares: (N, C), the labels; those of strangers become 1 / C.
        classes: N class names.
        share: the fraction of the pictures to replace, from 0 to 1.
        rng: draws which ones, and what they become.
    """
    digits = x.copy()
    for index in np.flatnonzero(rng.random(len(x)) < share).tolist():
        other = int(rng.integers(len(x)))
        pair = digits[index, 0], digits[other, 0]
        kinds: list[Callable[[Array, Array, np.random.Generator], Array]] = [_scribble]
        if classes[index] != classes[other]:
            kinds += [_joined, _overlaid]
        if classes[index] in _LYING:
            kinds.append(_lying)
        if classes[index] in _MIRRORED:
            kinds.append(_mirrored)
        x[index, 0] = kinds[rng.integers(len(kinds))](*pair, rng)
        shares[index] = 1 / shares.shape[1]


def _joined(one: Array, two: Array, rng: np.random.Generator) -> Array:
    """The upper or left half of one and the other half of the other."""
    cut = len(one) // 2 + int(rng.integers(-2, 3))
    if rng.random() < 0.5:
        return np.concatenate([one[:cut], two[cut:]])
    return np.concatenate([one[:, :cut], two[:, cut:]], axis=1)


def _overlaid(one: Array, two: Array, rng: np.random.Generator) -> Array:
    both: Array = np.maximum(one, np.roll(two, rng.integers(-4, 5, 2), (0, 1)))
    return both


def _lying(one: Array, two: Array, rng: np.random.Generator) -> Array:
    return np.rot90(one, rng.choice([1, 3])) if one.shape[0] == one.shape[1] else one[::-1]


def _mirrored(one: Array, two: Array, rng: np.random.Generator) -> Array:
    return one[:, ::-1]


def _scribble(one: Array, two: Array, rng: np.random.Generator) -> Array:
    """Four to seven straight strokes, connected or separate."""
    height, width = one.shape
    low, high = np.array([height, width]) * 0.14, np.array([height, width]) * 0.86
    pen = float(rng.uniform(1.5, 4))
    drawn: Array = np.zeros_like(one)
    points = [rng.uniform(low, high) for _ in range(int(rng.integers(5, 9)))]
    chained = rng.random() < 0.5
    for start, stop in pairwise(points):
        begin = start if chained else rng.uniform(low, high)
        drawn = draw_line(drawn, (begin[0], begin[1]), (stop[0], stop[1]), pen)
    return drawn
