"""Imports an ONNX model made elsewhere as a network that computes the same and can be trained further.

The steps: fold constants and infer shapes (`onnx_fold`), read the graph as parts (`onnx_graph`, `onnx_operators`), and
build layers from them (`onnx_build`).
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
"""The most bytes of a file: protobuf's own limit."""

_LARGEST_SAMPLE = 2**26
"""The most numbers of one sample."""

_MOST_NODES = 20_000
"""The most nodes of a graph."""


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
        path: the file; external arrays are read only from its own folder.
        input_shape: of one sample, if the model leaves it open.
        output: the name of the output to compute if there are several; by default the first that can be imported.
        keep_softmax: if False, a Softmax or LogSoftmax at the end is dropped, so that the network ends in logits.
        input_scale: the number that pixels were divided by before they went into the model, such as 255: the network
            then starts with Scale(1 / 255) and reads pixels directly.

    A model exported in training mode is imported for inference, with a UserWarning.

    Raises:
        OptionError: `input_scale` is not a number above 0.
        ModelFileError: the file is not an ONNX model, is damaged, or has operators that no layer supports (all named).
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
    except Exception as error:  # errors from protobuf, the checker and array shapes have no common base
        if not type(error).__module__.startswith(("onnx", "google")):
            told = " ".join(str(error).split())[:200]
            raise ModelFileError(f"cannot import {file}: its arrays or shapes do not fit together ({told})") from error
        told = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{file} is not an ONNX model, or is damaged: {told}") from error


def from_onnx(
    model: Any,
    *,
    input_shape: Shape | None = None,
    output: str | None = None,
    keep_softmax: bool = False,
    input_scale: float | None = None,
) -> Sequential:
    """The network from a checked onnx.ModelProto."""
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
    """The one input of a graph that is not a weight."""
    if len(graph.node) > _MOST_NODES:
        raise ModelFileError(f"it has {len(graph.node):,} nodes, more than {_MOST_NODES:,}")
    weights = {array.name for array in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ModelFileError(f"it has {len(inputs)} inputs, but a network has one: reduce it to one")
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
        raise ModelFileError(f"its input is (N, {shown}): pass the shape of a sample as input_shape=")
    if math.prod(sizes) > _LARGEST_SAMPLE:
        raise ModelFileError(f"its input is {math.prod(sizes):,} numbers per sample, more than {_LARGEST_SAMPLE:,}")
    return tuple(sizes)


def _texts(labels: str) -> tuple[str, ...]:
    names = parse_json(labels)
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ModelFileError("its labels are not a list of strings")
    return tuple(names)


def _load_outside(onnx: Any, model: Any, file: Path) -> None:
    """Read external arrays from the model's folder, and from nowhere else."""
    folder = file.resolve().parent
    outside: Sequence[Any] = [a for a in model.graph.initializer if a.data_location == onnx.TensorProto.EXTERNAL]
    for array in outside:
        location = next((entry.value for entry in array.external_data if entry.key == "location"), "")
        target = (folder / location).resolve()
        if not location or target.parent != folder or (folder / location).is_symlink():
            raise ModelFileError(f"its array {array.name} refers to {location!r}, outside the model's folder")
        if not target.is_file():
            raise ModelFileError(
                f"its array {array.name} refers to {location!r}, which is missing: put it beside the model"
            )
    if outside:
        onnx.external_data_helper.load_external_data_for_model(model, str(folder))


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "ONNX", "onnx") from None
    return onnx
