"""A gradient of a layer that computes in single precision: wider steps, and a tolerance that their errors allow."""

from collections.abc import Callable

import numpy as np

from chainrule.arrays import Array
from chainrule.gradcheck import GradientRow
from chainrule.numerical import central_difference

__all__ = ["check_coarsely"]

_PROBES = 60
_TOLERANCE = 2e-2
_WIDE, _NARROW = 1e-2, 2.5e-3
"""Steps. In float32 rounding is near 1e-7 |f| / step, so 1e-5 |f| and more; the two must agree to mean anything."""


def check_coarsely(
    name: str,
    values: Array,
    gradient: Array,
    objective: Callable[[], float],
    magnitude: float,
    rng: np.random.Generator,
) -> GradientRow:
    """Compare one gradient with central differences of wide steps, at the places where two steps agree.

    Args:
        name: of the row.
        values: probed in place and put back.
        gradient: of the same shape.
        objective: computed in single precision.
        magnitude: the sum of the sizes of what `objective` adds up.
        rng: draws the sample.
    """
    chosen = rng.permutation(values.size)[:_PROBES]
    indices = [tuple(int(i) for i in np.unravel_index(flat, values.shape)) for flat in chosen]
    size = max(float(np.abs(values).mean()), 1e-3) if values.size else 1.0
    wide, narrow = (
        np.array([central_difference(objective, values, index, step * size) for index in indices])
        for step in (_WIDE, _NARROW)
    )
    analytic = np.array([gradient[index] for index in indices])
    noise = 4 * float(np.finfo(np.float32).eps) * magnitude / (_NARROW * size)
    scale = max(np.abs(gradient).max(initial=0), np.abs(wide).max(initial=0), noise / _TOLERANCE, 1e-300)
    unsure = np.abs(wide - narrow) > _TOLERANCE * scale / 2 + noise
    errors = np.minimum(np.abs(wide - analytic), np.abs(narrow - analytic)) / scale
    errors = np.where(unsure, 0.0, np.where(np.isnan(errors), np.inf, errors))
    worst = int(errors.argmax()) if len(errors) else 0
    error = float(errors[worst]) if len(errors) else 0.0
    kinks = tuple(index for index, is_unsure in zip(indices, unsure, strict=True) if is_unsure)
    where = indices[worst] if indices else ()
    return GradientRow(name, values.shape, len(indices), error, where, kinks, error <= _TOLERANCE)
