"""Compare each gradient of a layer with numerical differentiation, on the given samples and on newly drawn inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.diagnosis import Finding, diagnose
from chainrule.gradcheck import GradientRow, check_array
from chainrule.numerical import STEP
from chainrule.scratch.coarse import check_coarsely, noise_of
from chainrule.scratch.decay import is_decay, without_decay
from chainrule.scratch.layercheck import LayerCheck
from chainrule.scratch.match import Produced, match, partners, produced_by
from chainrule.scratch.probe import Outcome, Probe, Target
from chainrule.scratch.reach import Place, is_number, reach
from chainrule.scratch.updates import learning_rate, moved_alike, numerical

__all__ = ["Comparison"]

_TOLERANCE, _TOLERANCE_OF_LOSSES, _TOLERANCE_OF_NETWORKS = 1e-5, 1e-4, 3e-3
"""Relative to the largest gradient of an array. The derivative of the book's log(p + 1e-7) differs from the one it
teaches by 1e-7 / p. So a loss by itself is checked where no p is small; in a network, p is at least exp(-loss N)."""
_COARSE = 1e-11
"""Relative noise above this comes from single precision somewhere in the layer and calls for wider steps."""
_PROBES, _MOST_PROBES, _WORK = 20, 400, 3_000_000
"""Number of elements probed per array: as many as the cost of a forward pass allows, within these bounds."""
_MODERATE, _SHRINKINGS = 9.0, 30
"""A loss times the batch size at which no probability is below 1e-4; how often parameters are shrunk to get there."""


@dataclass(frozen=True, eq=False)
class _Gradient:
    """A target and where to find its gradient after each backward pass."""

    name: str
    target: Target
    source: Produced | None
    is_update: bool = False

    def read(self, outcome: Outcome, rate: float | None) -> Any:
        if self.is_update:
            return -outcome.moved.get(self.target.name, np.zeros(self.target.value.shape)) / (rate or 1.0)
        if self.source is None:
            return None
        if self.source.places:
            return sum(np.asarray(outcome.left[place]) for place in self.source.places)
        if self.source.index is not None:
            return outcome.returned[self.source.index] if self.source.index < len(outcome.returned) else None
        return None if self.source.place is None else outcome.left.get(self.source.place)


class Comparison:
    """Compares all gradients of one probe; call `result`."""

    def __init__(self, probe: Probe, rng: np.random.Generator) -> None:
        self._probe, self._rng = probe, rng
        self._noise, self._is_coarse = 0.0, False
        self._rate: float | None = None
        self._skipped: list[Finding] = []
        self._tolerance = _TOLERANCE_OF_LOSSES if probe.is_loss else _TOLERANCE

    def result(self) -> LayerCheck:
        probe = self._probe
        if not all(np.isfinite(out).all() for out in probe.outputs()):
            raise ValueError("forward gives NaN or infinity on these samples")
        if probe.is_loss and not probe.is_network:
            for target in probe.targets:
                if target.is_input:
                    target.value[...] = _near_each_other(target.value)
        if probe.is_network:
            self._put({target.name: self._moved(target) for target in probe.targets})
            self._shrink_until_moderate()
            smallest = np.exp(-abs(probe.objective()) * probe.batch)  # of the probabilities
            self._tolerance = float(np.clip(1e-6 / max(smallest, 1e-300), _TOLERANCE, _TOLERANCE_OF_NETWORKS))
        self._admit_numbers()
        outcome = self._backward()
        gradients, constants = self._matched(outcome)
        work = sum(out.size for out in probe.outputs()) + sum(target.value.size for target in probe.targets)
        probes = int(np.clip(_WORK // max(work, 1), _PROBES, _MOST_PROBES))
        self._measure_noise(gradients)
        rows, findings = self._compare(gradients, outcome, probes)
        for changed in (self._draw_anew, self._draw_near):
            if findings or probe.is_network:
                break
            again = self._at_other_values(gradients, changed, probes)
            if again is not None:
                rows, findings = [_joined(one, other) for one, other in zip(rows, again[0], strict=True)], again[1]
                if changed == self._draw_anew:
                    break
        told = {finding.name for finding in findings}
        for row in rows:
            if row.ok and not row.compared and row.name not in told:
                reason = "noise" if self._is_coarse else "small" if row.hidden else "kinks"
                self._skipped.append(Finding(row.name, reason, {}))
        skipped = {finding.name for finding in self._skipped}
        kept = tuple(row for row in rows if row.name not in skipped)
        return LayerCheck(kept, tuple(findings), None, tuple(self._skipped), constants)

    # ---- finding gradients

    def _admit_numbers(self) -> None:
        """Make plain numbers in the layer targets if backward changes them or leaves a gradient for them."""
        outcome = self._probe.backward()
        places = list(outcome.left)
        for place, value in list(outcome.left.items()):
            if not is_number(value) or isinstance(value, int) or place in outcome.caches:
                continue
            candidate = Target(place.name, [Place((("item", 0), *place.steps))], np.array(0.0), False, None)
            if place in outcome.touched or any(True for _ in partners(candidate, places)):
                self._probe.admit_number(place)

    def _backward(self) -> Outcome:
        """Run one backward pass; where backward accumulates, keep only what it added."""
        outcome = self._probe.backward()
        own = {place.steps[1:] for target in self._probe.targets for place in target.places}
        for place, value in list(outcome.left.items()):
            is_array = isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size
            if not is_array or place in outcome.caches or place.steps in own:
                continue
            noise = self._rng.standard_normal(value.shape)
            try:
                disturbed = self._probe.backward(place, noise).left.get(place)
            except Exception:  # it did not exist before, or backward itself reads it
                continue
            if disturbed is None or np.shape(disturbed) != value.shape:
                continue
            if place not in outcome.touched:
                if not np.array_equal(disturbed, noise):
                    outcome.touched.add(place)  # overwritten with the value it had before
                continue
            if np.allclose(disturbed - noise, value - self._before(place, value), rtol=1e-6, atol=1e-9):
                outcome.left[place] = disturbed - noise
        return outcome

    def _before(self, place: Place, value: Array) -> Array:
        before = dict(reach(self._probe.forward()[0][0])).get(place)
        return before if isinstance(before, np.ndarray) and before.shape == value.shape else np.zeros(value.shape)

    def _matched(self, outcome: Outcome) -> tuple[list[_Gradient], tuple[str, ...]]:
        probe = self._probe
        targets = probe.targets
        if self._probe.is_network:
            targets = [target for target in targets if _is_parameter_of_network(target)]
        divided = moved_alike(probe, outcome)
        self._skipped += [Finding(f"update of {name}", "divided", {}) for name in sorted(divided)]
        moves = (outcome.moved.keys() | self._moved_elsewhere()) - divided
        moved = [target for target in targets if target.name in moves]
        rest = [target for target in targets if target.name not in moves | divided]
        found = produced_by(outcome, probe.backward_method, returns_all=self._probe.is_network)
        matches = match(rest, found, {} if self._probe.is_network else outcome.left, self._agrees, bool(outcome.nested))
        gradients = [_Gradient(self._name(target, source), target, source) for target, source in matches.pairs]
        if moved:
            self._rate = learning_rate(probe, moved, outcome, self._rng)  # None: this update shows none
            gradients += [_Gradient(f"update of {target.name}", target, None, is_update=True) for target in moved]
        compared = [source.value for _, source in matches.pairs if source is not None]
        self._skipped += [
            Finding(source.name or f"returned[{source.index}]", "unmatched", {})
            for source in matches.unmatched
            if not any(_is_copy(source.value, other) for other in compared)  # such as `dW` repeated in `grads`
            and not (divided and source.place is not None and source.place.parent)  # the optimizer's own state
        ]
        constants = [target for target in matches.constants if not (target.is_input and probe.is_loss)]  # labels
        return gradients, tuple(target.name for target in constants)

    def _moved_elsewhere(self) -> set[str]:
        """Measure updates with other inputs where the inputs are zeros, because weights get no gradient from zeros."""
        inputs = [target for target in self._probe.targets if target.is_input]
        if all(target.value.any() for target in inputs):
            return set()
        kept = {target.name: target.value.copy() for target in inputs}
        try:
            self._put({target.name: self._draw_anew(target.value, True) for target in inputs})
            return set(self._probe.backward().moved)
        except Exception:  # the layer is not made for these values
            return set()
        finally:
            self._put(kept)

    def _name(self, target: Target, source: Produced | None) -> str:
        if self._probe.is_network:
            return f'gradient["{target.places[0].last or target.name}"]'
        if target.is_input or source is None or not source.name:
            return f"d{target.name}"
        return source.name

    def _agrees(self, target: Target, value: Any) -> bool:
        found = np.asarray(value, dtype=np.float64)
        row = check_array("", target.value, found, self._probe.objective, 12, 1e-3, self._rounding(), self._rng)
        return row.ok

    # ---- comparing

    def _measure_noise(self, gradients: Sequence[_Gradient]) -> None:
        probe = self._probe
        self._noise = noise_of(probe.objective, [gradient.target.value for gradient in gradients], self._rng)
        self._is_coarse = self._noise > _COARSE * max(probe.magnitude(), 1e-6 * float(np.abs(probe.dout).sum()))

    def _rounding(self) -> float:
        return 100 * max(float(np.finfo(np.float64).eps) * self._probe.magnitude(), self._noise) / STEP

    def _compare(
        self, gradients: Sequence[_Gradient], outcome: Outcome, probes: int
    ) -> tuple[list[GradientRow], list[Finding]]:
        moved = [gradient.target for gradient in gradients if gradient.is_update]
        if moved and self._rate is None:
            self._rate = learning_rate(self._probe, moved, outcome, self._rng)
        values = [gradient.read(outcome, self._rate) for gradient in gradients]
        rows = [self._row(gradient, value, probes) for gradient, value in zip(gradients, values, strict=True)]
        if all(row.ok for row in rows):
            return rows, []
        expected = {
            gradient.name: numerical(gradient.target.value, self._probe.objective, row.kinks, self._rng)
            for gradient, row in zip(gradients, rows, strict=True)
        }
        findings = []
        for gradient, value, row in zip(gradients, values, rows, strict=True):
            if not row.ok:
                findings.append(self._finding(gradient, value, expected, outcome))
        return rows, findings

    def _row(self, gradient: _Gradient, value: Any, probes: int) -> GradientRow:
        target, probe = gradient.target, self._probe
        try:
            found = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            found = np.zeros(0)
        if not target.value.ndim and found.ndim:  # a number that forward broadcasts over an axis
            found = found.sum()
        if value is None or found.shape != target.value.shape:
            return GradientRow(gradient.name, target.value.shape, 0, np.inf, (), (), False)
        if not np.isfinite(found).all():
            worst = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
            return GradientRow(gradient.name, target.value.shape, found.size, np.inf, worst, (), False)
        if self._is_coarse:
            return check_coarsely(gradient.name, target.value, found, probe.objective, self._noise, self._rng)
        rounding = self._rounding()
        row = check_array(
            gradient.name, target.value, found, probe.objective, probes, self._tolerance, rounding, self._rng
        )
        if not row.ok and not target.is_input and (strengths := probe.named_numbers(is_decay)):
            expected = numerical(target.value, probe.objective, row.kinks, self._rng)
            apart = without_decay(found, expected, target.value, strengths)
            if apart is not None:
                name = f"{gradient.name} without weight decay"
                return check_array(
                    name, target.value, apart, probe.objective, probes, self._tolerance, rounding, self._rng
                )
        above = probe.upstream[0] if probe.is_loss and np.ndim(probe.upstream[0]) == 0 else 1.0
        if not row.ok and above != 1.0:  # the book's own loss ignores dout
            at_one = check_array(
                gradient.name,
                target.value,
                above * found,
                probe.objective,
                probes,
                self._tolerance,
                rounding,
                self._rng,
            )
            return at_one if at_one.ok else row
        return row

    def _finding(self, gradient: _Gradient, value: Any, expected: Mapping[str, Array], outcome: Outcome) -> Finding:
        probe, name = self._probe, gradient.name
        right = expected[name]
        if np.shape(value) == right.shape and not self._is_coarse:
            for pattern, moment in (
                ("updated", self._moved_on(outcome)),
                ("argument", self._output_as_input(gradient)),
            ):
                if moment is None:
                    continue
                other = self._numerical_at(gradient.target, moment)
                if _near(np.asarray(value, dtype=np.float64), other) and not _near(other, right):
                    return Finding(name, pattern, {})
        inputs = [target for target in probe.targets if target.is_input]
        return diagnose(
            name,
            value,
            right,
            batch=probe.batch,
            dout=probe.dout,
            others={other: array for other, array in expected.items() if other != name},
            x=inputs[0].value if inputs else None,
        )

    def _moved_on(self, outcome: Outcome) -> dict[str, Array] | None:
        """Return the parameters' values after an update inside backward."""
        moved = outcome.moved
        return {t.name: t.value + moved[t.name] for t in self._probe.targets if t.name in moved} or None

    def _output_as_input(self, gradient: _Gradient) -> dict[str, Array] | None:
        outputs = self._probe.outputs()
        fits = gradient.target.is_input and outputs[0].shape == gradient.target.value.shape and outputs[0].ndim
        return {gradient.target.name: outputs[0]} if fits else None

    def _numerical_at(self, target: Target, values: Mapping[str, Array]) -> Array:
        kept = {t.name: t.value.copy() for t in self._probe.targets}
        try:
            self._put(values)
            return numerical(target.value, self._probe.objective, (), self._rng)
        finally:
            self._put(kept)

    def _put(self, values: Mapping[str, Array]) -> None:
        for target in self._probe.targets:
            if target.name in values:
                target.value[...] = values[target.name]

    # ---- other inputs

    def _at_other_values(
        self, gradients: Sequence[_Gradient], change: Callable[[Array, bool], Array], probes: int
    ) -> tuple[list[GradientRow], list[Finding]] | None:
        """Compare at other inputs and parameters; return None if the layer does not accept them."""
        probe = self._probe
        kept, above = {target.name: target.value.copy() for target in probe.targets}, probe.upstream
        try:
            self._put({g.target.name: change(g.target.value, g.target.is_input) for g in gradients})
            outputs = probe.outputs()
            if not all(np.isfinite(out).all() and np.abs(out).max(initial=0) < 1e12 for out in outputs):
                raise ValueError
            probe.upstream = [2.5] if probe.is_loss and probe.takes_upstream else probe.new_upstream(self._rng)
            self._measure_noise(gradients)
            return self._compare(gradients, self._backward(), probes)
        except Exception:  # the layer is not made for these values
            return None
        finally:
            self._put(kept)
            probe.upstream = above

    def _draw_anew(self, value: Array, is_input: bool) -> Array:
        """Draw inputs of both signs, small and large, and perturb parameters."""
        noise = self._rng.standard_normal(value.shape)
        if not value.ndim:
            return np.asarray(value * np.exp(0.3 * noise))
        if is_input:
            if not self._probe.is_loss:
                return np.asarray(noise * 3.0 ** self._rng.uniform(-1, 1, value.shape))
            are_probabilities = value.min(initial=1) > 0 and value.max(initial=0) < 1
            return self._rng.uniform(0.05, 0.95, value.shape) if are_probabilities else noise
        size = max(float(np.sqrt((value**2).mean())), 0.1)
        return np.asarray(value + 0.5 * size * noise)

    def _moved(self, target: Target) -> Array:
        """Perturb a network's parameters slightly: where pixels are zero, zero biases lie exactly on kinks."""
        value = target.value
        size = max(float(np.sqrt((value**2).mean())), 0.1) if value.size else 0.0
        return value if target.is_input else np.asarray(value + 0.1 * size * self._rng.standard_normal(value.shape))

    def _shrink_until_moderate(self) -> None:
        """Shrink a network's parameters if it is so confident that the 1e-7 in log(p + 1e-7) would matter."""
        probe = self._probe
        own = {target.name: target.value.copy() for target in probe.targets if not target.is_input}
        self._put({name: 1e-3 * value for name, value in own.items()})
        chance = 1.3 * probe.objective() * probe.batch
        for shrunk in range(_SHRINKINGS):
            self._put({name: 0.7**shrunk * value for name, value in own.items()})
            if probe.objective() * probe.batch < max(_MODERATE, chance):
                return

    def _draw_near(self, value: Array, is_input: bool) -> Array:
        """Change each value by up to a tenth, keeping its sign, for layers that accept no other values."""
        return np.asarray(value * (1 + 0.1 * np.tanh(self._rng.standard_normal(value.shape))))


def _is_parameter_of_network(target: Target) -> bool:
    return any(kind == "attribute" and key == "params" for place in target.places for kind, key in place.steps[1:2])


def _joined(one: GradientRow, other: GradientRow) -> GradientRow:
    """Combine two comparisons of one gradient, keeping the worse result."""
    worse = other if (not other.ok, other.error) > (not one.ok, one.error) else one
    checked, kinks = one.checked + other.checked, (*one.kinks, *other.kinks)
    hidden, ok = one.hidden + other.hidden, one.ok and other.ok
    return GradientRow(worse.name, worse.shape, checked, worse.error, worse.worst, kinks, ok, hidden)


def _is_copy(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and np.size(one) > 0 and bool(np.allclose(one, other, rtol=1e-5, atol=0))


def _near(one: Array, other: Array) -> bool:
    known = ~np.isnan(other)
    return bool(known.any()) and bool(np.allclose(one[known], other[known], rtol=1e-4, atol=1e-6))


def _near_each_other(value: Array) -> Array:
    """Scale numbers to a standard deviation of 1 around their mean if it is larger, so that scores become moderate."""
    if value.ndim == 0 or value.std() <= 1:
        return value
    return np.asarray(value.mean() + (value - value.mean()) / value.std())
