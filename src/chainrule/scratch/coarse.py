"""Check the gradients of a layer that computes in single precision: estimate its rounding noise and use wider steps."""

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.gradcheck import GradientRow
from chainrule.numerical import central_difference

__all__ = ["check_coarsely", "noise_of"]

_PROBES = 60
_TOLERANCE = 2e-2
_WIDE, _NARROW = 3e-2, 1e-2
"""Step sizes relative to the spread of an array; a difference counts only where both steps agree."""
_POINTS, _DIRECTIONS = 7, 3
_FINE, _COARSE = 1e-9, 1e-6
"""Grid spacings: single precision does not resolve the first, but resolves the second."""


def noise_of(objective: Callable[[], float], arrays: Sequence[Array], rng: np.random.Generator) -> float:
    """Return the standard deviation of a function's rounding noise, estimated from its third differences on a grid.

    (Moré and Wild 2011, "Estimating computational noise": the third differences of a smooth function nearly vanish.)
    The fine grid is used if its slope matches that of the wider grid, as in double precision, otherwise the wider one.

    Args:
        objective: reads `arrays`, which are moved together along a random line and then restored.
        rng: draws the lines; the smallest of three results counts, because a line may cross a kink.
    """
    kept = [array.copy() for array in arrays]
    found = []

    def values_at(places: Array, line: Sequence[Array]) -> Array:
        values = []
        for place in places:
            for array, value, direction in zip(arrays, kept, line, strict=True):
                array[...] = value + place * direction
            values.append(objective())
        return np.array(values)

    try:
        for _ in range(_DIRECTIONS):
            line = [rng.standard_normal(array.shape) * _size(array) for array in kept]
            fine, wide = (values_at(spacing * np.arange(_POINTS), line) for spacing in (_FINE, _COARSE))
            slope, expected = (fine[-1] - fine[0]) / _FINE, (wide[-1] - wide[0]) / _COARSE
            digits = 100 * float(np.finfo(np.float64).eps) * np.abs(fine).max() / _FINE
            if abs(slope - expected) <= 0.1 * abs(expected) + digits:
                if wide.min() == wide.max() and values_at(np.array([0.1]), line)[0] != wide[0]:
                    return np.inf  # the precision is lower than the wider grid shows
                wide = fine
            # the squares of a third difference's coefficients 1, 3, 3, 1 sum to 20
            found.append(float(np.sqrt(np.mean(np.diff(wide, 3) ** 2) / 20)))
    finally:
        for array, value in zip(arrays, kept, strict=True):
            array[...] = value
    return min(found)


def check_coarsely(
    name: str, values: Array, gradient: Array, objective: Callable[[], float], noise: float, rng: np.random.Generator
) -> GradientRow:
    """Compare one gradient with central differences over wide steps, at the elements where two step sizes agree.

    Args:
        name: name of the row.
        values: changed in place element by element, then restored.
        gradient: has the same shape.
        objective: computed at least partly in single precision.
        noise: rounding noise of the objective.
        rng: draws the sample of elements.

    Returns:
        a row; if rounding hides the gradient, all its elements are listed in `kinks`.
    """
    chosen = rng.permutation(values.size)[:_PROBES]
    indices = [tuple(int(i) for i in np.unravel_index(flat, values.shape)) for flat in chosen]
    size = _size(values)
    wide, narrow = (
        np.array([central_difference(objective, values, index, step * size) for index in indices])
        for step in (_WIDE, _NARROW)
    )
    analytic = np.array([gradient[index] for index in indices])
    hidden = 4 * noise / (_NARROW * size)
    scale = max(np.abs(wide).max(initial=0), np.abs(analytic).max(initial=0), 1e-300)
    unsure = np.abs(wide - narrow) > _TOLERANCE * scale / 2 + hidden
    if hidden > _TOLERANCE * scale:
        unsure[:] = True
    errors = np.minimum(np.abs(wide - analytic), np.abs(narrow - analytic)) / scale
    errors = np.where(unsure, 0.0, np.where(np.isnan(errors), np.inf, errors))
    worst = int(errors.argmax()) if len(errors) else 0
    error = float(errors[worst]) if len(errors) else 0.0
    kinks = tuple(index for index, is_unsure in zip(indices, unsure, strict=True) if is_unsure)
    where = indices[worst] if indices else ()
    return GradientRow(name, values.shape, len(indices), error, where, kinks, error <= _TOLERANCE)


def _size(values: Array) -> float:
    """Return the spread of the values: for values far from zero, forward varies on this scale."""
    return max(float(values.std()), 1e-3) if values.size else 1.0
