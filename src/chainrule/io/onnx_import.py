"""A network of bricks from an ONNX model made elsewhere, which computes the same and can be trained on.

In this order: what is constant is folded and shapes are told (`onnx_fold`), the graph is read as parts (`onnx_graph`,
`onnx_operators`), and these are built (`onnx_build`).
"""

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chainrule.arrays import Shape
from chainrule.errors import MissingExtraError, ModelFileError, OptionError
from chainrule.files import explain
from chainrule.io.onnx_build import build
from chainrule.io.onnx_graph import Graph
from chainrule.io.onnx_order import begin
from chainrule.io.onnx_parts import Part
from chainrule.io.plain_json import parse_json
from chainrule.io.weights import fitting_preparation
from chainrule.layers import Layer, LogSoftmax, Scale, Sequential, Softmax

__all__ = ["from_onnx", "import_onnx"]

_LARGEST = 2**31
"""Bytes of a file at most, which is protobuf's own limit."""

_LARGEST_SAMPLE = 2**26
"""Numbers of one sample at most."""

_MOST_NODES = 20_000
"""Nodes of a graph at most."""


def import_onnx(
    path: str | os.PathLike[str],
    *,
    input_shape: Shape | None = None,
    output: str | None = None,
    keep_softmax: bool = False,
    input_scale: float | None = None,
) -> Sequential:
    """Read an ONNX file as a network.

    Args:
        path: the file; arrays outside of it are read only from its own folder.
        input_shape: of one sample, where the model leaves it open.
        output: the name of the output to compute, where there are several; by default the first that can be.
        keep_softmax: a Softmax or LogSoftmax at the end is left out if False, so that the network ends in logits.
        input_scale: what pixels were divided by before they went into the model, such as 255: the network then begins
            with Scale(1 / 255) and reads pixels as they are.

    What was exported in training mode is imported for inference, which a UserWarning tells.

    Raises:
        OptionError: `input_scale` is not a number above 0.
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
        return from_onnx(
            model, input_shape=input_shape, output=output, keep_softmax=keep_softmax, input_scale=input_scale
        )
    except OptionError:
        raise
    except ModelFileError as error:
        raise ModelFileError(f"cannot import {file}: {error}") from error
    except Exception as error:  # what protobuf, the checker and arrays of any shape raise has no common base
        if not type(error).__module__.startswith(("onnx", "google")):
            told = " ".join(str(error).split())[:200]
            raise ModelFileError(f"cannot import {file}: its arrays or shapes do not fit together ({told})") from error
        told = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{file} is no ONNX model, or a damaged one: {told}") from error


def from_onnx(
    model: Any,
    *,
    input_shape: Shape | None = None,
    output: str | None = None,
    keep_softmax: bool = False,
    input_scale: float | None = None,
) -> Sequential:
    """The same from an onnx.ModelProto that was checked."""
    onnx = _onnx()
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    value = _input(model.graph)
    sample = _input_shape(value, input_shape)
    graph = Graph(onnx, model, value, sample)
    parts = graph.parts(output)
    if parts and isinstance(parts[-1].layer, Softmax | LogSoftmax) and not keep_softmax:
        parts = parts[:-1]
    seen = begin(parts, sample)
    layers, out = build(parts, seen)
    if input_scale is not None:
        layers.insert(0, _scale(input_scale, layers))
    network = Sequential(*layers).build(seen.shape)
    for note in sorted(_notes(parts)):
        warnings.warn(f"the model was {note}", stacklevel=2)
    told = {entry.key: entry.value for entry in model.metadata_props}
    labels = told.get("labels")
    names = _texts(labels) if labels else graph.classes
    network.labels = names if labels or out.shape == (len(names),) else None
    if "preparation" in told:
        network.preparation = fitting_preparation(parse_json(told["preparation"]), network)
    return network


def _input(graph: Any) -> Any:
    """The one input of a graph that is no weight."""
    if len(graph.node) > _MOST_NODES:
        raise ModelFileError(f"it has {len(graph.node):,} nodes, more than {_MOST_NODES:,}")
    weights = {array.name for array in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ModelFileError(f"it has {len(inputs)} inputs, a network has one: cut it down to one")
    return inputs[0]


def _scale(divisor: float, layers: Sequence[Layer]) -> Scale:
    if not (isinstance(divisor, int | float) and math.isfinite(divisor) and divisor > 0):
        raise OptionError(f"input_scale must be a number above 0, got {divisor!r}: 255 is usual for pixels")
    if layers and layers[0].takes_indices:
        raise OptionError(f"input_scale is for numbers, and {layers[0]!r} reads indices: leave it out")
    return Scale(1 / divisor)


def _notes(parts: Iterable[Part]) -> set[str]:
    return {part.note for part in parts if part.note}.union(
        *(_notes(branch) for part in parts for branch in part.branches)
    )


def _input_shape(value: Any, given: Shape | None) -> Shape:
    if given is not None:
        return tuple(given)
    sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in value.type.tensor_type.shape.dim][1:]
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
