"""Numerical differentiation: the slow, simple gradient that checks backpropagation."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError

__all__ = ["STEP", "Bracket", "bracket", "central_difference", "gradient_in_place", "numerical_gradient"]

STEP = 1e-5
"""Half the distance between the two probes. In float64 the error of the difference, step^2 |f'''| / 6, and that of
rounding, 1e-16 |f| / step, are both near 1e-10 for numbers of ordinary size."""


def central_difference(f: Callable[[], float], x: Array, index: tuple[int, ...], step: float = STEP) -> float:
    """df / dx[index] = (f(x + step) - f(x - step)) / (2 step), where f reads `x` itself.

    x is floating-point; its element is changed in place both ways and restored, even if f fails.
    """
    value = x[index]
    try:
        x[index] = value + step
        above = f()
        x[index] = value - step
        below = f()
    finally:
        x[index] = value
    return (above - below) / (2 * step)


class Bracket(NamedTuple):
    """An estimated derivative and its uncertainty.

    Attributes:
        slope: the central difference.
        spread: how far the true derivative may lie from it.
        gap: the difference of the right and the left derivative, each taken over a quarter of a step.
    """

    slope: float
    spread: float
    gap: float


def bracket(f: Callable[[], float], x: Array, index: tuple[int, ...], step: float, noise: float = 0.0) -> Bracket:
    """Bounds on the derivative from nine values of f within a step of x[index]; f reads `x` itself.

    With s the distance from x[index] and h the step, the central difference is off by

        (1 / 2h) * integral of sign(s) (h - |s|) f''(s) ds,

    which is 0 for constant curvature. So `spread` is (1 / 2h) * sum of (h - |s|) |f''(s) - usual f''| ds, computed
    from second differences. At a kink the curvature is infinite but its second difference is finite, so the formula
    holds across kinks too, even for a kink exactly at x[index]. The change from halving the step is added, because
    second differences smaller than rounding still bend a steep curve.

    Args:
        noise: the rounding error of f; second differences it explains do not count as curvature.
    """
    value, cells = x[index], 4
    try:
        points = []
        for place in range(-cells, cells + 1):
            x[index] = value + place / cells * step
            points.append(f())
    finally:
        x[index] = value
    values = np.array(points)
    second = np.diff(values, 2)
    weights = cells - np.abs(np.arange(1 - cells, cells))
    excess = np.maximum(np.abs(second - np.median(second)) - 4 * noise, 0)
    slope, halved = (values[-1] - values[0]) / (2 * step), (values[6] - values[2]) / step
    spread = weights @ excess / (2 * step) + abs(slope - halved)
    return Bracket(float(slope), float(spread), float(abs(second[cells - 1]) * cells / step))


def gradient_in_place(f: Callable[[], float], x: Array, step: float = STEP) -> Array:
    """`central_difference` at every element of x, any shape; f reads `x` itself, which is unchanged afterwards."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        gradient[index] = central_difference(f, x, index, step)
    return gradient


def numerical_gradient(f: Callable[[Array], float], x: Array, step: float = STEP) -> Array:
    """The gradient of the number f(x) with respect to x, by central differences.

    Args:
        f: takes an array like x and returns one number; called twice per element.
        x: any shape and numeric dtype; not written to. f gets a float64 copy, because in float32 the difference of two
            probes is mostly rounding.
        step: half the distance between the probes.

    Returns:
        float64 array of x's shape.

    Raises:
        OptionError: f returns an array instead of one number.
    """
    probe = np.array(x, dtype=np.float64)

    def value() -> float:
        result = f(probe)
        if np.ndim(result) != 0:
            raise OptionError(f"numerical_gradient needs f to return one number, got shape {np.shape(result)}: sum it")
        return float(result)

    return gradient_in_place(value, probe, step)
