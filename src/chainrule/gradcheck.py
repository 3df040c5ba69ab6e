"""Does `backward` return the derivative of `forward`? Every array is compared with central differences.

The check is the strong one: in float64, at parameters moved off their first values, with a random upstream gradient
(with a gradient of ones, errors that cancel in a sum stay unseen).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import OptionError
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.numerical import STEP, central_difference
from chainrule.text import table

__all__ = ["GradientReport", "GradientRow", "check_array", "gradcheck"]


@dataclass(frozen=True)
class GradientRow:
    """One array: how far backpropagation is from the numerical gradient.

    `error` is the largest difference divided by the array's largest gradient, `worst` the element that has it.
    `kinks` are elements at or beside a kink, left out of `error`: the probe crossed it (a ReLU's zero), so that they
    disagree at the usual step and agree at a smaller one; or they lie on it (equal numbers in a MaxPool2D's window), so
    that there is no derivative: those to the left and to the right differ.
    """

    name: str
    shape: Shape
    checked: int
    error: float
    worst: tuple[int, ...]
    kinks: tuple[tuple[int, ...], ...]
    ok: bool


@dataclass(frozen=True)
class GradientReport:
    """A row an array; `.ok` if every row is."""

    rows: tuple[GradientRow, ...]
    tolerance: float

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def error(self) -> float:
        """The worst relative error of all."""
        return max((row.error for row in self.rows), default=0.0)

    def __str__(self) -> str:
        rows = [
            (
                row.name,
                row.shape,
                f"{row.checked:,} of {int(np.prod(row.shape)):,}",
                f"{row.error:.1e}",
                "ok" if row.ok else f"WRONG at {list(row.worst)}",
                ", ".join(str(list(index)) for index in row.kinks) or "-",
            )
            for row in self.rows
        ]
        return table(("array", "shape", "checked", "relative error", "verdict", "on a kink"), rows)


def gradcheck(
    layer: Layer,
    *,
    shape: Shape | None = None,
    batch: int = 4,
    seed: int = 0,
    sample: int | None = 500,
    tolerance: float = 1e-6,
    train: bool = False,
    perturb: float = 0.1,
    inputs: Array | None = None,
    loss: Loss | None = None,
    labels: Array | None = None,
) -> GradientReport:
    """Compare a layer's or network's backward pass with central differences; the layer itself is not changed.

    Args:
        layer: built or not.
        shape: per-sample input shape; needed where the layer is not built.
        batch: how many random samples, where `inputs` is not given.
        seed: decides inputs, upstream gradient, perturbation and sampling.
        sample: elements checked in an array (None: all), the rest is left unchecked.
        tolerance: largest relative error that is ok.
        train: check the training pass; its random numbers are the same in every probe.
        perturb: standard deviation of the noise added to the parameters, 0 to check them as they are.
        inputs: (N, *shape); the upstream gradient is random all the same, unless a loss is given. Needed where the
            layer reads indices (Embedding); they stay whole numbers and have no gradient to check.
        loss, labels: check the gradient of this loss instead of a random upstream gradient.

    Raises:
        OptionError: neither `shape` nor `inputs` for a layer that is not built; no `inputs` for one that reads indices.
    """
    rng = np.random.default_rng(seed)
    shape = _input_shape(layer, shape, inputs)
    layer = layer.copy()
    layer.build(shape, rng)
    layer = layer.astype(np.float64)
    for parameter in layer.parameters.values():
        parameter.value += perturb * rng.standard_normal(parameter.shape)
        parameter.grad = np.zeros(parameter.shape)
    if layer.takes_indices:
        if inputs is None:
            raise OptionError(f"{layer!r} reads indices: pass inputs=, whole numbers of shape (N, *{shape})")
        x = np.array(inputs)
    else:
        x = rng.standard_normal((batch, *shape)) if inputs is None else np.array(inputs, dtype=np.float64)

    def forward() -> tuple[Array, object]:
        return layer.forward(x, train=train, rng=np.random.default_rng(seed))

    y, cache = forward()
    upstream = rng.standard_normal(y.shape)
    if loss is None:
        rounding = np.finfo(np.float64).eps * float(np.abs(upstream * y).sum()) / STEP
        dx = layer.backward(upstream, cache)
    else:
        value, dy = loss(y, np.asarray(labels))
        rounding = np.finfo(np.float64).eps * abs(value) / STEP
        dx = layer.backward(dy, cache)

    def objective() -> float:
        y, _ = forward()
        return float(np.sum(upstream * y)) if loss is None else loss(y, np.asarray(labels))[0]

    arrays = {} if dx is None else {"input": (x, dx)}
    arrays |= {name: (p.value, p.grad) for name, p in layer.parameters.items()}
    rows = [
        check_array(name, values, gradient, objective, sample, tolerance, 10 * rounding, rng)
        for name, (values, gradient) in arrays.items()
    ]
    return GradientReport(tuple(rows), tolerance)


def _input_shape(layer: Layer, shape: Shape | None, inputs: Array | None) -> Shape:
    if inputs is not None:
        return np.shape(inputs)[1:]
    if shape is not None:
        return tuple(shape)
    if layer.input_shape is not None:
        return layer.input_shape
    raise OptionError(f"gradcheck needs the input's shape for {layer!r}, which is not built: pass shape=(...)")


def check_array(
    name: str,
    values: Array,
    gradient: Array,
    objective: Callable[[], float],
    sample: int | None,
    tolerance: float,
    rounding: float,
    rng: np.random.Generator,
) -> GradientRow:
    """Compare one gradient with central differences of `objective`, which reads `values` itself.

    Args:
        name: of the row.
        values: probed in place and put back.
        gradient: what backpropagation says, of the same shape.
        objective: the number that is differentiated.
        sample: up to so many elements are probed; None: all.
        tolerance: largest relative error that is ok.
        rounding: the part of a difference that means nothing.
        rng: draws the sample.
    """
    if sample is None or values.size <= sample:
        chosen = np.arange(values.size)
    else:
        chosen = np.sort(rng.choice(values.size, sample, replace=False))
    indices = [tuple(int(i) for i in np.unravel_index(flat, values.shape)) for flat in chosen]
    numerical = np.array([central_difference(objective, values, index) for index in indices])
    analytic = np.array([gradient[index] for index in indices])
    scale = max(np.abs(gradient).max(initial=0), np.abs(numerical).max(initial=0), rounding / tolerance, 1e-300)
    errors = np.abs(numerical - analytic) / scale
    kinks = []
    for position in np.flatnonzero(~(errors <= tolerance)):
        index = indices[position]
        if _on_kink(objective, values, index, analytic[position], tolerance * scale, rounding):
            kinks.append(index)
            errors[position] = 0
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors))) if len(errors) else 0
    error = float(errors[worst]) if len(errors) else 0.0
    where = indices[worst] if indices else ()
    return GradientRow(name, values.shape, len(indices), error, where, tuple(kinks), error <= tolerance)


def _on_kink(
    objective: Callable[[], float],
    values: Array,
    index: tuple[int, ...],
    analytic: float,
    tolerance: float,
    rounding: float,
) -> bool:
    """Whether a derivative that disagrees at the usual step does so because of a kink, beside or at this place."""
    for step in (STEP / 10, STEP / 100, STEP / 1000):
        difference = abs(central_difference(objective, values, index, step) - analytic)
        if difference <= max(tolerance, rounding * STEP / step):
            return True
    # on a kink the gap between the two one-sided derivatives stays as the step shrinks; on a curve it shrinks with it
    (left, right), wide = (_one_sided(objective, values, index, step) for step in (STEP / 10, STEP))
    return abs(right - left) > max(tolerance, 10 * rounding, abs(wide[1] - wide[0]) / 2)


def _one_sided(
    objective: Callable[[], float], values: Array, index: tuple[int, ...], step: float
) -> tuple[float, float]:
    """The derivatives to the left and to the right."""
    half = central_difference(objective, values, index, step)  # (f(x + step) - f(x - step)) / 2 step
    value, here = values[index], objective()
    try:
        values[index] = value + step
        right = (objective() - here) / step
    finally:
        values[index] = value
    return 2 * half - right, right
