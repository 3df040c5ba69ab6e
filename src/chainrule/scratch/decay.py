"""Recognize weight decay that a layer adds to its own gradients: a term of the parameter alone, absent from forward."""

import itertools
import re
from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array

__all__ = ["is_decay", "without_decay"]

_NAME = re.compile(r".*(l1|l2|decay|regulari[sz]|lambda|penalty).*")
_FACTORS = (0.0, 0.5, 1.0, 2.0)
"""The gradient of c w^2 is 2 c w, of c w^2 / 2 it is c w, and of c |w| it is c sign(w)."""
_NEAR = 1e-6


def is_decay(name: str) -> bool:
    """Check whether a number with this name is the strength of a weight decay, such as `weight_regularizer_l2`."""
    return _NAME.fullmatch(name.lower()) is not None


def without_decay(found: Array, expected: Array, value: Array, strengths: Sequence[float]) -> Array | None:
    """Return a gradient without its weight decay, or None if the decay does not explain how it differs.

    Args:
        found: the gradient from backward.
        expected: the numerical gradient, NaN where it was not measured.
        value: the parameter, of the same shape.
        strengths: the layer's numbers that `is_decay` names.
    """
    known = ~np.isnan(expected)
    sign = np.where(value < 0, -1.0, 1.0)
    scale = np.abs(found[known]).max(initial=0.0)
    coefficients = sorted({factor * strength for factor in _FACTORS for strength in strengths})
    for of_squares, of_sizes in itertools.product(coefficients, repeat=2):
        apart: Array = found - of_squares * value - of_sizes * sign
        if (of_squares or of_sizes) and np.abs(apart - expected)[known].max(initial=0.0) <= _NEAR * scale:
            return apart
    return None
