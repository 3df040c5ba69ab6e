"""`common.gradient`: the book's numerical gradients, by central differences with h = 1e-4.

x is changed in place and then restored, because the book's f ignores its argument and reads the parameter itself.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError
from chainrule.numerical import gradient_in_place

_H = 1e-4


def numerical_gradient(f: Callable[[Any], Any], x: Array) -> Array:
    """Return the gradient of the scalar function f at x, an array of any shape."""
    if x.dtype.kind != "f":
        raise DataError(
            f"numerical_gradient needs floating-point numbers, got {x.dtype}, where h = 1e-4 would be truncated to 0:"
            " use x.astype(float)"
        )
    return gradient_in_place(lambda: f(x), x, _H)


def _numerical_gradient_1d(f: Callable[[Any], Any], x: Array) -> Array:
    """Return the gradient at a single row."""
    return numerical_gradient(f, x)


def numerical_gradient_2d(f: Callable[[Any], Any], X: Array) -> Array:
    """Return the gradient of f at each row of X, or at X itself if it is a single row."""
    if X.ndim == 1:
        return _numerical_gradient_1d(f, X)
    return np.array([_numerical_gradient_1d(f, x) for x in X])


def numerical_diff(f: Callable[[Any], Any], x: float) -> Any:
    """Return the derivative of f at the number x."""
    return (f(x + _H) - f(x - _H)) / (2 * _H)
