"""Static analysis of an ONNX graph: its constants, folded, and the shape of every value.

Shapes are computed for one batch size and, if the batch is free, again for another: whatever differs between the two
depends on the batch. So no symbolic arithmetic is needed, and a batch size that the exporter fixed stays fixed.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.io.onnx_constants import CONSTANT, LARGEST, constant_of

__all__ = ["Known", "Sizes", "attributes_of", "known", "sample_of"]

Sizes: TypeAlias = tuple[int | None, ...]
"""A value's lengths, including the batch; None is the batch size, or a length that depends on it."""

_PROBES = 5, 7
"""The batch sizes for which shapes are computed if the batch is free; small, and rarely the size of anything else."""

_FLOATS = {1, 10, 11, 16}
_WHOLE = {2, 3, 4, 5, 6, 7, 12, 13}
"""ONNX's type numbers of floating-point and of integer types."""


@dataclass
class Known:
    """What is known about the values, by name: constants, values that depend on the batch size, and shapes.

    `whole` are integer values that depend on the input; `stuck` says why constants cannot be folded.
    """

    constants: dict[str, Array] = field(default_factory=dict)
    of_batch: set[str] = field(default_factory=set)
    shapes: dict[str, Sizes] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    stuck: dict[str, str] = field(default_factory=dict)
    zeros: set[str] = field(default_factory=set)
    """Of those that depend on the batch's size, which are zeros for every size."""


def sample_of(shape: Sizes | None) -> Shape | None:
    """The shape of one sample, if the batch is the first axis and nothing else depends on it."""
    if not shape or shape[0] is not None or None in shape[1:]:
        return None
    return tuple(length for length in shape if length is not None)


def known(onnx: Any, model: Any, value: Any, sample: Shape) -> Known:
    """What is known about a model's graph if its input `value` has samples of this shape.

    Raises:
        ModelFileError: constants do not fit together, or are too large.
    """
    lengths = value.type.tensor_type.shape.dim
    fixed = lengths[0].dim_value if lengths and lengths[0].HasField("dim_value") else 0
    held = {array.name: onnx.numpy_helper.to_array(array) for array in model.graph.initializer}
    if fixed < 1:
        first, second = (_Fold(onnx, model, value, (size, *sample), held) for size in _PROBES)
        merged = _merged(first, second)
        outs = [sample_of(merged.shapes.get(out.name)) for out in model.graph.output]
        if first.fixed is None or first.fixed != second.fixed or any(shape is not None for shape in outs):
            return merged
        fixed = first.fixed  # declared free, but a Reshape fixes it
    fold = _Fold(onnx, model, value, (fixed, *sample), held)
    shapes: dict[str, Sizes] = {
        name: (None, *shape[1:]) if shape[:1] == (fixed,) else shape for name, shape in fold.shapes.items()
    }
    return Known(fold.constants, set(), shapes, fold.whole(), fold.stuck)


def _merged(first: "_Fold", second: "_Fold") -> Known:
    constants, of_batch = {}, set()
    for name, one in first.constants.items():
        other = second.constants.get(name)
        if other is None:
            of_batch.add(name)
        elif one is other or (one.shape == other.shape and np.array_equal(one, other)):
            constants[name] = one
        elif one.shape[1:] == other.shape[1:] and one.ndim and (one.shape[0], other.shape[0]) == _PROBES and _same(one):
            constants[name] = one[:1]  # the same for every sample
        else:
            of_batch.add(name)
    shapes = {}
    for name, lengths in first.shapes.items():
        others = second.shapes.get(name)
        if others is not None and len(others) == len(lengths):
            shapes[name] = tuple(a if a == b else None for a, b in zip(lengths, others, strict=True))
    zeros = {
        name
        for name in of_batch
        if not first.constants[name].any() and not second.constants.get(name, np.ones(1)).any()
    }
    return Known(constants, of_batch, shapes, first.whole(), first.stuck, zeros)


def _same(rows: Array) -> bool:
    return bool((rows == rows[:1]).all())


class _Fold:
    """Constants and shapes for one batch size."""

    def __init__(self, onnx: Any, model: Any, value: Any, shape: Shape, held: Mapping[str, Array]) -> None:
        self._onnx = onnx
        self._versions = {entry.domain or "": entry.version for entry in model.opset_import}
        self._opsets = list(model.opset_import)
        self._computed = 0
        self._batch = shape[:1]
        self.constants = dict(held)
        self.shapes: dict[str, Shape] = {value.name: shape}
        self.stuck: dict[str, str] = {}
        self.fixed: int | None = None
        """The batch size that a Reshape asks for, if it differs."""
        self._kinds: dict[str, int] = {value.name: value.type.tensor_type.elem_type}
        for proto in model.graph.node:
            self._read(proto)

    def whole(self) -> set[str]:
        """The values known to be integers."""
        return {name for name, kind in self._kinds.items() if kind in _WHOLE}

    def _read(self, proto: Any) -> None:
        names = [name for name in proto.input if name]
        attributes = dict(attributes_of(self._onnx, proto))
        stuck = next((self.stuck[name] for name in names if name in self.stuck), "")
        if proto.op_type == "Constant":
            self.constants[proto.output[0]] = _constant(attributes)
        elif stuck:
            self._stick(proto, stuck)
        elif proto.op_type in ("Shape", "Size") and names and names[0] in self.shapes:
            self._of_shape(proto, attributes, self.shapes[names[0]])
        elif all(name in self.constants for name in names):
            self._compute(proto, attributes)
        elif proto.op_type in ("Shape", "Size"):
            self._stick(proto, proto.op_type)
        else:
            self._infer(proto, names)
            if proto.op_type == "Reshape" and self.fixed is None and len(names) == 2:
                self.fixed = self._fixed(*names)

    def _of_shape(self, proto: Any, attributes: dict[str, Any], shape: Shape) -> None:
        lengths = np.asarray(shape, np.int64)
        if proto.op_type == "Shape":
            self.constants[proto.output[0]] = lengths[attributes.get("start", 0) : attributes.get("end")]
        else:
            self.constants[proto.output[0]] = np.asarray(math.prod(shape), np.int64)

    def _compute(self, proto: Any, attributes: dict[str, Any]) -> None:
        if proto.op_type not in CONSTANT or len(proto.output) != 1 or proto.domain not in ("", "ai.onnx"):
            self._stick(proto, f"{proto.op_type} of constants")
            return
        values = {place: self.constants[name] for place, name in enumerate(proto.input) if name}
        result = constant_of(proto.op_type, attributes, values)
        self._computed += result.size
        if self._computed > LARGEST:
            raise ModelFileError(f"it computes constants of more than {LARGEST:,} numbers in all")
        self.constants[proto.output[0]] = result

    def _stick(self, proto: Any, why: str) -> None:
        for name in proto.output:
            self.stuck[name] = why

    def _fixed(self, data: str, shape: str) -> int | None:
        lengths = np.ravel(self.constants.get(shape, ()))[:1].tolist()
        batch = self.shapes.get(data, ())[:1]
        return (
            int(lengths[0]) if lengths and batch == self._batch and lengths[0] > 0 and lengths[0] != batch[0] else None
        )

    def _infer(self, proto: Any, names: list[str]) -> None:
        """The shapes of a node's outputs by ONNX's own rules; unknown where those rules cannot tell."""
        helper, defs = self._onnx.helper, self._onnx.defs
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        if domain not in self._versions or not defs.has(proto.op_type, domain):
            return
        types, data = {}, {}
        for name in names:
            if name in self.constants:
                array = self.constants[name]
                if array.dtype.kind not in "fiub":
                    return
                types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                if array.size <= 64:
                    data[name] = self._onnx.numpy_helper.from_array(array, name)
            elif name in self.shapes:
                types[name] = helper.make_tensor_type_proto(self._kinds[name], self.shapes[name])
            else:
                return
        try:
            schema = defs.get_schema(proto.op_type, self._versions[domain], domain)
            outputs = self._onnx.shape_inference.infer_node_outputs(
                schema, proto, types, data, opset_imports=self._opsets
            )
        except (
            self._onnx.shape_inference.InferenceError,
            self._onnx.checker.ValidationError,
            RuntimeError,
            ValueError,
        ):
            if (
                proto.op_type == "GroupNormalization" and names[0] in self.shapes
            ):  # deprecated, so ONNX does not infer it
                self.shapes[proto.output[0]] = self.shapes[names[0]]
            return
        for name, kind in outputs.items():
            tensor = kind.tensor_type
            lengths = [length.dim_value if length.HasField("dim_value") else -1 for length in tensor.shape.dim]
            if tensor.elem_type:
                self._kinds[name] = tensor.elem_type
            if tensor.HasField("shape") and min(lengths, default=0) >= 0:
                self.shapes[name] = tuple(lengths)


def attributes_of(onnx: Any, proto: Any) -> Iterator[tuple[str, Any]]:
    """A node's attributes by name, tensors as arrays."""
    for attribute in proto.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = np.asarray(onnx.numpy_helper.to_array(value))
        yield attribute.name, value


def _constant(attributes: dict[str, Any]) -> Array:
    for name, value in attributes.items():
        if name == "value":
            return np.asarray(value)
        if name in ("value_float", "value_floats"):
            return np.asarray(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.asarray(value, np.int64)
    raise ModelFileError(f"it has a Constant of {', '.join(attributes) or 'nothing'}, which is not an array")
