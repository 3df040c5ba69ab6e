"""Is this hand-written layer's `backward` the derivative of its `forward`? A layer as the lesson has it, checked alone.

The layer remembers its forward pass in attributes, takes arrays or plain numbers, returns one gradient or several, and
leaves those of its parameters in attributes beside them: `dW` beside `W`. A copy of it is checked, in float64, with a
random gradient from above; the layer itself, NumPy's global generator and the arrays stay as they are.
"""

import copy
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule.arrays import Array
from chainrule.diagnosis import Finding, diagnose
from chainrule.gradcheck import GradientRow, check_array
from chainrule.numerical import STEP, central_difference

__all__ = ["LayerCheck", "check_layer", "check_network", "describe"]

_TOLERANCE, _TOLERANCE_OF_NETWORKS = 1e-4, 3e-3
"""Relative. The lesson's log(p + 1e-7) has a derivative that differs from the taught one by 1e-7 / p. So a loss alone
is checked where no p is small; for a network that cannot be chosen."""
_PROBES = 60
_MORE_PROBES = 400
"""An array that is wrong is looked at more closely, to tell what is wrong with it."""
_LARGE = 100_000
_PARTNERS = ("d{}", "d_{}", "grad_{}", "{}_grad")
"""How the gradient of an attribute is called."""
_LEARNED = {"W", "w", "b", "gamma", "beta", "weight", "weights", "bias"}
"""Attributes that need a gradient, whether or not there is one."""


@dataclass(frozen=True)
class LayerCheck:
    """A row a gradient, a finding for each that is wrong; or why nothing could be compared."""

    rows: tuple[GradientRow, ...]
    findings: tuple[Finding, ...]
    failure: str | None = None

    @property
    def ok(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class _Gradient:
    name: str
    value: Array
    found: Any


def check_layer(
    layer: Any,
    arguments: Sequence[Any],
    options: Mapping[str, Any] | None = None,
    upstream: Sequence[Any] = (1,),
    seed: int = 0,
) -> LayerCheck:
    """Compare `layer.backward` with central differences of `layer.forward(*arguments, **options)`.

    Args:
        layer: has forward and backward; not changed.
        arguments: of forward: a small batch. Those that are floating, and plain numbers, are differentiated, as many as
            backward returns gradients for.
        upstream: what backward is called with. The first is replaced by a random gradient where forward gives an array.
        seed: decides the random gradient and the sampling.
    """
    rng = np.random.default_rng(seed)
    with _same_random_numbers() as again:
        try:
            probe = _Probe(layer, [_as_floating(value) for value in arguments], options or {}, upstream, again, rng)
            if probe.is_loss:
                moderate = [_near_each_other(value) for value in probe.arguments]
                probe = _Probe(layer, moderate, options or {}, upstream, again, rng)
            gradients = probe.backward()
        except Exception as error:  # of the learner's code, which does not take the small batch
            return LayerCheck((), (), describe(error))
        return _compare(gradients, probe.objective, np.asarray(probe.dout), _batch(arguments), rng, _TOLERANCE)


def check_network(network: Any, x: Array, t: Array, seed: int = 0) -> LayerCheck:
    """Compare `network.gradient(x, t)` with central differences of `network.loss(x, t)`, for each of its `params`.

    A copy of the network is checked; like the lesson's, its layers hold the arrays of `params` themselves.
    """
    rng = np.random.default_rng(seed)
    with _same_random_numbers() as again:
        try:
            network = copy.deepcopy(network)
            training = {"train_flg": True} if "train_flg" in inspect.signature(network.loss).parameters else {}

            def objective() -> float:
                again()
                return float(network.loss(x, t, **training))

            again()
            found = network.gradient(x, t)
            found = found if isinstance(found, Mapping) else {}
            objective()
            gradients = [
                _Gradient(f'gradient["{key}"]', value, found.get(key))
                for key, value in network.params.items()
                if isinstance(value, np.ndarray) and value.dtype == np.float64
            ]
        except Exception as error:
            return LayerCheck((), (), describe(error))
        return _compare(gradients, objective, np.asarray(1.0), len(x), rng, _TOLERANCE_OF_NETWORKS)


def describe(error: Exception) -> str:
    """An error of a learner's code in one line, with its place in that code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _is_ours(file: str) -> bool:
    return any(Path(file).is_relative_to(Path(str(module.__file__)).parent) for module in (chainrule, np))


class _Probe:
    """A copy of the layer that can be run again and again from the same state, its parameters in float64.

    Parameters are arrays that `forward` leaves in their place and `backward` leaves a gradient for, or that are called
    like one.
    """

    def __init__(
        self,
        layer: Any,
        arguments: list[Any],
        options: Mapping[str, Any],
        upstream: Sequence[Any],
        again: Callable[[], None],
        rng: np.random.Generator,
    ) -> None:
        self._pristine = _light_copy(layer)
        self.arguments = arguments
        self._options = dict(options)
        self._again = again
        arrays = {name: value for name, value in vars(self._pristine).items() if _is_floating(value)}
        self._parameters = {name: value.astype(np.float64) for name, value in arrays.items()}
        used, out = self._forward()
        if np.asarray(out).dtype in (np.float32, np.float16):
            raise ValueError(f"forward gives {np.asarray(out).dtype}, too coarse for numerical differentiation")
        self.is_loss = np.ndim(out) == 0 and any(np.ndim(value) for value in arguments)
        self.dout = 1.0 if self.is_loss else rng.standard_normal(np.shape(out))[()]
        self._upstream = [self.dout, *upstream[1:]] if len(upstream) or not self.is_loss else []
        kept = [name for name, value in self._parameters.items() if getattr(used, name, None) is value]
        used.backward(*copy.deepcopy(self._upstream))
        self._partners = {name: partner for name in kept if (partner := _partner(used, name))}
        self._parameters = {name: self._parameters[name] for name in self._partners}

    def _forward(self) -> tuple[Any, Any]:
        layer = copy.deepcopy(self._pristine)
        for name, value in self._parameters.items():
            setattr(layer, name, value)
        self._again()
        arguments = [value.copy() if np.ndim(value) else value.item() for value in map(np.asarray, self.arguments)]
        return layer, layer.forward(*arguments, **self._options)

    def backward(self) -> list[_Gradient]:
        """The gradients that the layer finds."""
        layer, _ = self._forward()
        returned = layer.backward(*copy.deepcopy(self._upstream))
        several = returned if isinstance(returned, tuple | list) else (returned,)
        names = list(inspect.signature(layer.forward).parameters)
        gradients = [
            _Gradient(f"d{name}", value, found)
            for name, value, found in zip(names, self.arguments, several, strict=False)
            if _is_floating(value)
        ]
        for name, partner in self._partners.items():
            gradients.append(_Gradient(partner, self._parameters[name], getattr(layer, partner, None)))
        return gradients

    def objective(self) -> float:
        """The number that is differentiated: the output times the gradient from above."""
        return float(np.sum(self._forward()[1] * self.dout))


def _partner(layer: Any, name: str) -> str | None:
    """The attribute that has the gradient of another, or should have it."""
    there = (pattern.format(name) for pattern in _PARTNERS)
    return next((partner for partner in there if partner in vars(layer)), f"d{name}" if name in _LEARNED else None)


def _compare(
    gradients: Sequence[_Gradient],
    objective: Callable[[], float],
    dout: Array,
    batch: int,
    rng: np.random.Generator,
    tolerance: float,
) -> LayerCheck:
    rounding = 10 * float(np.finfo(np.float64).eps) * abs(objective()) / STEP
    rows = [_row(gradient, objective, rounding, tolerance, rng) for gradient in gradients]
    wrong = [(gradient, row) for gradient, row in zip(gradients, rows, strict=True) if not row.ok]
    if not wrong:
        return LayerCheck(tuple(rows), ())
    expected = {
        gradient.name: _numerical(gradient.value, objective, row, rng)
        for gradient, row in zip(gradients, rows, strict=True)
    }
    findings = tuple(
        diagnose(
            gradient.name,
            gradient.found,
            expected[gradient.name],
            batch=batch,
            dout=dout,
            others={name: value for name, value in expected.items() if name != gradient.name},
        )
        for gradient, _ in wrong
    )
    return LayerCheck(tuple(rows), findings)


def _row(
    gradient: _Gradient, objective: Callable[[], float], rounding: float, tolerance: float, rng: np.random.Generator
) -> GradientRow:
    try:
        found = np.asarray(gradient.found, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if gradient.found is None or found.shape != gradient.value.shape:
        return GradientRow(gradient.name, gradient.value.shape, 0, np.inf, (), (), False)
    return check_array(gradient.name, gradient.value, found, objective, _PROBES, tolerance, rounding, rng)


def _numerical(value: Array, objective: Callable[[], float], row: GradientRow, rng: np.random.Generator) -> Array:
    """The numerical gradient at many places, NaN elsewhere and on kinks."""
    expected = np.full(value.shape, np.nan)
    places = rng.permutation(value.size)[:_MORE_PROBES]
    for flat in places:
        index = tuple(int(i) for i in np.unravel_index(flat, value.shape))
        expected[index] = central_difference(objective, value, index)
    for index in row.kinks:
        expected[index] = np.nan
    expected[np.abs(expected) < 1e-9 * np.nanmax(np.abs(expected), initial=0.0)] = 0
    return expected


def _light_copy(layer: Any) -> Any:
    """A copy without what earlier passes left behind, as far as it is large and no parameter."""
    light = copy.copy(layer)
    names = set(vars(light))
    for name, value in vars(layer).items():
        is_learned = name in _LEARNED or any(pattern.format(name) in names for pattern in _PARTNERS)
        if isinstance(value, np.ndarray) and value.size > _LARGE and not is_learned:
            setattr(light, name, None)
    return copy.deepcopy(light)


@contextmanager
def _same_random_numbers() -> Iterator[Callable[[], None]]:
    """Within the block, calling what is yielded puts NumPy's global generator back to one state; so does the end."""
    state = np.random.get_state()  # of the script, which draws from it
    try:
        yield lambda: np.random.set_state(state)
    finally:
        np.random.set_state(state)


def _is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _near_each_other(value: Any) -> Any:
    """Numbers drawn together around their mean where they lie further apart than 1: scores become moderate ones."""
    if not _is_floating(value) or value.std() <= 1:
        return value
    return value.mean() + (value - value.mean()) / value.std()


def _as_floating(value: Any) -> Any:
    """Arrays of floats and plain numbers in float64; anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | np.floating):
        return np.array(value, dtype=np.float64)
    return value.astype(np.float64) if _is_floating(value) else value


def _batch(arguments: Sequence[Any]) -> int:
    return len(arguments[0]) if arguments and np.ndim(arguments[0]) else 1
