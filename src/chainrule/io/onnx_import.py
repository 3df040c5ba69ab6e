"""A network of bricks from an ONNX model made elsewhere, which computes the same and can be trained on.

The model's graph is read backwards from its output: a node with one input becomes a layer, and where several inputs
meet, the nearest value that they all come from begins the branches of a Parallel or Residual.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import MissingExtraError, ModelFileError
from chainrule.files import explain
from chainrule.io.onnx_operators import CONSTANT, JOINS, OPERATORS
from chainrule.io.onnx_parts import Node, Part, begin, build, tidy
from chainrule.io.plain_json import parse_json
from chainrule.io.weights import fitting_preparation
from chainrule.layers import LogSoftmax, Sequential, Softmax

__all__ = ["from_onnx", "import_onnx"]

_LARGEST = 2**31
"""Bytes of a file at most, which is protobuf's own limit."""

_LARGEST_SAMPLE = 2**26
"""Numbers of one sample at most."""


def import_onnx(
    path: str | os.PathLike[str],
    *,
    input_shape: Shape | None = None,
    output: str | None = None,
    keep_softmax: bool = False,
) -> Sequential:
    """Read an ONNX file as a network.

    Args:
        path: the file; arrays outside of it are read only from its own folder.
        input_shape: of one sample, where the model leaves it open.
        output: the name of the output to compute, where there are several; by default the first that can be.
        keep_softmax: a Softmax or LogSoftmax at the end is left out if False, so that the network ends in logits.

    Raises:
        ModelFileError: no ONNX model, damaged, or with operators that no layer does (all are named).
        MissingExtraError: onnx is not installed.
    """
    onnx = _onnx()
    file = Path(path)
    try:
        if file.stat().st_size > _LARGEST:
            raise ModelFileError(f"{file} is larger than {_LARGEST:,} bytes, more than an ONNX file can be")
        content = file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {file}: {explain(error)}") from error
    try:
        model = onnx.load_model_from_string(content)
        _load_outside(onnx, model, file)
        onnx.checker.check_model(model)
        return from_onnx(model, input_shape=input_shape, output=output, keep_softmax=keep_softmax)
    except ModelFileError as error:
        raise ModelFileError(f"cannot import {file}: {error}") from error
    except Exception as error:  # what protobuf, the checker and arrays of any shape raise has no common base
        if not type(error).__module__.startswith(("onnx", "google")):
            told = " ".join(str(error).split())[:200]
            raise ModelFileError(f"cannot import {file}: its arrays or shapes do not fit together ({told})") from error
        told = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{file} is no ONNX model, or a damaged one: {told}") from error


def from_onnx(
    model: Any, *, input_shape: Shape | None = None, output: str | None = None, keep_softmax: bool = False
) -> Sequential:
    """The same from an onnx.ModelProto that was checked."""
    graph = _Graph(_onnx(), model)
    parts = graph.parts(output)
    if parts and isinstance(parts[-1].layer, Softmax | LogSoftmax) and not keep_softmax:
        parts = parts[:-1]
    seen = begin(parts, _input_shape(graph, input_shape))
    out = build(parts, seen)
    network = Sequential(*(part.layer for part in parts if part.layer is not None)).build(seen.shape)
    told = {entry.key: entry.value for entry in model.metadata_props}
    labels = told.get("labels")
    names = _texts(labels) if labels else graph.classes
    network.labels = names if labels or out.shape == (len(names),) else None
    if "preparation" in told:
        network.preparation = fitting_preparation(parse_json(told["preparation"]), network)
    return network


class _Graph:
    """Which node makes which value, and what is constant."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self._onnx = onnx
        graph = model.graph
        self.constants: dict[str, Array] = {a.name: onnx.numpy_helper.to_array(a) for a in graph.initializer}
        inputs = [value for value in graph.input if value.name not in self.constants]
        if len(inputs) != 1:
            raise ModelFileError(f"it has {len(inputs)} inputs, a network has one: cut it down to one")
        self.input = inputs[0]
        self.outputs = [value.name for value in graph.output]
        self.makers: dict[str, Node] = {}
        self.shapes: set[str] = set()
        self.classes: tuple[str, ...] = ()
        self.dominators: dict[str, tuple[str, ...]] = {self.input.name: (self.input.name,)}
        for proto in graph.node:
            self._add(proto)

    def _add(self, proto: Any) -> None:
        attributes = {a.name: self._onnx.helper.get_attribute_value(a) for a in proto.attribute}
        data = [name for name in proto.input if name and name not in self.constants]
        if proto.op_type == "Constant":
            self.constants[proto.output[0]] = self._constant(attributes)
            return
        constants = {index: self.constants[name] for index, name in enumerate(proto.input) if name in self.constants}
        if not data:
            if proto.op_type not in CONSTANT:
                raise ModelFileError(f"it computes {proto.op_type} of constants: fold constants when exporting")
            self.constants[proto.output[0]] = CONSTANT[proto.op_type](attributes, constants)
            return
        if self._is_of_shape(proto, data, constants):
            return
        operator = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
        if operator == "ai.onnx.ml.ArrayFeatureExtractor" and 0 in constants:  # the class of the largest output
            self.classes = tuple(
                a.decode() if isinstance(a, bytes) else str(a) for a in np.ravel(constants[0]).tolist()
            )
        node = Node(operator, data, constants, attributes)
        for name in proto.output:
            self.makers[name] = node
            self.dominators[name] = (*self._shared(data), name)

    def _is_of_shape(self, proto: Any, data: list[str], constants: dict[int, Array]) -> bool:
        """Take in a node that looks at a value's shape for the batch's size: in a Reshape, 0 says the same."""
        if proto.op_type != "Shape" and data[0] not in self.shapes:
            return False
        out, first = proto.output[0], np.ravel(constants.get(1, np.zeros(1)))
        one = first.size == 1 and (proto.op_type == "Gather" or np.array_equal(np.ravel(constants.get(2, ())), [1]))
        if proto.op_type in ("Gather", "Slice") and one and first[0] == 0:
            self.constants[out] = np.zeros_like(constants[1], np.int64)
            return True
        if proto.op_type in ("Shape", "Cast") or (proto.op_type == "Gather" and first.size > 1 and first[0] == 0):
            self.shapes.add(out)
            self.dominators[out] = self.dominators[data[0]]
            return True
        return False

    def _shared(self, values: list[str]) -> list[str]:
        """The values that every path from the input to all of these passes, in order."""
        paths = [self.dominators[value] for value in values]
        return [value for value in paths[0] if all(value in path for path in paths[1:])]

    def _constant(self, attributes: dict[str, Any]) -> Array:
        for name, value in attributes.items():
            if name == "value":
                return np.asarray(self._onnx.numpy_helper.to_array(value))
            if name in ("value_float", "value_floats"):
                return np.asarray(value, np.float32)
            if name in ("value_int", "value_ints"):
                return np.asarray(value, np.int64)
        raise ModelFileError(f"it has a Constant of {', '.join(attributes) or 'nothing'}, which is no array")

    def parts(self, output: str | None) -> list[Part]:
        """The layers from the input to an output, tidied."""
        if output is not None and output not in self.outputs:
            raise ModelFileError(f"it has no output {output!r}: use one of {', '.join(self.outputs)}")
        wanted = [output] if output is not None else self.outputs
        missing: dict[str, list[str]] = {}
        for name in wanted:
            unknown = self._unknown(name)
            if not unknown:
                return tidy(self._chain(name, self.input.name))
            missing[name] = unknown
        told = ", ".join(min((len(names), names) for names in missing.values())[1])
        raise ModelFileError(f"no layer does the operators {told}: export the network without them")

    def _unknown(self, output: str) -> list[str]:
        """Operators on the way to an output for which there is no layer."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [output]
        while waiting:
            name = waiting.pop()
            if name in seen or name == self.input.name:
                continue
            seen.add(name)
            node = self.makers.get(name)
            if node is None:
                found.add("Shape" if name in self.shapes else "a constant output")
                continue
            known = JOINS if len(node.data) > 1 else OPERATORS
            if node.operator not in known:
                found.add(node.operator)
            waiting += node.data
        return sorted(found)

    def _chain(self, value: str, begin: str) -> list[Part]:
        """What lies between two values, in order: layers, and constants added or multiplied that `tidy` takes in."""
        found: list[Part | None] = []
        while value != begin:
            node = self.makers[value]
            if len(node.data) == 1:
                found.append(OPERATORS[node.operator](node))
                value = node.data[0]
                continue
            common = self._shared(node.data)[-1]
            found.append(JOINS[node.operator](node, [self._chain(name, common) for name in node.data]))
            value = common
        return [part for part in reversed(found) if part is not None]


def _input_shape(graph: _Graph, given: Shape | None) -> Shape:
    if given is not None:
        return tuple(given)
    sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in graph.input.type.tensor_type.shape.dim][1:]
    if any(size < 1 for size in sizes):
        shown = ", ".join(str(size) if size > 0 else "?" for size in sizes)
        raise ModelFileError(f"its input is (N, {shown}): say the shape of a sample as input_shape=")
    if math.prod(sizes) > _LARGEST_SAMPLE:
        raise ModelFileError(f"its input is {math.prod(sizes):,} numbers a sample, more than {_LARGEST_SAMPLE:,}")
    return tuple(sizes)


def _texts(labels: str) -> tuple[str, ...]:
    names = parse_json(labels)
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ModelFileError("its labels are no list of texts")
    return tuple(names)


def _load_outside(onnx: Any, model: Any, file: Path) -> None:
    """Read arrays that lie beside the model, and from nowhere else."""
    folder = file.resolve().parent
    outside: Sequence[Any] = [a for a in model.graph.initializer if a.data_location == onnx.TensorProto.EXTERNAL]
    for array in outside:
        location = next((entry.value for entry in array.external_data if entry.key == "location"), "")
        target = (folder / location).resolve()
        if not location or target.parent != folder or (folder / location).is_symlink():
            raise ModelFileError(f"its array {array.name} is said to lie in {location!r}, outside the model's folder")
        if not target.is_file():
            raise ModelFileError(f"its array {array.name} lies in {location!r}, which is not there: put it beside it")
    if outside:
        onnx.external_data_helper.load_external_data_for_model(model, str(folder))


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "ONNX", "onnx") from None
    return onnx
