"""Points in the plane to learn from: circles, spirals, checkers and clouds, drawn at random from a seed."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from chainrule.arrays import Array
from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError

__all__ = ["MOST_POINTS", "PointShape", "points"]

PointShape = Literal["circles", "spirals", "checkers", "clouds"]
"""How the points of a class are arranged: on rings, on spiral arms, on squares of a checkerboard (two classes: XOR), or
in normal clouds."""

MOST_POINTS = 1_000_000
_TURNS = 2.0
"""Half turns of a spiral arm."""


def points(shape: PointShape, count: int = 200, *, classes: int = 2, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Labelled points: x (count, 2) float32, nearly all within -1 to 1; classes as equal in number as `count` allows.

    Args:
        shape: circles, spirals, checkers or clouds.
        count: points in all, at least one for each class.
        classes: 2 to 10.
        noise: 0 to 1; four times the standard deviation of the points' random displacement.
        seed: draws the points; the same seed gives the same points.

    Raises:
        OptionError: an argument is outside its range.
    """
    if shape not in get_args(PointShape):
        raise OptionError(f"points lie in {', '.join(get_args(PointShape))}, got {shape!r}")
    if not 2 <= classes <= 10:
        raise OptionError(f"points have 2 to 10 classes, got {classes}")
    if not classes <= count <= MOST_POINTS:
        raise OptionError(f"{classes} classes need {classes} to {MOST_POINTS:,} points, got {count}")
    if not 0 <= noise <= 1:
        raise OptionError(f"noise must be from 0 to 1, got {noise}")
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(count) % classes)
    x = _PLACES[shape](y, classes, rng) + noise / 4 * rng.normal(size=(count, 2))
    return Dataset(x.astype(np.float32), y.astype(np.uint8), tuple(map(str, range(classes))))


def _circles(y: Array, classes: int, rng: np.random.Generator) -> Array:
    """Class 0 fills a disc; each further class is a ring around it, with a gap of half its width."""
    width = 1 / (1.5 * classes - 0.5)
    inner = 1.5 * width * y
    radius = np.sqrt(rng.uniform(inner**2, (inner + width) ** 2))  # uniform over the area
    return _polar(0.95 * radius, rng.uniform(0, 2 * np.pi, len(y)))


def _spirals(y: Array, classes: int, rng: np.random.Generator) -> Array:
    along = np.sqrt(rng.uniform(0.01, 1, len(y)))
    return _polar(0.95 * along, np.pi * (2 * y / classes + _TURNS * along))


def _checkers(y: Array, classes: int, rng: np.random.Generator) -> Array:
    """A board of classes x classes squares; square (i, j) belongs to class (i + j) modulo classes."""
    row = rng.integers(classes, size=len(y))
    column = (y - row) % classes
    within = rng.uniform(0.06, 0.94, (len(y), 2))
    return 0.95 * (2 * (np.stack([column, row], axis=1) + within) / classes - 1)


def _clouds(y: Array, classes: int, rng: np.random.Generator) -> Array:
    return _polar(np.full(len(y), 0.5), np.pi * (2 * y / classes + 0.25)) + 0.12 * rng.normal(size=(len(y), 2))


def _polar(radius: Array, angle: Array) -> Array:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


_PLACES: dict[str, Callable[[Array, int, np.random.Generator], Array]] = {
    "circles": _circles,
    "spirals": _spirals,
    "checkers": _checkers,
    "clouds": _clouds,
}
