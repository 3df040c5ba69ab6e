"""What wrong cuts leave of a written number: two digits as one, part of a digit, one with a bit of its neighbour.

A network that is to say which cuts are right must be unsure of what wrong ones leave: their label is an equal share of
every class. A digit with a small bit of its neighbour, or without a small bit of its own, is still that digit; in
between the label goes over from one to the other.
"""

from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.data.digit import place_ink

__all__ = ["add_segments"]

_SMALL, _LARGE = 0.1, 0.3
"""Share of a digit's ink that may be missing, or be another's, before it is less of a digit, and when it is none."""

_SLIM = 0.4
"""Width over height of a part that is not used, since it looks like a one."""


def add_segments(x: Array, shares: Array, classes: Sequence[str], share: float, rng: np.random.Generator) -> None:
    """Turn some pictures into segments, in place.

    Args:
        x: (N, 1, H, W) uint8, bright digits on black, square.
        shares: (N, C), the labels.
        classes: N names of classes; a "1" is never divided, since its parts are ones.
        share: of the pictures, from 0 to 1.
        rng: draws which, and what they become.
    """
    digits = x.copy()
    for index in np.flatnonzero(rng.random(len(x)) < share).tolist():
        other = int(rng.integers(len(x)))
        one, two = _ink(digits[index, 0]), _ink(digits[other, 0])
        kind = rng.random()
        if kind < 0.35:
            made, wrong = _beside(one, two, rng), 1.0
        elif kind < 0.65:
            if classes[index] == "1":
                continue
            made, wrong = _part(one, rng)
        else:
            made, wrong = _with_bit(one, two, classes[other], rng)
        if made.any():
            x[index, 0] = place_ink(made, x.shape[2])
            shares[index] = (1 - wrong) * shares[index] + wrong / shares.shape[1]


def _ink(picture: Array) -> Array:
    """The digit without the black around it, float32 in 0..1."""
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    if not rows.size:
        return np.zeros((1, 1), np.float32)
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink: Array = cut.astype(np.float32) / 255
    return ink


def _beside(one: Array, two: Array, rng: np.random.Generator) -> Array:
    """Two digits as neighbours, about as near as they come."""
    height = max(len(one), len(two))
    tops = [(height - len(ink)) // 2 for ink in (one, two)]
    ends = np.full(height, -99)
    starts = np.full(height, 99)
    inked = one > 0.4
    ends[tops[0] : tops[0] + len(one)] = np.where(inked.any(1), one.shape[1] - inked[:, ::-1].argmax(1), -99)
    inked = two > 0.4
    starts[tops[1] : tops[1] + len(two)] = np.where(inked.any(1), inked.argmax(1), 99)
    left = max(0, int((ends - starts).max()) + int(rng.integers(-2, 3)))
    both = np.zeros((height, max(one.shape[1], left + two.shape[1])), np.float32)
    both[tops[0] : tops[0] + len(one), : one.shape[1]] = one
    area = both[tops[1] : tops[1] + len(two), left : left + two.shape[1]]
    np.maximum(area, two, out=area)
    return both


def _part(one: Array, rng: np.random.Generator) -> tuple[Array, float]:
    """What is on one side of a line down through the digit, and how wrong that is, 0 to 1."""
    part = np.where(_side(one.shape, float(rng.uniform(0.1, 0.9)), rng), one, 0)
    height, width = (int(part.any(axis=axis).sum()) for axis in (1, 0))
    if height < len(one) / 2 or width < _SLIM * height:
        return one, 0.0
    return part, _wrongness(1 - part.sum() / one.sum())


def _with_bit(one: Array, two: Array, name: str, rng: np.random.Generator) -> tuple[Array, float]:
    """A digit with some of a neighbour on one side, and how wrong that is."""
    right = bool(rng.random() < 0.5)
    share = float(rng.uniform(0.05, 0.6))
    if name == "1" and share > 0.2:
        bit = two
    else:
        y, x = np.indices(two.shape)
        slant = rng.uniform(-0.4, 0.4)
        across = (x + slant * (y - len(two) / 2)) / two.shape[1]
        bit = np.where(across < share if right else across > 1 - share, two, 0)
    both = _beside(one, bit, rng) if right else _beside(bit, one, rng)
    return both, _wrongness(bit.sum() / max(one.sum(), 1e-6))


def _wrongness(share: float) -> float:
    """0 where little is missing or too much, 1 where that is a lot."""
    return float(np.clip((share - _SMALL) / (_LARGE - _SMALL), 0, 1))


def _side(shape: tuple[int, ...], at: float, rng: np.random.Generator) -> Array:
    """One side of a slanted line, (H, W) bool."""
    y, x = np.indices(shape)
    left: Array = x + rng.uniform(-0.4, 0.4) * (y - shape[0] / 2) < at * shape[1]
    return left if rng.random() < 0.5 else ~left
