"""Does `backward` return the derivative of `forward`? Compares every gradient with central differences.

The check is a strong one: in float64, with perturbed parameters and a random upstream gradient (a gradient of ones
hides errors that cancel in a sum).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import OptionError
from chainrule.gradient_report import GradientReport, GradientRow
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.numerical import STEP, bracket, central_difference

__all__ = ["GradientReport", "GradientRow", "check_array", "gradcheck"]

_EPSILON = float(np.finfo(np.float64).eps)
_SHRINKING = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
"""Divisors of the step at which a disagreement is checked again."""
_WIDENINGS = 2
_VISIBLE = 1e-3
"""If rounding exceeds this share of the largest gradient, the array counts as hidden."""
_ENOUGH = 3
"""The maximum number of wrong elements per array that are examined for kinks; with more, the gradient is wrong."""
_DISTANCES, _NEIGHBORS = (1e-3, 1e-4), 12
"""Where the derivatives around an element are examined, relative to the array's spread, and how many of them."""


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
    labels: Array | tuple[Array, ...] | None = None,
) -> GradientReport:
    """Compare a layer's or network's backward pass with central differences; the layer itself is not changed.

    Args:
        layer: built or not.
        shape: per-sample input shape; needed if the layer is not built.
        batch: number of random samples, if `inputs` is not given.
        seed: decides inputs, upstream gradient, perturbation and sampling.
        sample: maximum number of elements checked per array; None checks all.
        tolerance: largest acceptable relative error.
        train: check the training pass; its random numbers are the same in every probe.
        perturb: standard deviation of the noise added to the parameters; 0 checks them as they are.
        inputs: (N, *shape). Needed if the layer reads indices (Embedding), which stay whole numbers and have no
            gradient to check. The upstream gradient is random in any case, unless a loss is given.
        loss, labels: check the gradient of this loss instead of using a random upstream gradient.

    Raises:
        OptionError: neither `shape` nor `inputs` for an unbuilt layer; no `inputs` for one that reads indices.
    """
    # a separate stream, because inputs are often drawn from default_rng(seed) too
    rng = np.random.default_rng(np.random.SeedSequence([seed, 20_260_902]))
    layer, x = _moved(layer, _input_shape(layer, shape, inputs), inputs, batch, perturb, rng)
    start = {name: parameter.grad.copy() for name, parameter in layer.parameters.items()}

    def forward() -> tuple[Array, object]:
        return layer.forward(x, train=train, rng=np.random.default_rng(seed))

    y, cache = forward()
    kept = {"input": x.copy(), "output": y.copy()}
    objective = _Objective(rng.standard_normal(y.shape), loss, labels)
    dy, magnitude = objective.gradient(y)
    kept["gradient from above"] = dy.copy()
    now = {"input": x, "output": y, "gradient from above": dy}
    dx = layer.backward(dy, cache)
    written = _written_to(now, kept)
    found = {name: _less(parameter.grad, start[name]) for name, parameter in layer.parameters.items()}
    values = {name: parameter.value for name, parameter in layer.parameters.items()}
    if not layer.takes_indices:
        found, values = {"input": dx} | found, {"input": x} | values

    def number() -> float:
        return objective(forward()[0])

    rows = _compared(values, found, number, magnitude, sample, tolerance, rng)
    right = {row.name: found[row.name] for row in rows if row.ok and row.name in layer.parameters}
    alone = _without_input_gradient(layer, forward, dy, right) if layer.parameters else []
    return GradientReport((*rows, *alone, *written), tolerance)


def _written_to(now: dict[str, Array], kept: dict[str, Array]) -> list[GradientRow]:
    """One row per array that backward changed but must not; the arrays are restored."""
    changed = [name for name in now if not _same(now[name], kept[name])]
    for name in changed:
        now[name][...] = kept[name]
    return [_wrong(f"{name}, written to", now[name].shape) for name in changed]


def _compared(
    values: dict[str, Array],
    gradients: dict[str, Any],
    number: Callable[[], float],
    magnitude: float,
    sample: int | None,
    tolerance: float,
    rng: np.random.Generator,
) -> list[GradientRow]:
    """One row per array that `number` depends on."""
    noise = max(_EPSILON * magnitude, _rounding_of(number, [*values.values()], rng))
    return [
        check_array(name, values[name], gradient, number, sample, tolerance, 10 * noise / STEP, rng)
        if isinstance(gradient, np.ndarray) and gradient.shape == values[name].shape
        else _wrong(name, values[name].shape)
        for name, gradient in gradients.items()
    ]


def _moved(
    layer: Layer, shape: Shape, inputs: Array | None, batch: int, perturb: float, rng: np.random.Generator
) -> tuple[Layer, Array]:
    """A float64 copy with perturbed parameters and with gradients for backward to add to, and its inputs."""
    layer = layer.copy()
    layer.build(shape, rng)
    layer = layer.astype(np.float64)
    for parameter in layer.parameters.values():
        parameter.value += perturb * rng.standard_normal(parameter.shape)
        parameter.grad = rng.standard_normal(parameter.shape)
    if not layer.takes_indices:
        return layer, rng.standard_normal((batch, *shape)) if inputs is None else np.array(inputs, dtype=np.float64)
    if inputs is None:
        raise OptionError(f"{layer!r} reads indices: pass inputs=, whole numbers of shape (N, *{shape})")
    return layer, np.array(inputs)


@dataclass(frozen=True)
class _Objective:
    """The number to differentiate: the outputs times a random upstream gradient, or their loss."""

    upstream: Array
    loss: Loss | None
    labels: Any

    @property
    def _targets(self) -> Any:
        return self.labels if isinstance(self.labels, tuple) else np.asarray(self.labels)

    def __call__(self, y: Array) -> float:
        return float(np.sum(self.upstream * y)) if self.loss is None else self.loss(y, self._targets)[0]

    def gradient(self, y: Array) -> tuple[Array, float]:
        """The gradient with respect to y, and the magnitude of the terms that the objective sums."""
        if self.loss is None:
            return self.upstream.copy(), float(np.abs(self.upstream * y).sum())
        value, dy = _value_and_gradient(self.loss, y, self._targets)
        # a confident softmax has a loss near 0, whose precision is that of the sum of exponentials inside
        return dy, max(abs(value), abs(self.loss(np.zeros_like(y), self._targets)[0]), float(np.abs(dy * y).sum()))


def _value_and_gradient(loss: Loss, y: Array, labels: Any) -> tuple[float, Array]:
    found = loss(y, labels)
    if not (isinstance(found, tuple) and len(found) == 2 and np.shape(found[1]) == y.shape):
        raise OptionError(f"{loss!r} must return (loss, gradient), the gradient of the outputs' shape {y.shape}")
    return float(found[0]), np.array(found[1], dtype=np.float64)


def _without_input_gradient(
    layer: Layer, forward: Callable[[], tuple[Array, object]], dy: Array, expected: dict[str, Any]
) -> list[GradientRow]:
    """One row per parameter whose gradient differs if the input's is not requested, as in training."""
    for parameter in layer.parameters.values():
        parameter.grad = np.zeros(parameter.shape)
    layer.backward(dy.copy(), forward()[1], input_gradient=False)
    return [
        _wrong(f"{name}, input_gradient=False", parameter.shape)
        for name, parameter in layer.parameters.items()
        if name in expected and not _near(parameter.grad, expected[name])
    ]


def _wrong(name: str, shape: Shape) -> GradientRow:
    return GradientRow(name, shape, 0, np.inf, (), (), False)


def _same(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def _near(one: Any, other: Array) -> bool:
    size = float(np.abs(other).max(initial=0))
    return (
        isinstance(one, np.ndarray)
        and one.shape == other.shape
        and bool(np.allclose(one, other, rtol=0, atol=1e-9 * size + 1e-13))
    )


def _less(gradient: Any, start: Array) -> Any:
    """What backward added to the gradient, or what replaced it if that is not an array of this shape."""
    return gradient - start if isinstance(gradient, np.ndarray) and gradient.shape == start.shape else gradient


def _rounding_of(objective: Callable[[], float], arrays: Sequence[Array], rng: np.random.Generator) -> float:
    """How far the objective moves if every number it reads changes in its last digit."""
    kept = [array.copy() for array in arrays]
    values = [objective()]
    try:
        for _ in range(3):
            for array, value in zip(arrays, kept, strict=True):
                array[...] = value * (1 + _EPSILON * rng.choice((-1, 1), value.shape))
            values.append(objective())
    finally:
        for array, value in zip(arrays, kept, strict=True):
            array[...] = value
    moved = float(np.ptp(values))
    return moved if np.isfinite(moved) else 0.0


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
        values: probed in place and restored.
        gradient: from backpropagation, of the same shape.
        objective: the number to differentiate.
        sample: maximum number of elements to probe; None: all.
        tolerance: largest acceptable relative error.
        rounding: the part of a difference at the usual step that is only rounding.
        rng: draws the sample, and points around an element that may lie on a kink.

    The step is STEP, or larger if values exceed 1 or if the gradient is too small to stand out from rounding.
    """
    if sample is None or values.size <= sample:
        chosen = np.arange(values.size)
    else:
        chosen = np.sort(rng.choice(values.size, sample, replace=False))
    indices = [tuple(int(i) for i in np.unravel_index(flat, values.shape)) for flat in chosen]
    if not np.isfinite(gradient).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(gradient))[0])
        return GradientRow(name, values.shape, gradient.size, np.inf, where, (), False)
    largest = float(np.abs(gradient).max(initial=0))
    probe = _Probe(objective, values, _step(values, largest, tolerance, rounding), rounding * STEP)
    numerical = np.array([central_difference(objective, values, index, probe.step) for index in indices])
    analytic = np.array([gradient[index] for index in indices])
    hides = probe.noise / probe.step
    scale = max(largest, hides / tolerance, 1e-300)
    kinks, wrong = [], 0
    for position in np.flatnonzero(~(np.abs(numerical - analytic) <= tolerance * scale)):
        if wrong < _ENOUGH and _on_kink(probe, indices[position], analytic[position], tolerance * scale, rng):
            kinks.append(indices[position])
            numerical[position] = analytic[position]
        else:
            wrong += 1
    scale = max(scale, np.abs(numerical).max(initial=0))
    errors = np.abs(numerical - analytic) / scale
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors))) if len(errors) else 0
    error = float(errors[worst]) if len(errors) else 0.0
    where = indices[worst] if indices else ()
    # a gradient of all zeros shows that nothing passes through, not that it would be right
    is_hidden = not wrong and hides >= _VISIBLE * largest
    hidden = len(indices) - len(kinks) if is_hidden else 0
    return GradientRow(name, values.shape, len(indices), error, where, tuple(kinks), error <= tolerance, hidden)


@dataclass(frozen=True)
class _Probe:
    """An objective that reads `values`, the step for probing it, and its rounding."""

    objective: Callable[[], float]
    values: Array
    step: float
    noise: float


def _step(values: Array, largest: float, tolerance: float, rounding: float) -> float:
    """The step, relative to the spread of the values, and wider if rounding would hide the largest gradient."""
    size = float(values.std()) if values.size else 1.0
    step = STEP * max(size, 1.0) if np.isfinite(size) else STEP
    for _ in range(_WIDENINGS):
        if not 0 < tolerance * largest < rounding * STEP / step:
            break
        step *= 10
    return step


def _on_kink(
    probe: _Probe, index: tuple[int, ...], analytic: float, tolerance: float, rng: np.random.Generator
) -> bool:
    """Whether a derivative disagrees at the usual step because of kinks at or near this element.

    It does if it agrees at a smaller step where rounding would not hide the disagreement; or if forward's bending
    within a step explains it at every step; or if there is no derivative at this element.
    """
    brackets = []
    for shrunk in _SHRINKING:
        step = probe.step / shrunk
        found = bracket(probe.objective, probe.values, index, step, probe.noise)
        distance, hides = abs(found.slope - analytic), probe.noise / step
        brackets.append(found)
        if not np.isfinite(distance):
            return False
        if shrunk > 1 and distance <= max(tolerance, hides) and hides <= abs(brackets[0].slope - analytic) / 4:
            return True
    # on a kink the gap between the two one-sided derivatives stays as the step shrinks; on a curve it shrinks with it
    wide, near = brackets[0], brackets[1]
    if near.gap > max(tolerance, 40 * probe.noise / probe.step, wide.gap / 2):
        return True
    return all(
        # four times the rounding, as much as `bracket` takes off what bends
        abs(found.slope - analytic) <= 1.1 * found.spread + max(tolerance, 4 * probe.noise * shrunk / probe.step)
        for found, shrunk in zip(brackets, _SHRINKING, strict=True)
    ) or _is_among_neighbors(probe, index, analytic, tolerance, rng)


def _is_among_neighbors(
    probe: _Probe, index: tuple[int, ...], analytic: float, tolerance: float, rng: np.random.Generator
) -> bool:
    """Whether derivatives around this element differ however close they are, and the one in question is among them.

    This happens where equal numbers of several windows meet and their gaps along this element cancel.
    """
    kept, size = probe.values.copy(), max(float(probe.values.std()), 1e-3)
    ranges = []
    try:
        for distance in _DISTANCES:
            slopes = []
            for _ in range(_NEIGHBORS):
                probe.values[...] = kept + distance * size * rng.standard_normal(kept.shape)
                slopes.append(central_difference(probe.objective, probe.values, index, probe.step))
            ranges.append(float(np.ptp(slopes)))
    finally:
        probe.values[...] = kept
    far, near = ranges
    stays = near > max(tolerance, 8 * probe.noise / probe.step, far / 3)
    return stays and min(slopes) - near <= analytic <= max(slopes) + near
