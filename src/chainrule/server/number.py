"""One number of the backward pass: the terms of its sum, its path from the loss, and where it goes next.

A path follows the largest term of each sum up to the loss's gradient with respect to one output. Where a number goes is
found by sending a 1 at its place backward through the layer below (for layers made of layers: inner.py).
"""

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array, Shape
from chainrule.functions import softmax
from chainrule.layers import Layer, Residual, Sequential
from chainrule.layers.trace import Trace, TraceRow
from chainrule.server.inner import Inner, plain_row
from chainrule.server.inside import last_step, trace_sample
from chainrule.server.problems import ProblemError
from chainrule.server.terms import Factor, Group, explain, explainable, products, reads

__all__ = ["LOSS", "Number", "NumberFactor", "NumberTerm", "Step", "explain_number"]

LOSS = "loss"
"""The place of the gradient with respect to the logits or predicted numbers, whose array is "dlogits"."""
_TERMS = 8
_FEW = 3
_ROUNDING = 1e-3
"""The largest error of the terms' sum, relative to the sum of their absolute values; float32 stays far below."""


class NumberFactor(BaseModel):
    """A factor of a product."""

    name: str
    index: list[int] = Field(description="its index in its array; empty if it has none")
    value: float


class NumberTerm(BaseModel):
    """A product, one of the terms of the sum."""

    factors: list[NumberFactor]
    value: float


class Step(BaseModel):
    """An element of a gradient on a path. `flat` is its index in the flattened array, `index` along each axis."""

    place: str
    array: str
    index: list[int]
    flat: int
    value: float
    factor: float = Field(description="the factor on the previous step of the path; 1 at the start")


class Number(BaseModel):
    """An element of a gradient, explained."""

    place: str
    array: str
    index: list[int]
    value: float
    terms: list[NumberTerm] = Field(description="the largest terms, in order")
    count: int = Field(description="of all terms")
    zeros: int = Field(description="number of terms that are 0")
    rest: float = Field(description="value minus the listed terms")
    reads: dict[str, list[int]] = Field(description="the numbers that the terms read, by array: flat positions")
    path: list[Step] = Field(description="from the loss down to this number")
    onward: Step | None = Field(description="the number of the place below that it contributes to most")
    goes_into: int = Field(description="how many numbers of the place below it contributes to")


def explain_number(
    model: str,
    network: Sequential,
    sample: Array,
    label: int | float,
    place: str,
    array: str,
    index: tuple[int, ...],
    *,
    train: bool = False,
) -> Number:
    """The element at `index` of dx, or of a parameter's gradient, at `place`, for one sample (*input_shape).

    A float `label` is the number to predict. `train`: as in `trace_sample`.

    Raises:
        ProblemError: there is no such place, array or index, or the element cannot be explained.
    """
    trace = trace_sample(model, network, sample, label, train=train)
    layers = dict(_named(network.copy()))  # those of the trace are recorders, and backward adds to gradients
    walked = _Walked(trace, [plain_row(row, layers[row.name]) for row in trace.rows], label)
    if place == LOSS:
        gradient, names = last_step(trace.doutputs), ["dlogits"]
    else:
        row = next((row for row in walked.rows if row.name == place), None)
        if row is None:
            names = [LOSS, *(row.name for row in walked.rows)]
            raise ProblemError(422, f"there is no place {place!r}: use one of {', '.join(names)}")
        names = explainable(row)
        gradient = walked.gradient(row, array) if array in names else np.zeros(0)
    if array not in names:
        use = f"use one of {', '.join(names)}" if names else "it has none that can be taken apart"
        raise ProblemError(422, f"{place} has no gradient {array!r} to take apart: {use}")
    shape = gradient.shape[1:] if array in ("dx", "dlogits") else gradient.shape
    if len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise ProblemError(422, f"{place}.{array} has the shape {shape}, there is nothing at {index}")
    flat = int(np.ravel_multi_index(index, shape)) if shape else 0
    return walked.number(None if place == LOSS else row, array, shape, flat)


class _Walked:
    """A trace with the network's own layers."""

    def __init__(self, trace: Trace, rows: list[TraceRow], label: int | float) -> None:
        self.trace = trace
        self.rows = rows
        self.inner = Inner(rows)
        self.label = label
        self.outputs = last_step(trace.outputs).astype(np.float64)[0]

    def gradient(self, row: TraceRow | None, array: str) -> Array:
        """dx with the batch axis, a parameter's gradient without it."""
        found = last_step(self.trace.doutputs) if row is None else row.dx if array == "dx" else row.gradients[array]
        assert found is not None
        return found

    def terms(self, row: TraceRow | None, array: str, flat: int) -> list[Group]:
        if row is not None:
            return (self.inner.terms(row, flat) if array == "dx" else None) or explain(row, array, flat)
        if isinstance(self.label, float):
            return _output_terms(self.outputs, self.label, flat)
        return _logit_terms(softmax(self.outputs), self.label, flat)

    def number(self, row: TraceRow | None, array: str, shape: Shape, flat: int) -> Number:
        """Element `flat` of the array; if `row` is None, of the gradient with respect to the logits."""
        groups = self.terms(row, array, flat)
        values, whole = products(groups), float(self.gradient(row, array).flat[flat])
        name = LOSS if row is None else row.name
        if not abs(values.sum() - whole) <= _ROUNDING * np.abs(values).sum() + 1e-12:
            raise ProblemError(422, f"what {name}.{array} is made of is not known: its layer depends on more than x")
        shown = list(_listed(groups, values, self._shapes(row)))
        onward, goes_into = self._onward(row, flat) if array in ("dx", "dlogits") else (None, 0)
        return Number(
            place=name,
            array=array,
            index=_index(flat, shape),
            value=whole,
            terms=shown,
            count=values.size,
            zeros=int((values == 0).sum()),
            rest=whole - sum(term.value for term in shown),
            reads={array: at.tolist() for array, at in reads(groups).items()},
            path=self._path(row, array, shape, flat, groups),
            onward=onward,
            goes_into=goes_into,
        )

    def _shapes(self, row: TraceRow | None) -> dict[str, Shape]:
        if row is None:
            return dict.fromkeys(("p", "onehot", "y", "t"), self.outputs.shape)
        assert row.dy is not None
        own = {name: parameter.shape for name, parameter in row.layer.parameters.items()}
        within = {other.name: other.x.shape[1:] for other in self.inner.within(row)}
        return {"x": row.x.shape[1:], "dy": row.dy.shape[1:], **own, **within}

    def _path(self, row: TraceRow | None, array: str, shape: Shape, flat: int, groups: list[Group]) -> list[Step]:
        """The path from the loss: each step is the largest term of the next."""
        path: list[Step] = []
        while row is not None:
            value = float(self.gradient(row, array).flat[flat])
            source, read, factor = _largest(groups)
            path.append(
                Step(place=row.name, array=array, index=_index(flat, shape), flat=flat, value=value, factor=factor)
            )
            if read is None:
                return path[::-1]
            row, flat = self._above(row, read) if source == "dy" else (self._innermost(source), read)
            array = "dx"
            if row is not None:
                assert row.dx is not None
                if "dx" not in explainable(row):
                    return path[::-1]
                shape, groups = row.dx.shape[1:], self.terms(row, array, flat)
        flat -= self._earlier() if path else 0
        if self._from_loss(path) and flat >= 0:
            value = float(last_step(self.trace.doutputs)[0, flat])
            path.append(Step(place=LOSS, array="dlogits", index=[flat], flat=flat, value=value, factor=1.0))
        return path[::-1]

    def _from_loss(self, path: list[Step]) -> bool:
        """Whether the loss is directly above the path's last place."""
        if not path:
            return True
        row = next(row for row in self.rows if row.name == path[-1].place)
        while (outer := self.inner.above(row, 0)) is not None:
            row = outer[0]
        return row.dy is self.trace.doutputs

    def _above(self, row: TraceRow, flat: int) -> tuple[TraceRow | None, int]:
        """The place whose dx is this place's dy, or has it as a part: the nearest one behind it, and within that the
        innermost; and where the element of dy stands in its dx."""
        at = next(index for index, other in enumerate(self.rows) if other is row)
        found = next((other for other in self.rows[at + 1 :] if other.dx is row.dy), None)
        if found is None:
            outer = self.inner.above(row, flat)
            return (None, flat) if outer is None else self._above(*outer)
        return self._innermost(found.name), flat

    def _innermost(self, name: str) -> TraceRow:
        """The place of that name, or one within it that has the same dx."""
        found = next(index for index, other in enumerate(self.rows) if other.name == name)
        while found + 1 < len(self.rows) and self._is_inside(found + 1, found):
            found += 1
        return self.rows[found]

    def _is_inside(self, inner: int, outer: int) -> bool:
        within = self.rows[inner].name.startswith(f"{self.rows[outer].name}.")
        return within and self.rows[inner].dx is self.rows[outer].dx

    def _onward(self, row: TraceRow | None, flat: int) -> tuple[Step | None, int]:
        """The number of the place below that an element of dx contributes to most, and how many it contributes to."""
        if row is None:
            gradient, end, flat = self.trace.doutputs, len(self.rows), flat + self._earlier()
        else:
            end = next(index for index, other in enumerate(self.rows) if other is row)
            gradient = self.gradient(row, "dx")
        below = self._reader(gradient, end)
        if below is None:
            return self._joined(row, flat)
        while (part := self.inner.below(below, flat)) is not None:
            gradient, flat = part
            below = self._reader(gradient, end)
            assert below is not None
        dy = np.zeros_like(gradient)
        dy.flat[flat] = 1
        for parameter in below.layer.parameters.values():
            parameter.grad.fill(0)
        dx = below.layer.backward(dy, below.cache)
        reached = {"dx": (dx, below.dx)} if dx is not None and below.dx is not None else {}
        own = below.layer.parameters
        reached = reached or {name: (own[name].grad, below.gradients[name]) for name in below.gradients}
        for array, (slopes, values) in reached.items():
            into = int((slopes != 0).sum())
            around = self.inner.around(below)
            if not into and around is not None and around.dy is below.dy and isinstance(around.layer, Residual):
                return self._step(around, flat), 1  # past the branch
            most = int(np.abs(slopes).argmax()) if into or slopes.size != gradient.size else flat
            shape = values.shape[1:] if array == "dx" else values.shape
            step = Step(
                place=below.name,
                array=array,
                index=_index(most, shape),
                flat=most,
                value=float(values.flat[most]),
                factor=float(slopes.flat[most]),
            )
            return step, into
        return None, 0

    def _reader(self, gradient: Array, end: int) -> TraceRow | None:
        """The last place before index `end` whose dy this is."""
        return next((other for other in reversed(self.rows[:end]) if other.dy is gradient), None)

    def _joined(self, row: TraceRow | None, flat: int) -> tuple[Step | None, int]:
        """The element of the surrounding layer that a branch's first layer adds to."""
        outer = None if row is None else self.inner.joined(row)
        return (None, 0) if outer is None else (self._step(outer, flat), 1)

    def _step(self, row: TraceRow, flat: int) -> Step:
        """An element of dx that this one is added to."""
        assert row.dx is not None
        index, value = _index(flat, row.dx.shape[1:]), float(row.dx.flat[flat])
        return Step(place=row.name, array="dx", index=index, flat=flat, value=value, factor=1.0)

    def _earlier(self) -> int:
        """The number of outputs before those of the last step."""
        return self.trace.doutputs.size - len(self.outputs)


def _logit_terms(probabilities: Array, label: int, index: int) -> list[Group]:
    """The loss's gradient with respect to a logit: p - onehot."""
    p = Factor("p", probabilities[[index]].astype(np.float64), "p", np.array([[index]]))
    return [(p,), (Factor("onehot", np.array([-1.0 if index == label else 0.0]), "onehot", np.array([[index]])),)]


def _output_terms(outputs: Array, target: float, index: int) -> list[Group]:
    """The gradient of the mean squared error with respect to an output: 2 / n (y - target)."""
    share, at = Factor("2/n", np.array([2 / outputs.size])), np.array([[index]])
    y = Factor("y", outputs[[index]].astype(np.float64), "y", at)
    return [(share, y), (share, Factor("−t", np.array([-target]), "t", at))]


def _named(layer: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    for name, child in layer.children():
        yield prefix + name, child
        yield from _named(child, f"{prefix}{name}.")


def _index(flat: int, shape: Shape) -> list[int]:
    return [int(i) for i in np.unravel_index(flat, shape)] if shape else []


def _listed(groups: list[Group], values: Array, shapes: dict[str, Shape]) -> Iterator[NumberTerm]:
    """The largest terms; zeros are included only if there are few terms or no others."""
    each = [(group, i) for group in groups for i in range(len(products([group])))]
    largest = np.argsort(-np.abs(values), kind="stable")[:_TERMS]
    few = largest if values.size <= _FEW else largest[values[largest] != 0]
    for at in few if few.size else largest[:1]:
        group, i = each[at]
        factors = [_factor(factor, i, shapes) for factor in group]
        yield NumberTerm(factors=factors, value=float(values[at]))


def _factor(factor: Factor, i: int, shapes: dict[str, Shape]) -> NumberFactor:
    single = factor.at is not None and factor.at.shape[1] == 1
    index = _index(int(factor.at[i, 0]), shapes[factor.array]) if single and factor.at is not None else []
    return NumberFactor(name=factor.name, index=index, value=float(factor.values[i]))


def _largest(groups: list[Group]) -> tuple[str, int | None, float]:
    """The largest term that reads one number of dy, or of an inner layer's dx: the array, the number's index there, and
    the factor it was multiplied by."""
    best: tuple[float, str, int | None, float] = (-1.0, "dy", None, 0.0)
    for group in groups:
        values = products([group])
        dy = next((factor for factor in group if factor.name == "dy" or factor.name.endswith(".dx")), None)
        if dy is None or dy.at is None or not values.size:
            continue
        at = int(np.abs(values).argmax())
        others = [factor.values[at] for factor in group if factor is not dy]
        if abs(values[at]) > best[0]:
            best = float(abs(values[at])), dy.array, int(dy.at[at, 0]), float(np.prod(others))
    return best[1:]
