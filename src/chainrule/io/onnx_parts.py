"""Part: the layers for an ONNX node with their trained arrays; and the merging of several parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.layers import Affine, Conv2D, Layer, Parallel, Sequential, Sigmoid, Softmax

__all__ = ["Node", "Part", "Reduction", "array", "expect", "parallel", "tidy"]


@dataclass(frozen=True)
class Node:
    """A node: its operator, its non-constant inputs, and its constants by position."""

    operator: str
    """Its name, prefixed by the domain if the operator is not ONNX's own."""

    data: list[str]
    constants: Mapping[int, Array]
    attributes: Mapping[str, Any]
    before: tuple[Shape | None, ...] = ()
    """The sample shape of each value it reads, if known."""

    after: Shape | None = None
    """The sample shape of its output, if known."""

    whole: bool = False
    """Whether it reads integers."""

    outputs: int = 1
    opset: int = 0
    missing: str = ""
    """Describes an input that is neither constant nor computed by layers."""


@dataclass(frozen=True)
class Reduction:
    """The mean along some axes, as the model counts them; by default all but the batch and the channels."""

    operator: str
    axes: tuple[int, ...]
    keep: bool
    largest: bool = False
    """The maximum instead of the mean."""

    total: bool = False
    """The sum instead of the mean."""


@dataclass
class Part:
    """A layer and the arrays to set once it is built; or something that becomes layers when shapes are known.

    `join` makes one layer from the built layers of the `branches`. `constant` is (operator, array) for arithmetic with
    a constant, `turned` the axis order of a Transpose, `reduction` a mean along axes. `form` is a step of a longer
    formula (erf, square, cube, cubic) and `both` a probability p as (1 - p, p): `tidy` merges them. `rank` is the
    number of axes a sample must have, `channels_last` where the channels must be, `axis` the axis of a sample along
    which it works or joins; each is None if it does not matter. `repeats` is whether a branch's numbers repeat along
    axes of length 1. `over` are the axes of a mean or norm as the model counts them; `takes` merges this part with the
    next one if possible, and `merged` remembers that; `alone` is whether only this node reads its input. `made` is the
    layer already built from it, for the next branch that has it. `note` says what was done.
    """

    layer: Layer | None = None
    arrays: dict[str, Array] = field(default_factory=dict)
    branches: list[list["Part"]] = field(default_factory=list)
    join: Callable[[list[list[Layer]]], Layer] | None = None
    constant: tuple[str, Array] | None = None
    form: str = ""
    both: bool = False
    rank: int | None = None
    turned: tuple[int, ...] | None = None
    channels_last: bool | None = None
    axis: int | None = None
    repeats: bool = False
    reduction: Reduction | None = None
    over: tuple[int, ...] | None = None
    takes: Callable[["Part"], "Part | None"] | None = None
    alone: bool = True
    merged: "tuple[Part, Part] | None" = None
    made: tuple[object, Layer] | None = None
    note: str = ""


def parallel(branches: list[list[Part]], join: str) -> Part:
    """A part that joins branches."""
    part = Part(branches=branches, join=lambda built: Parallel(*(Sequential(*layers) for layers in built), join=join))
    part.repeats = join == "sum"  # a product broadcasts by itself
    return part


def array(node: Node, place: int) -> Array:
    """The constant at a position among a node's inputs, in float32.

    Raises:
        ModelFileError: the input is computed, not constant.
    """
    if place not in node.constants:
        raise ModelFileError(f"it has a {node.operator} whose weights are not constant")
    return np.asarray(node.constants[place], np.float32)


def expect(node: Node, **expected: Any) -> None:
    """Raise ModelFileError if an attribute is given and differs from what the layer does."""
    for name, value in expected.items():
        got = node.attributes.get(name, value)
        if (list(got) if isinstance(value, list) else got) != value:
            raise ModelFileError(f"it has a {node.operator} with {name} = {got}: only {value} is supported")


_STEPS = {
    "erf": "an Erf that is not part of a GELU",
    "cubic": "a polynomial that is not part of a GELU",
    "centered": "a subtracted mean that is not part of a norm",
    "sqrt": "a Sqrt that is not part of a norm",
    "reciprocal": "a Reciprocal that is not part of a norm",
}


def tidy(parts: list[Part]) -> list[Part]:
    """Merge constants added to an Affine or Conv2D into its bias; every formula step must have been merged."""
    done: list[Part] = []
    for part in parts:
        last = done[-1] if done else None
        if part.merged is not None and part.merged[0] is last:
            done[-1] = part.merged[1]  # it is in two branches, and was already merged for the other
            continue
        taken = last.takes(part) if last is not None and last.takes and part.alone else None
        if taken is not None:
            done[-1] = taken
        elif part.both:
            _as_two_classes(done)
        elif part.constant is None or not part.alone or not _takes_bias(done, *part.constant):
            done.append(part)
            continue
        if last is not None:
            part.merged = last, done[-1]
    for part in done:
        if part.form in _STEPS:
            raise ModelFileError(f"it has {_STEPS[part.form]}")
    return done


def _as_two_classes(done: list[Part]) -> None:
    """... Affine(1), Sigmoid as (1 - p, p) is ... Affine(2), Softmax, since sigmoid(z) is softmax((0, z))."""
    affine = done[-2] if len(done) > 1 and isinstance(done[-1].layer, Sigmoid) else Part()
    if not (isinstance(affine.layer, Affine) and affine.layer.outputs == 1):
        raise ModelFileError("it has 1 - p of a p that is not a Sigmoid of one output, which no layer supports")
    arrays = {name: np.concatenate([np.zeros_like(a), a], axis=-1) for name, a in affine.arrays.items()}
    done[-2:] = [Part(Affine(2), arrays), Part(Softmax())]


def _takes_bias(done: list[Part], operator: str, value: Array) -> bool:
    before = next((part for part in reversed(done) if part.turned is None), Part())
    layer = before.layer
    if operator not in ("Add", "Sub") or not isinstance(layer, Affine | Conv2D) or not before.arrays:
        return False
    # the axis of the outputs
    last = isinstance(layer, Affine) or done[-1].turned in ((0, 2, 3, 1), (0, 2, 1))
    outputs = layer.outputs if isinstance(layer, Affine) else layer.filters
    ones = layer.axes if isinstance(layer, Conv2D) and not last else 0
    along = value.shape[-ones - 1 : value.ndim - ones] if value.shape[value.ndim - ones :] == (1,) * ones else ()
    if value.size != 1 and (along != (value.size,) or value.size != outputs):
        return False
    if done[-1] is not before and (not last or isinstance(layer, Affine)):
        return False
    bias = np.broadcast_to(value.ravel() if operator == "Add" else -value.ravel(), (outputs,))
    if isinstance(layer, Conv2D) and not layer.bias:
        layer.bias = True
        before.arrays["b"] = np.zeros(outputs, np.float32)
    before.arrays["b"] = before.arrays["b"] + bias
    return True
