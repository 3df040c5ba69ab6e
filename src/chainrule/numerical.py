"""Numerical differentiation: the slow, obvious gradient that backpropagation is checked against."""

from collections.abc import Callable

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError

__all__ = ["STEP", "central_difference", "gradient_in_place", "numerical_gradient"]

STEP = 1e-5
"""Half the distance between the two probes. In float64 the error of the difference, step^2 |f'''| / 6, and that of
rounding, 1e-16 |f| / step, are both near 1e-10 for numbers of ordinary size."""


def central_difference(f: Callable[[], float], x: Array, index: tuple[int, ...], step: float = STEP) -> float:
    """df / dx[index] = (f(x + step) - f(x - step)) / (2 step), where f reads `x` itself.

    x is floating; its element is moved both ways in place and put back, also when f fails.
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


def gradient_in_place(f: Callable[[], float], x: Array, step: float = STEP) -> Array:
    """`central_difference` at every element of x, any shape; f reads `x` itself, which is the same afterwards."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        gradient[index] = central_difference(f, x, index, step)
    return gradient


def numerical_gradient(f: Callable[[Array], float], x: Array, step: float = STEP) -> Array:
    """The gradient of the number f(x) with respect to x, by central differences.

    Args:
        f: takes an array like x and returns one number; called twice an element.
        x: any shape, numbers of any kind; not written to. f gets a float64 copy, because in float32 the difference
            of two probes is mostly rounding.
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
