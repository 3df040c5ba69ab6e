"""Constant folding: ONNX operators on constants, computed in NumPy with every size bounded.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError

__all__ = ["CONSTANT", "LARGEST", "constant_of"]

LARGEST = 2**27
"""The most numbers in an array computed here."""

_Attributes: TypeAlias = Mapping[str, Any]
_Values: TypeAlias = Mapping[int, Array]
"""The inputs of a node by position."""

_KINDS = dict(enumerate(["f4", "u1", "i1", "u2", "i2", "i4", "i8", "-", "?", "f2", "f8", "u4", "u8"], start=1))
"""ONNX's type numbers that NumPy supports; text (8) is not among them."""


def constant_of(operator: str, attributes: _Attributes, values: _Values) -> Array:
    """The result of an operator on constants.

    Raises:
        ModelFileError: the inputs do not fit, or the result would be larger than `LARGEST`.
    """
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(CONSTANT[operator](attributes, values))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())[:100]
        raise ModelFileError(f"its constants do not fit {operator} ({told})") from error
    _bounded(result.shape)
    return result


def _bounded(shape: Any) -> tuple[int, ...]:
    lengths = tuple(int(length) for length in np.ravel(np.asarray(shape, object)))
    if any(length < 0 for length in lengths) or math.prod(lengths) > LARGEST:
        raise ModelFileError(f"it computes a constant of shape {list(lengths)[:8]}, more than {LARGEST:,} numbers")
    return lengths


def _elementwise(function: Callable[..., Any]) -> Callable[[_Attributes, _Values], Array]:
    def compute(attributes: _Attributes, values: _Values) -> Array:
        arrays = [values[place] for place in sorted(values)]
        _bounded(np.broadcast_shapes(*(array.shape for array in arrays)))
        result: Array = np.asarray(function(*arrays))
        return result

    return compute


def _div(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not np.all(b):
        raise ZeroDivisionError("division by zero")
    # integer division rounds towards zero
    return np.asarray((np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype))


def _pow(a: Array, b: Array) -> Array:
    power: Array = np.power(a, b.astype(a.dtype) if a.dtype.kind == "f" else b).astype(a.dtype)
    return power


def _cast(attributes: _Attributes, values: _Values) -> Array:
    return values[0].astype(_KINDS[int(attributes["to"])])


def _axes(attributes: _Attributes, values: _Values, place: int = 1) -> tuple[int, ...] | None:
    axes = values[place] if place in values else attributes.get("axes")
    return None if axes is None else tuple(int(axis) for axis in np.ravel(axes))


def _constant_of_shape(attributes: _Attributes, values: _Values) -> Array:
    value = attributes.get("value", np.zeros(1, np.float32))
    return np.full(_bounded(values[0]), np.ravel(value)[0])


def _expand(attributes: _Attributes, values: _Values) -> Array:
    shape = _bounded(np.broadcast_shapes(values[0].shape, _bounded(values[1])))
    return np.broadcast_to(values[0], shape).copy()


def _gather(attributes: _Attributes, values: _Values) -> Array:
    data, places = values[0], values[1].astype(np.int64)
    axis = int(attributes.get("axis", 0)) % max(data.ndim, 1)
    _bounded((*data.shape[:axis], *places.shape, *data.shape[axis + 1 :]))
    return np.take(data, places, axis)


def _range(attributes: _Attributes, values: _Values) -> Array:
    start, limit, step = (np.ravel(values[place])[0] for place in range(3))
    _bounded([max(math.ceil((float(limit) - float(start)) / float(step)), 0)])
    return np.arange(start, limit, step, dtype=values[0].dtype)


def _reduce(function: Callable[..., Any]) -> Callable[[_Attributes, _Values], Array]:
    def compute(attributes: _Attributes, values: _Values) -> Array:
        axes = _axes(attributes, values)
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return values[0]
        kept = bool(attributes.get("keepdims", 1))
        return np.asarray(function(values[0], axis=axes or None, keepdims=kept), values[0].dtype)

    return compute


def _reshape(attributes: _Attributes, values: _Values) -> Array:
    data, wanted = values[0], [int(length) for length in np.ravel(values[1])]
    if not attributes.get("allowzero", 0):
        wanted = [data.shape[place] if length == 0 else length for place, length in enumerate(wanted)]
    return data.reshape(wanted)


def _shape(attributes: _Attributes, values: _Values) -> Array:
    return np.asarray(values[0].shape[attributes.get("start", 0) : attributes.get("end")], np.int64)


def _slice(attributes: _Attributes, values: _Values) -> Array:
    data = values[0]
    starts, ends = (
        [int(n) for n in np.ravel(values[place] if place in values else attributes[name])]
        for place, name in ((1, "starts"), (2, "ends"))
    )
    axes = _axes(attributes, values, 3) or tuple(range(len(starts)))
    steps = [int(n) for n in np.ravel(values[4])] if 4 in values else [1] * len(starts)
    where = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # an end before the first element means no end; NumPy would count it from the end
        none = step < 0 and end < -data.shape[axis]
        where[axis] = slice(start, None if none else end, step)
    return data[tuple(where)]


def _squeeze(attributes: _Attributes, values: _Values) -> Array:
    return np.squeeze(values[0], _axes(attributes, values))


def _tile(attributes: _Attributes, values: _Values) -> Array:
    repeats = _bounded(values[1])
    _bounded([length * times for length, times in zip(values[0].shape, repeats, strict=True)])
    return np.tile(values[0], repeats)


def _dequantized(attributes: _Attributes, values: _Values) -> Array:
    numbers, steps, zero = values[0], values[1], values.get(2, np.zeros(1))
    axis = int(attributes.get("axis", 1))
    along = [-1 if index == axis % max(numbers.ndim, 1) else 1 for index in range(numbers.ndim)]
    steps, zero = (np.reshape(a, along) if np.size(a) > 1 else np.ravel(a)[0] for a in (steps, zero))
    array: Array = ((numbers.astype(np.float32) - zero) * steps).astype(np.float32)
    return array


CONSTANT: dict[str, Callable[[_Attributes, _Values], Array]] = {
    "Abs": _elementwise(np.abs),
    "Add": _elementwise(np.add),
    "And": _elementwise(np.logical_and),
    "Cast": _cast,
    "Ceil": _elementwise(np.ceil),
    "Concat": lambda attributes, values: np.concatenate([values[i] for i in sorted(values)], attributes["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantized,
    "Div": _elementwise(_div),
    "Equal": _elementwise(np.equal),
    "Exp": _elementwise(np.exp),
    "Expand": _expand,
    "Floor": _elementwise(np.floor),
    "Gather": _gather,
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Identity": lambda attributes, values: values[0],
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Log": _elementwise(np.log),
    "Max": _elementwise(lambda *arrays: np.maximum.reduce(np.broadcast_arrays(*arrays))),
    "Min": _elementwise(lambda *arrays: np.minimum.reduce(np.broadcast_arrays(*arrays))),
    "Mod": lambda attributes, values: _elementwise(np.fmod if attributes.get("fmod") else np.mod)({}, values),
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "Not": _elementwise(np.logical_not),
    "Or": _elementwise(np.logical_or),
    "Pow": _elementwise(_pow),
    "Range": _range,
    "Reciprocal": _elementwise(lambda a: (1 / a).astype(a.dtype)),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": lambda attributes, values: np.asarray(values[0].size, np.int64),
    "Slice": _slice,
    "Sqrt": _elementwise(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Tile": _tile,
    "Transpose": lambda attributes, values: np.transpose(values[0], attributes.get("perm")),
    "Unsqueeze": lambda attributes, values: np.expand_dims(values[0], _axes(attributes, values) or ()),
    "Where": _elementwise(np.where),
}
"""(attributes, inputs by position) -> output."""
