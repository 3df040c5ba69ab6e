"""One unit of one layer: what it depends on, and what depends on it.

What it depends on, and how much, is its gradient with respect to each layer before it: the backward pass of a 1 at the
unit and 0 elsewhere, layer by layer. What depends on it in each layer after it is found by moving it a little.
"""

import math

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.layers import Affine, Conv1D, Conv2D, ConvTranspose2D, PointwiseAffine, Sequential
from chainrule.layers.trace import TraceRow, record
from chainrule.server.problems import ProblemError
from chainrule.server.wire import Packed, pack

__all__ = ["Term", "Unit", "explain_unit"]

_TERMS = 8
_MOVE = 1e-2


class Term(BaseModel):
    """One of the unit's inputs."""

    index: list[int]
    x: float
    slope: float = Field(description="dy/dx: the weight, if the layer has weights")


class Unit(BaseModel):
    """A number of a layer's output, explained."""

    place: str
    layer: str
    unit: int
    index: list[int]
    value: float
    linear: bool = Field(description="whether the value is the sum of x times slope, plus the bias")
    bias: float
    terms: list[Term] = Field(description="the inputs that matter most")
    count: int = Field(description="the number of inputs that it depends on")
    rest: float = Field(description="sum of x times slope over those not listed")
    before: Packed = Field(description="slopes with respect to the layer's whole input")
    chain: dict[str, Packed] = Field(
        description="by place: of those before, the slopes of the unit with respect to their output; of those after, "
        "the slopes of their output with respect to the unit; under input, those of the unit with respect to the "
        "sample. Empty of a layer within another one"
    )


def explain_unit(network: Sequential, sample: Array, place: str, unit: int) -> Unit:
    """The unit with this number in the output of the layer at `place`, for one sample (*input_shape)."""
    _, _, rows = record(network.copy(), sample[np.newaxis], train=False, rng=None)
    row = next((row for row in rows if row.name == place), None)
    if row is None:
        raise ProblemError(422, f"there is no place {place!r}: use one of {', '.join(row.name for row in rows)}")
    if not 0 <= unit < row.y.size:
        raise ProblemError(422, f"{place} has {row.y.size} units, there is none of number {unit}")
    dy = np.zeros_like(row.y)
    dy.flat[unit] = 1
    dx = row.layer.backward(dy, row.cache)
    slopes = np.zeros_like(row.x, dtype=np.float32) if dx is None else dx
    x, flat = row.x[0].astype(np.float64), slopes[0].astype(np.float64)
    products = x * flat
    linear = isinstance(row.layer, Affine | PointwiseAffine | Conv1D | Conv2D | ConvTranspose2D)
    order = np.argsort(-np.abs(products if linear else flat), axis=None, kind="stable")[:_TERMS]
    order = order[flat.ravel()[order] != 0]
    value = float(row.y.flat[unit])
    total = float(products.sum())
    return Unit(
        place=place,
        layer=repr(row.layer),
        unit=unit,
        index=[int(i) for i in np.unravel_index(unit, row.y.shape[1:])],
        value=value,
        linear=linear,
        bias=value - total if linear and "b" in row.layer.parameters else 0.0,
        terms=[
            Term(
                index=[int(i) for i in np.unravel_index(int(at), x.shape)],
                x=float(x.flat[at]),
                slope=float(flat.flat[at]),
            )
            for at in order
        ],
        count=int((flat != 0).sum()),
        rest=total - float(products.ravel()[order].sum()),
        before=pack(slopes[0]),
        chain=_chain(rows, row, None if dx is None else slopes, unit),
    )


def _chain(rows: list[TraceRow], row: TraceRow, slopes: Array | None, unit: int) -> dict[str, Packed]:
    """The slopes layer by layer, back to the sample and on to the logits."""
    places = [other for other in rows if other.name.count(".") == 1]  # none within another
    at = next((index for index, other in enumerate(places) if other is row), None)
    if at is None:
        return {}
    chain: dict[str, Packed] = {}
    gradient = slopes
    for other in reversed(places[:at]):
        if gradient is not None:
            chain[other.name] = pack(gradient[0])
            gradient = other.layer.backward(gradient, other.cache)
    if gradient is not None:
        chain["input"] = pack(gradient[0])
    moved = row.y.astype(np.float64)
    step = _MOVE * max(1.0, abs(float(moved.flat[unit])))
    still = moved.copy()
    moved.flat[unit] += step
    for other in places[at + 1 :]:
        moved, still = other.layer.run(moved)[0], other.layer.run(still)[0]
        change = (moved - still)[0]
        change[np.abs(change) < 1e-9 * math.sqrt(change.size)] = 0
        chain[other.name] = pack(change / step)
    return chain
